/**
 * Reading one cookie out of a request's Cookie field (RFC 6265, section 4.2) without building a table of all.
 * Values are taken as they are: no percent-decoding and no unquoting, because our ids need neither.
 */

const tab = 9;
const space = 32;
const semicolon = 59;
const equals = 61;

/**
 * Where the value of the next cookie of that name begins, or -1.
 * @param from where to look on; for further cookies of the same name, the place found before.
 */
export function findCookie(header: string, name: string, from: number = 0): number {
  let at = header.indexOf(name, from);
  while (at !== -1) {
    const end = at + name.length;
    if (header.charCodeAt(end) === equals && beginsPair(header, at)) return end + 1;
    at = header.indexOf(name, end);
  }
  return -1;
}

/** The value that begins there, without the white space around it. */
export function cookieValueAt(header: string, start: number): string {
  let end = header.indexOf(";", start);
  if (end === -1) end = header.length;
  let first = start;
  while (first < end && isBlank(header.charCodeAt(first))) first++;
  while (end > first && isBlank(header.charCodeAt(end - 1))) end--;
  return header.slice(first, end);
}

/**
 * The value of the first cookie of that name, or "". A browser sends several of one name when they differ in
 * path or domain; `SessionIds.fromCookie` looks through them for one that was made here.
 */
export function readCookie(header: string, name: string): string {
  const start = findCookie(header, name);
  return start === -1 ? "" : cookieValueAt(header, start);
}

/** Only white space between here and the `;` before, or the field's beginning. */
function beginsPair(header: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isBlank(header.charCodeAt(before))) before--;
  return before < 0 || header.charCodeAt(before) === semicolon;
}

function isBlank(code: number): boolean {
  return code === space || code === tab;
}

/** RFC 6265, section 4.1.1: a token. */
export function isCookieName(name: unknown): boolean {
  return typeof name === "string" && /^[\w!#$%&'*+.^`|~-]+$/.test(name);
}
