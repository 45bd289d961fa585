/** Requests that look odd and are legal (RFC 9110, RFC 9112, RFC 3986), and what must arrive of them. */

export interface Legal {
  /** The whole request, without "Connection: close" where `close` is false. */
  readonly bytes: string;
  /** What must have arrived. */
  readonly target?: string;
  readonly method?: string;
  readonly fields?: readonly string[];
  readonly body?: string;
  readonly trailer?: readonly string[];
}

const end = "Connection: close\r\n\r\n";
const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${end}`;
const withFields = (lines: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${lines}${end}`;
const chunked = (body: string): string =>
  `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${end}${body}`;

export const legalRequests: Readonly<Record<string, Legal>> = {
  "an empty value": { bytes: withFields("X:\r\nY: \r\nZ: \t \r\n"), fields: ["x: ", "y: ", "z: "] },
  "no space behind the colon, tabs around, blanks inside": {
    bytes: withFields("X:a\r\nY:\tb\t\r\nZ:  c \t d  \r\n"),
    fields: ["x: a", "y: b", "z: c \t d"],
  },
  "bytes over 0x7f in a value (obs-text)": {
    bytes: withFields("X: caf\xe9 \x80\xff\r\n"),
    fields: ["x: caf\xe9 \x80\xff"],
  },
  "every character of a token in a name": {
    bytes: withFields("!#$%&'*+-.^`|~09azAZ: x\r\n"),
    fields: ["!#$%&'*+-.^`|~09azaz: x"],
  },
  "every visible character in a value": {
    bytes: withFields(`X: ${visible()}\r\n`),
    fields: [`x: ${visible()}`],
  },
  "names of one letter, and in any case": {
    bytes: withFields("q: 1\r\naCCept: */*\r\n"),
    fields: ["q: 1", "accept: */*"],
  },
  "one name several times, in order": {
    bytes: withFields("Accept: a\r\nX: 1\r\nAccept: b\r\n"),
    fields: ["accept: a", "x: 1", "accept: b"],
  },
  "several Cookie lines": {
    bytes: withFields("Cookie: a=1\r\nCookie: b=2\r\n"),
    fields: ["cookie: a=1", "cookie: b=2"],
  },
  "names of JavaScript's own": {
    bytes: withFields("constructor: x\r\ntoString: y\r\n"),
    fields: ["constructor: x", "tostring: y"],
  },
  "an empty Connection, and list elements that are empty": {
    bytes: withFields("Connection:\r\nConnection: , ,\r\n"),
  },
  "100 fields": { bytes: `GET / HTTP/1.1\r\nHost: a\r\n${"X: y\r\n".repeat(98)}${end}` },
  "a head of nearly 16 KiB": {
    bytes: withFields(`X: ${"y".repeat(16_000)}\r\n`),
    fields: [`x: ${"y".repeat(16_000)}`],
  },
  "a target of 8 KiB": { bytes: get(`/${"x".repeat(8_191)}`), target: `/${"x".repeat(8_191)}` },
  "a query of 8 KiB": { bytes: get(`/?${"x".repeat(8_190)}`), target: `/?${"x".repeat(8_190)}` },
  "every character that a path may hold": {
    bytes: get("/azAZ09-._~!$&'()*+,;=:@/"),
    target: "/azAZ09-._~!$&'()*+,;=:@/",
  },
  "percent-encoded bytes": { bytes: get("/%C3%BC/%20%2F%ff%25"), target: "/%C3%BC/%20%2F%FF%25" },
  "an empty query, and one of question marks": { bytes: get("/a??b=?c/../"), target: "/a??b=?c/../" },
  "what browsers leave in a query": {
    bytes: get(`/?a[]=1&b={x|y}"<>^\`\\%`),
    target: `/?a[]=1&b={x|y}"<>^\`\\%`,
  },
  "names with dots that are no dot segments": {
    bytes: get("/.well-known/..a/b../..."),
    target: "/.well-known/..a/b../...",
  },
  "a path that looks like a URL": { bytes: get("/http://b/c"), target: "/http:/b/c" },
  "absolute form": { bytes: get("http://a/b?c"), target: "/b?c" },
  "absolute form without a path, scheme and host in capitals": { bytes: get("HTTP://A"), target: "/" },
  "absolute form with https": { bytes: get("https://a?b"), target: "/?b" },
  "OPTIONS *": { bytes: `OPTIONS * HTTP/1.1\r\nHost: a\r\n${end}`, method: "OPTIONS", target: "*" },
  "OPTIONS of a URL without a path": { bytes: `OPTIONS http://a HTTP/1.1\r\nHost: a\r\n${end}`, target: "*" },
  "HTTP/1.0": { bytes: "GET /old HTTP/1.0\r\nHost: a\r\n\r\n", target: "/old" },
  "HTTP/1.0 without Host": { bytes: "GET / HTTP/1.0\r\n\r\n" },
  "HTTP/1.0 with a body": { bytes: "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", body: "hi" },
  "an empty line in front": { bytes: `\r\n${get("/")}` },
  "Content-Length: 0 on GET": { bytes: withFields("Content-Length: 0\r\n"), body: "" },
  "a body on GET": { bytes: `${withFields("Content-Length: 2\r\n")}hi`, method: "GET", body: "hi" },
  "a body on DELETE": {
    bytes: `DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n${end}hi`,
    method: "DELETE",
    body: "hi",
  },
  "POST without a body": { bytes: `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n${end}`, body: "" },
  "POST without any framing": { bytes: `POST / HTTP/1.1\r\nHost: a\r\n${end}`, method: "POST", body: "" },
  "a length with zeros in front": {
    bytes: `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0002\r\n${end}hi`,
    body: "hi",
  },
  "Content-Length and chunked in any case": {
    bytes: `POST / HTTP/1.1\r\nhost: a\r\nTRANSFER-ENCODING: \t Chunked \t\r\n${end}2\r\nhi\r\n0\r\n\r\n`,
    body: "hi",
  },
  "chunk extensions": {
    bytes: chunked('2;a;b=c;d="e f; \\" g"\r\nhi\r\n0;last\r\n\r\n'),
    body: "hi",
  },
  "chunk sizes in any case, with zeros": {
    bytes: chunked(`00A\r\n0123456789\r\nb\r\n0123456789a\r\n0000\r\n\r\n`),
    body: "01234567890123456789a",
  },
  "a chunk that looks like the end": { bytes: chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), body: "0\r\n\r\n" },
  "trailers that are allowed": {
    bytes: chunked("2\r\nhi\r\n0\r\nDigest: x\r\nX-Sum:  1 \r\nServer-Timing:\r\n\r\n"),
    trailer: ["digest: x", "x-sum: 1", "server-timing: "],
  },
  "Expect: 100-continue": {
    bytes: `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n${end}hi`,
    body: "hi",
  },
  "Expect without a body": { bytes: withFields("Expect: 100-continue\r\n") },
  "Upgrade without Connection": { bytes: withFields("Upgrade: websocket\r\n") },
  "TE, Trailer, Keep-Alive": { bytes: withFields("TE: trailers\r\nTrailer: X\r\nKeep-Alive: timeout=5\r\n") },
};

function visible(): string {
  return Array.from({ length: 0x7f - 0x21 }, (_none, at) => String.fromCharCode(0x21 + at)).join("");
}
