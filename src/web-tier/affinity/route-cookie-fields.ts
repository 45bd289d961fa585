/**
 * What the cookie of `affinity: cookie` does to heads: the application does not see it, and no cache between us and the browsers keeps an
 * answer that carries it (as `cookie ... insert indirect nocache` of HAProxy).
 */
import type { AnswerHead } from "../client.ts";

/** Without an argument: `private="set-cookie"` forbids a cache that one field only. */
const isNotShared = /^cache-control:(?:[^\r]*,)?[ \t]*(?:private|no-store)[ \t]*(?:,|\r)/im;
/** Fields that a CDN obeys instead of Cache-Control (RFC 9213). */
const isForCdn = /^(?:[a-z-]*cdn-cache-control|surrogate-control):/im;

const semicolon = 59;

/** @param line "Set-Cookie: ... CR LF", or "" for the answer as it is. */
export function withRouteCookie(head: AnswerHead, line: string): AnswerHead {
  if (line === "" || isForCdn.test(head.fields)) return head;
  const { status, reason, contentLength, hasDate } = head;
  const caching = status === 101 || isNotShared.test(head.fields) ? "" : "Cache-Control: private\r\n";
  return { status, reason, fields: head.fields + caching + line, contentLength, hasDate };
}

/**
 * @param fields of a request, "name LF value LF name LF value". @param pair "name=value" of the cookie, which is in a Cookie field.
 * @returns the fields without it, and without that field when it had nothing else.
 */
export function withoutRouteCookie(fields: string, pair: string): string {
  let valueEnd = 0;
  // One look per field: another one can have the pair hundreds of times.
  for (let at = fields.indexOf(pair); at !== -1; at = fields.indexOf(pair, valueEnd)) {
    const valueStart = fields.lastIndexOf("\n", at) + 1;
    const nameStart = fields.lastIndexOf("\n", valueStart - 2) + 1;
    const lineEnd = fields.indexOf("\n", at);
    valueEnd = lineEnd === -1 ? fields.length : lineEnd;
    if (fields.slice(nameStart, valueStart - 1).toLowerCase() !== "cookie") continue;
    const end = at + pair.length;
    // As browsers send it: behind another cookie.
    const isLast = end === valueEnd || fields.charCodeAt(end) === semicolon;
    if (isLast && at - 2 > valueStart && fields.startsWith("; ", at - 2))
      return fields.slice(0, at - 2) + fields.slice(end);
    const kept = fields
      .slice(valueStart, valueEnd)
      .split(";")
      .filter((cookie) => cookie.trim() !== pair)
      .join(";")
      .trim();
    if (kept !== "") return fields.slice(0, valueStart) + kept + fields.slice(valueEnd);
    return nameStart === 0
      ? fields.slice(valueEnd + 1)
      : fields.slice(0, nameStart - 1) + fields.slice(valueEnd);
  }
  return fields;
}
