/**
 * Why we and a lenient parser may differ about the same bytes: each class with its section of the RFCs, and a look at the
 * bytes that shows, by other means than the parser's, that it applies. A difference without a class is a bug.
 */
import { METHODS } from "node:http";
import { isIPv6 } from "node:net";
import { limits } from "./our-reader.ts";

export interface Explanation {
  readonly rfc: string;
  readonly why: string;
  /** @param rest from the first byte of the request (of its body, for BAD_BODY) to the end of what was sent. */
  readonly applies: (rest: string) => boolean;
}

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]";
const pattern = (source: string, flags = "s"): ((rest: string) => boolean) => {
  const expression = new RegExp(source, flags);
  return (rest) => expression.test(startOf(rest));
};

/** The head as a lenient reader would end it, without an empty line in front. */
export function startOf(rest: string): string {
  const text = rest.replace(/^\r\n/, "");
  const end = /\r?\n\r?\n/.exec(text);
  return end === null ? text : text.slice(0, end.index + end[0].length);
}

/** [line with its number above 0, ...]: the field lines; the last one may be cut off. */
export function fieldLines(rest: string): string[] {
  return startOf(rest)
    .split(/\r\n|\n|\r/)
    .slice(1)
    .filter((line) => line !== "");
}

export function valuesOf(rest: string, name: string): string[] {
  const wanted = new RegExp(`^${name}:[ \t]*(.*?)[ \t]*$`, "is");
  return fieldLines(rest).flatMap((line) => wanted.exec(line)?.slice(1) ?? []);
}

function targetOf(rest: string): string {
  return /^\S* ([^ \r\n]*)/.exec(startOf(rest))?.[1] ?? "";
}

/** Path of the target, whatever its form. */
function pathOf(rest: string): string {
  return targetOf(rest)
    .replace(/^https?:\/\/[^/?]*/i, "")
    .replace(/\?.*$/s, "");
}

function isHost(value: string): boolean {
  const found = /^(\[[^\]]*\]|[\w.-]+)(?::(\d{1,5}))?$/.exec(value);
  if (found === null) return false;
  const [, name = "", port] = found;
  if (port !== undefined && !(Number(port) > 0 && Number(port) < 65_536)) return false;
  if (name.startsWith("[")) return !name.includes("%") && isIPv6(name.slice(1, -1));
  return !/^\.|\.\.|^\.?$/.test(name);
}

/** An independent reading of a chunked body. */
export function chunksBreak(body: string): boolean {
  let rest = body;
  for (;;) {
    const size = /^([0-9a-f]{1,16})(;[^\0-\x08\x0a-\x1f\x7f]{0,255})?\r\n/i.exec(rest);
    if (Number.parseInt(/^[0-9a-f]*/i.exec(rest)![0], 16) > Number.MAX_SAFE_INTEGER) return true;
    if (size === null)
      return !/^([0-9a-f]{0,16}|[0-9a-f]{1,16}(;[^\0-\x08\x0a-\x1f\x7f]{0,255})?\r?)$/i.test(rest);
    const length = Number.parseInt(size[1]!, 16);
    rest = rest.slice(size[0].length);
    if (length === 0) return trailerBreaks(rest);
    if (rest.length <= length) return false;
    const end = rest.slice(length, length + 2);
    if (end !== "\r\n") return end !== "\r";
    rest = rest.slice(length + 2);
  }
}

function trailerBreaks(rest: string): boolean {
  const lines = new RegExp(`^(${token}+:[^\\0-\\x08\\x0a-\\x1f\\x7f]*\\r\\n)*`).exec(rest)![0];
  const left = rest.slice(lines.length);
  return !left.startsWith("\r\n") && left !== "" && left !== "\r";
}

const RFC9112 = "RFC 9112 ";

