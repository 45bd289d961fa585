/**
 * Why a request head is refused: one row per reason. The rows are constants, so that a refusal costs nothing
 * and no byte of the attacker's ever gets into a message. Where a row is stricter than RFC 9112, it is
 * explained in docs/http-strictness.md.
 */

export interface HeadError {
  readonly status: 400 | 405 | 408 | 413 | 414 | 417 | 421 | 431 | 501 | 505;
  /** "FLOTILLA_HTTP_...": what logs and users match on. */
  readonly code: string;
  /** One line for a person. */
  readonly message: string;
}

export const refusals = {
  // The request line.
  emptyLines: {
    status: 400,
    code: "FLOTILLA_HTTP_EMPTY_LINES",
    message: "More than one empty line stands before the request line.",
  },
  tls: {
    status: 400,
    code: "FLOTILLA_HTTP_TLS_ON_PLAIN_PORT",
    message: "The client speaks TLS, but this port speaks plain HTTP.",
  },
  http2: {
    status: 505,
    code: "FLOTILLA_HTTP_HTTP2_ON_PLAIN_PORT",
    message: "The client speaks HTTP/2 without TLS; here it has to speak HTTP/1.1.",
  },
  badMethod: {
    status: 400,
    code: "FLOTILLA_HTTP_BAD_METHOD",
    message: "The request does not begin with a method and one space.",
  },
  methodUnknown: {
    status: 501,
    code: "FLOTILLA_HTTP_METHOD_UNKNOWN",
    message: "The method is not one of upper-case letters and hyphens.",
  },
  methodRefused: {
    status: 405,
    code: "FLOTILLA_HTTP_METHOD_REFUSED",
    message: "CONNECT and TRACE are not served.",
  },
  badTarget: {
    status: 400,
    code: "FLOTILLA_HTTP_BAD_TARGET",
    message: "The request target is not a path, a URL, or * with OPTIONS.",
  },
  badTargetByte: {
    status: 400,
    code: "FLOTILLA_HTTP_BAD_TARGET_BYTE",
    message: "The request target holds a byte that must be percent-encoded.",
  },
  badPercent: {
    status: 400,
    code: "FLOTILLA_HTTP_BAD_PERCENT",
    message: "A % in the path is not followed by two hexadecimal digits.",
  },
  nulInPath: { status: 400, code: "FLOTILLA_HTTP_NUL_IN_PATH", message: "The path holds %00." },
  pathAboveRoot: {
    status: 400,
    code: "FLOTILLA_HTTP_PATH_ABOVE_ROOT",
    message: "The path's dot segments lead above the root.",
  },
  hiddenDotSegment: {
    status: 400,
    code: "FLOTILLA_HTTP_HIDDEN_DOT_SEGMENT",
    message: "The path holds a dot segment beside %2F or %5C, or with parameters.",
  },
  targetTooLong: {
    status: 414,
    code: "FLOTILLA_HTTP_TARGET_TOO_LONG",
    message: "The request target is longer than this server allows.",
  },
  noVersion: {
    status: 400,
    code: "FLOTILLA_HTTP_NO_VERSION",
    message: "The request line names no HTTP version; HTTP/0.9 is not served.",
  },
  badVersion: {
    status: 400,
    code: "FLOTILLA_HTTP_BAD_VERSION",
    message: "The request line does not end with HTTP/1.1 or HTTP/1.0.",
  },
  versionUnknown: {
    status: 505,
    code: "FLOTILLA_HTTP_VERSION_UNKNOWN",
    message: "Only HTTP/1.1 and HTTP/1.0 are spoken here.",
  },
  // Lines.
  bareLf: {
    status: 400,
    code: "FLOTILLA_HTTP_BARE_LF",
    message: "A line ends with LF alone instead of CR LF.",
  },
  bareCr: { status: 400, code: "FLOTILLA_HTTP_BARE_CR", message: "A CR stands without its LF." },
  folded: {
    status: 400,
    code: "FLOTILLA_HTTP_FOLDED_FIELD",
    message: "A field line begins with a space or tab; folded lines are not accepted.",
  },
  badFieldName: {
    status: 400,
    code: "FLOTILLA_HTTP_BAD_FIELD_NAME",
    message: "A field line does not begin with a name and a colon right behind it.",
  },
  badFieldValue: {
    status: 400,
    code: "FLOTILLA_HTTP_BAD_FIELD_VALUE",
    message: "A field value holds a control byte.",
  },
  tooManyFields: {
    status: 431,
    code: "FLOTILLA_HTTP_TOO_MANY_FIELDS",
    message: "The request has more header fields than this server allows.",
  },
  headTooLarge: {
    status: 431,
    code: "FLOTILLA_HTTP_HEAD_TOO_LARGE",
    message: "The request head is larger than this server allows.",
  },
  // Where to.
  noHost: { status: 400, code: "FLOTILLA_HTTP_NO_HOST", message: "The request has no Host field." },
  twoHosts: {
    status: 400,
    code: "FLOTILLA_HTTP_TWO_HOSTS",
    message: "The request has more than one Host field.",
  },
  badHost: {
    status: 400,
    code: "FLOTILLA_HTTP_BAD_HOST",
    message: "The Host field is not a host name or address with an optional port.",
  },
  hostMismatch: {
    status: 400,
    code: "FLOTILLA_HTTP_HOST_MISMATCH",
    message: "The URL in the request line names another host than the Host field.",
  },
  // Framing.
  badLength: {
    status: 400,
    code: "FLOTILLA_HTTP_BAD_LENGTH",
    message: "Content-Length is not one decimal number within bounds.",
  },
  twoLengths: {
    status: 400,
    code: "FLOTILLA_HTTP_TWO_LENGTHS",
    message: "The request has more than one Content-Length.",
  },
  lengthAndCoding: {
    status: 400,
    code: "FLOTILLA_HTTP_LENGTH_AND_CODING",
    message: "The request has Content-Length and Transfer-Encoding.",
  },
  badCoding: {
    status: 400,
    code: "FLOTILLA_HTTP_BAD_TRANSFER_CODING",
    message: "Transfer-Encoding does not end with one chunked coding.",
  },
  codingUnknown: {
    status: 501,
    code: "FLOTILLA_HTTP_TRANSFER_CODING_UNKNOWN",
    message: "The only transfer coding spoken here is chunked.",
  },
  codingOnHttp10: {
    status: 400,
    code: "FLOTILLA_HTTP_CODING_ON_HTTP10",
    message: "Transfer-Encoding does not exist in HTTP/1.0.",
  },
  badConnection: {
    status: 400,
    code: "FLOTILLA_HTTP_BAD_CONNECTION",
    message: "Connection is not a list of tokens.",
  },
  connectionNamesFraming: {
    status: 400,
    code: "FLOTILLA_HTTP_CONNECTION_NAMES_FRAMING",
    message: "Connection names a framing field or Host.",
  },
  expectation: {
    status: 417,
    code: "FLOTILLA_HTTP_EXPECTATION",
    message: "The only expectation understood here is 100-continue.",
  },
  // HTTP/2.
  pseudoField: {
    status: 400,
    code: "FLOTILLA_HTTP_BAD_PSEUDO_FIELD",
    message: "A pseudo-field of HTTP/2 is unknown here, or its value is.",
  },
  connectionField: {
    status: 400,
    code: "FLOTILLA_HTTP_CONNECTION_FIELD",
    message: "The request has a field that does not exist in HTTP/2, such as Connection.",
  },
  badBody: { status: 400, code: "FLOTILLA_HTTP_BAD_BODY", message: "The body's framing is wrong." },
  headTimeout: {
    status: 408,
    code: "FLOTILLA_HTTP_HEAD_TIMEOUT",
    message: "The request's head did not arrive in time.",
  },
} as const;