/** By our code, without "FLOTILLA_HTTP_". */
export const stricter: Readonly<Record<string, Explanation>> = {
  EMPTY_LINES: {
    rfc: `${RFC9112}2.2`,
    why: "one empty line is for old clients, more are noise",
    applies: (rest) => rest.startsWith("\r\n\r"),
  },
  TLS_ON_PLAIN_PORT: { rfc: `${RFC9112}3`, why: "a TLS record is no method", applies: pattern("^\\x16") },
  HTTP2_ON_PLAIN_PORT: {
    rfc: "RFC 9113 3.4",
    why: "HTTP/2's preface is no request",
    applies: pattern("^PRI "),
  },
  BAD_METHOD: {
    rfc: `${RFC9112}3.1`,
    why: "one token, one space",
    applies: (rest) => !new RegExp(`^${token}+ `).test(startOf(rest)),
  },
  METHOD_UNKNOWN: {
    rfc: "RFC 9110 9.1, 16.1",
    why: "registered methods are upper-case letters and hyphens",
    applies: pattern(`^(${token}{0,22}(?![A-Z-])${token}|${token}{24})`),
  },
  METHOD_REFUSED: {
    rfc: "RFC 9110 9.3.6, 9.3.8",
    why: "no tunnels, no echo of cookies",
    applies: pattern("^(CONNECT|TRACE) "),
  },
  BAD_TARGET: {
    rfc: `${RFC9112}3.2`,
    why: "origin form, absolute form of http and https, or * with OPTIONS",
    applies: (rest) => {
      const target = targetOf(rest);
      if (target === "*") return !startOf(rest).startsWith("OPTIONS ");
      return !target.startsWith("/") && !/^https?:\/\/[^/?@]+([/?]|$)/i.test(target);
    },
  },
  BAD_TARGET_BYTE: {
    rfc: `${RFC9112}3.2, RFC 3986 2`,
    why: "to be percent-encoded",
    applies: (rest) =>
      /[^!-~]|#/.test(/^\S* (.*?)( HTTP|[ \r\n]|$)/s.exec(startOf(rest))?.[1] ?? "") ||
      targetOf(rest).replace(/\?.*/s, "").includes("\\") ||
      /^\S* [^ \r\n]*[^!-~ ]/s.test(startOf(rest)),
  },
  BAD_PERCENT: {
    rfc: "RFC 3986 2.1",
    why: "decoders differ",
    applies: (rest) => /%(?![0-9a-f]{2})/i.test(pathOf(rest)),
  },
  NUL_IN_PATH: {
    rfc: "RFC 3986 7.3",
    why: "ends a name for programs in C",
    applies: (rest) => pathOf(rest).includes("%00"),
  },
  PATH_ABOVE_ROOT: {
    rfc: "RFC 3986 5.2.4",
    why: "no honest client sends it",
    applies: (rest) => {
      let depth = 0;
      for (const segment of pathOf(rest).replaceAll(/%2e/gi, ".").split("/")) {
        if (segment !== "" && segment !== ".") depth += segment === ".." ? -1 : 1;
        if (depth < 0) return true;
      }
      return false;
    },
  },
  HIDDEN_DOT_SEGMENT: {
    rfc: "RFC 3986 3.3, 6.2.2",
    why: "others see another path",
    applies: (rest) => /(\/|%2f|%5c)(\.|%2e){1,2}(%2f|%5c|;|%3b|\/|$)/i.test(pathOf(rest)),
  },
  TARGET_TOO_LONG: {
    rfc: `${RFC9112}3`,
    why: "a limit",
    applies: (rest) => targetOf(rest).replaceAll(/["<>[\]^`{|}]/g, "%xx").length > limits.targetBytesMax,
  },
  NO_VERSION: {
    rfc: `${RFC9112}2.3`,
    why: "HTTP/0.9 has no status",
    applies: pattern("^\\S+ \\S+ ?[\\r\\n]"),
  },
  BAD_VERSION: {
    rfc: `${RFC9112}2.3`,
    why: "HTTP/1.1 or HTTP/1.0, and nothing behind",
    applies: (rest) => !/^\S+ \S+ HTTP\/1\.[01](\r|\n|$)/.test(startOf(rest)),
  },
  VERSION_UNKNOWN: {
    rfc: `${RFC9112}2.3, RFC 9110 6.2`,
    why: "there is no such minor version",
    applies: pattern("^\\S+ \\S+ HTTP/([02-9]|1\\.[2-9])"),
  },
  BARE_LF: {
    rfc: `${RFC9112}2.2`,
    why: "the next reader may see one line where we see two",
    applies: pattern("(^|[^\\r])\\n"),
  },
  BARE_CR: { rfc: `${RFC9112}2.2`, why: "the same", applies: pattern("\\r([^\\n]|$)") },
  FOLDED_FIELD: { rfc: `${RFC9112}5.2`, why: "the same", applies: pattern("[\\r\\n][ \\t]") },
  BAD_FIELD_NAME: {
    rfc: `${RFC9112}5.1, RFC 9110 5.1`,
    why: "a token and a colon right behind it",
    applies: (rest) => fieldLines(rest).some((line) => !new RegExp(`^${token}+:`).test(line)),
  },
  BAD_FIELD_VALUE: {
    rfc: "RFC 9110 5.5",
    why: "control bytes",
    applies: pattern("[\\r\\n][^\\r\\n]*[\\0-\\x08\\x0b-\\x1f\\x7f]"),
  },
  TOO_MANY_FIELDS: {
    rfc: "RFC 9110 5.4",
    why: "a limit",
    applies: (rest) => fieldLines(rest).length > limits.fieldsMax,
  },
  HEAD_TOO_LARGE: {
    rfc: "RFC 9110 5.4",
    why: "a limit",
    applies: (rest) => rest.length >= limits.headBytesMax,
  },
  NO_HOST: {
    rfc: `${RFC9112}3.2`,
    why: "must be 400",
    applies: (rest) => valuesOf(rest, "host").length === 0,
  },
  TWO_HOSTS: {
    rfc: `${RFC9112}3.2`,
    why: "must be 400",
    applies: (rest) => valuesOf(rest, "host").length > 1,
  },
  BAD_HOST: {
    rfc: `${RFC9112}3.2, RFC 9110 7.2`,
    why: "must be 400",
    applies: (rest) => valuesOf(rest, "host").some((value) => !isHost(value)),
  },
  HOST_MISMATCH: {
    rfc: `${RFC9112}3.2.2`,
    why: "two readers, two hosts",
    applies: (rest) => {
      const authority = /^https?:\/\/([^/?]*)/i.exec(targetOf(rest))?.[1];
      return authority !== undefined && authority.toLowerCase() !== valuesOf(rest, "host")[0]?.toLowerCase();
    },
  },
  BAD_LENGTH: {
    rfc: `${RFC9112}6.3, RFC 9110 8.6`,
    why: "one decimal number that a double holds",
    applies: (rest) =>
      valuesOf(rest, "content-length").some(
        (value) => !/^\d{1,16}$/.test(value) || !Number.isSafeInteger(Number(value)),
      ),
  },
  TWO_LENGTHS: {
    rfc: `${RFC9112}6.3`,
    why: "which one would the next reader take?",
    applies: (rest) => valuesOf(rest, "content-length").length > 1,
  },
  LENGTH_AND_CODING: {
    rfc: `${RFC9112}6.3`,
    why: "request smuggling",
    applies: (rest) =>
      valuesOf(rest, "content-length").length > 0 && valuesOf(rest, "transfer-encoding").length > 0,
  },
  BAD_TRANSFER_CODING: {
    rfc: `${RFC9112}6.1, 6.3`,
    why: "the end of the body would be a guess",
    applies: (rest) => valuesOf(rest, "transfer-encoding").join() !== "chunked",
  },
  TRANSFER_CODING_UNKNOWN: {
    rfc: `${RFC9112}6.1`,
    why: "nobody behind would undo it",
    applies: (rest) => /,\s*chunked$/i.test(valuesOf(rest, "transfer-encoding").join()),
  },
  CODING_ON_HTTP10: {
    rfc: `${RFC9112}6.1`,
    why: "an HTTP/1.0 reader would not see the chunks",
    applies: (rest) =>
      /^\S+ \S+ HTTP\/1\.0/.test(startOf(rest)) && valuesOf(rest, "transfer-encoding").length > 0,
  },
  BAD_CONNECTION: {
    rfc: "RFC 9110 7.6.1",
    why: "a list of tokens",
    applies: (rest) =>
      valuesOf(rest, "connection").some(
        (value) => !new RegExp(`^[ \t,]*(${token}+[ \t]*(,[ \t,]*|$))*$`).test(value),
      ),
  },
  CONNECTION_NAMES_FRAMING: {
    rfc: "RFC 9110 7.6.1",
    why: "whoever obeys loses the framing",
    applies: (rest) =>
      valuesOf(rest, "connection").some((value) =>
        /(^|[, \t])(host|content-length|transfer-encoding)([, \t]|$)/i.test(value),
      ),
  },
  EXPECTATION: {
    rfc: "RFC 9110 10.1.1",
    why: "none but 100-continue, once",
    applies: (rest) => valuesOf(rest, "expect").join().toLowerCase() !== "100-continue",
  },
  BAD_BODY: { rfc: `${RFC9112}7.1`, why: "chunks in their plain form only", applies: chunksBreak },
};

/** We accept, the lenient parser does not: by its code. */
export const milder: Readonly<Record<string, Explanation>> = {
  HPE_INVALID_METHOD: {
    rfc: "RFC 9110 9.1",
    why: "llhttp knows methods by a list; a server behind may know more",
    applies: (rest) => !METHODS.includes(/^\S*/.exec(startOf(rest))![0]),
  },
  HPE_INVALID_CONTENT_LENGTH: {
    rfc: "RFC 9110 6.5.1",
    why: "llhttp reads a Content-Length behind the last chunk as one; we drop it unread",
    applies: (rest) => /\r\n0+(;[^\r\n]*)?\r\n(.*\r\n)*content-length:/i.test(rest),
  },
  HPE_STRICT: {
    rfc: `${RFC9112}7.1.1`,
    why: "extensions are to be ignored, and are: nothing of them goes on",
    applies: (rest) =>
      (rest.match(/(?<=^|\n)[0-9a-f]+;[^\r\n]*\r\n/gi) ?? []).some((line) => !extension.test(line)),
  },
};

const extension = new RegExp(`^[0-9a-f]+(;${token}+(=(${token}+|"([^"\\\\\x80-\xff]|\\\\.)*"))?)*\r\n$`, "i");

/** Both accept, and they take a body for another because they read a field wrongly. */
export const misread: Readonly<
  Record<string, { readonly rfc: string; readonly why: string; readonly applies: (head: string) => boolean }>
> = {
  "tab behind chunked": {
    rfc: "RFC 9110 5.6.3",
    why: "llhttp does not take a tab behind the coding for a blank; we write the coding anew",
    applies: tabBehindChunked,
  },
};

export function tabBehindChunked(head: string): boolean {
  return /\ntransfer-encoding:[ \t]*chunked *\t[ \t]*\r\n/i.test(head);
}

/** A field that stands in the request and does not go on, by the name of its class. */
export const dropped: Readonly<
  Record<
    string,
    { readonly rfc: string; readonly applies: (name: string, all: readonly string[]) => boolean }
  >
> = {
  "hop-by-hop": {
    rfc: "RFC 9110 7.6.1",
    applies: (name) =>
      /^(connection|keep-alive|proxy-connection|te|trailer|upgrade|http2-settings)$/.test(name),
  },
  "named by Connection": {
    rfc: "RFC 9110 7.6.1",
    applies: (name, all) =>
      !/^(cookie|user-agent|referer|date|range|content-type|accept)$/.test(name) &&
      listed(all, "connection").includes(name),
  },
  framing: {
    rfc: "RFC 9112 6",
    applies: (name) => name === "content-length" || name === "transfer-encoding",
  },
  "answered here": { rfc: "RFC 9110 10.1.1", applies: (name) => name === "expect" },
  "written anew": {
    rfc: "RFC 7239 8.1, RFC 9110 7.6.3",
    applies: (name) => /^(via|forwarded|x-real-ip|x-request-id|x-forwarded-.+)$/.test(name),
  },
  underscore: { rfc: "RFC 3875 4.1.18", applies: (name) => name.includes("_") },
  httpoxy: { rfc: "RFC 3875 4.1.18", applies: (name) => name === "proxy" },
};

function listed(pairs: readonly string[], name: string): string[] {
  const found: string[] = [];
  for (let at = 0; at + 1 < pairs.length; at += 2)
    if (pairs[at]!.toLowerCase() === name)
      found.push(
        ...pairs[at + 1]!.toLowerCase()
          .split(",")
          .map((part) => part.trim()),
      );
  return found;
}

/** Trailers that are dropped: RFC 9110 6.5.1. */
export function trailerGoesOn(name: string): boolean {
  return !/_|^(content-(length|encoding|type|range|location|disposition)$|transfer-encoding$|host$|authorization$|cookie$|set-cookie$|trailer$|te$|connection$|x-forwarded-)/.test(
    name,
  );
}
