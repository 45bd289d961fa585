/**
 * What a request asks of a representation besides its name: preconditions and ranges (RFC 9110, sections 13 and 14), in
 * the order that section 13.2.2 lays down.
 */

/** The fields that matter here; "" when absent. */
export interface FileFields {
  ifMatch: string;
  ifUnmodifiedSince: string;
  ifNoneMatch: string;
  ifModifiedSince: string;
  ifRange: string;
  range: string;
  acceptEncoding: string;
}

export interface Representation {
  /** A strong entity tag, with its quotes. */
  readonly etag: string;
  /** Seconds since 1970. */
  readonly modifiedAt: number;
  readonly size: number;
}

export interface Verdict {
  readonly status: 200 | 206 | 304 | 412 | 416;
  /** The bytes to send, the last one not included; of 206 and 200. */
  readonly from: number;
  readonly to: number;
}

/** @param fields "name LF value LF name LF value". */
export function fileFieldsOf(fields: string): FileFields {
  const found: FileFields = {
    ifMatch: "",
    ifUnmodifiedSince: "",
    ifNoneMatch: "",
    ifModifiedSince: "",
    ifRange: "",
    range: "",
    acceptEncoding: "",
  };
  for (let at = 0; at < fields.length; ) {
    const nameEnd = fields.indexOf("\n", at);
    let valueEnd = fields.indexOf("\n", nameEnd + 1);
    if (valueEnd < 0) valueEnd = fields.length;
    const key = keyOf(fields, at, nameEnd);
    if (key !== null) {
      const value = fields.slice(nameEnd + 1, valueEnd);
      found[key] = found[key] === "" ? value : `${found[key]}, ${value}`;
    }
    at = valueEnd + 1;
  }
  return found;
}

/** Most fields of a request have another length than any of these. */
function keyOf(fields: string, from: number, to: number): keyof FileFields | null {
  switch (to - from) {
    case 5:
      return isName(fields, from, to, "range") ? "range" : null;
    case 8:
      if (isName(fields, from, to, "if-match")) return "ifMatch";
      return isName(fields, from, to, "if-range") ? "ifRange" : null;
    case 13:
      return isName(fields, from, to, "if-none-match") ? "ifNoneMatch" : null;
    case 15:
      return isName(fields, from, to, "accept-encoding") ? "acceptEncoding" : null;
    case 17:
      return isName(fields, from, to, "if-modified-since") ? "ifModifiedSince" : null;
    case 19:
      return isName(fields, from, to, "if-unmodified-since") ? "ifUnmodifiedSince" : null;
    default:
      return null;
  }
}

function isName(fields: string, from: number, to: number, name: string): boolean {
  return fields.slice(from, to).toLowerCase() === name;
}

export function verdictOn(fields: FileFields, file: Representation, isGet: boolean): Verdict {
  const whole = { status: 200, from: 0, to: file.size } as const;
  if (fields.ifMatch !== "") {
    if (!matches(fields.ifMatch, file.etag, false)) return { ...whole, status: 412 };
  } else if (fields.ifUnmodifiedSince !== "") {
    const since = secondsOf(fields.ifUnmodifiedSince);
    if (since !== null && file.modifiedAt > since) return { ...whole, status: 412 };
  }
  if (fields.ifNoneMatch !== "") {
    if (matches(fields.ifNoneMatch, file.etag, true)) return { ...whole, status: 304 };
  } else if (fields.ifModifiedSince !== "") {
    const since = secondsOf(fields.ifModifiedSince);
    if (since !== null && file.modifiedAt <= since) return { ...whole, status: 304 };
  }
  // A range means something for GET alone (14.2).
  if (fields.range === "" || !isGet || !mayTakeRange(fields.ifRange, file)) return whole;
  return rangeOf(fields.range, file.size) ?? whole;
}

/** @param weak weak comparison: W/"x" is "x" (8.8.3.2). */
function matches(list: string, etag: string, weak: boolean): boolean {
  if (list === "*") return true;
  return list.split(",").some((item) => {
    const tag = item.trim();
    return tag === etag || (weak && tag === `W/${etag}`);
  });
}

/** 13.1.5: a strong tag that is the same, or exactly the date. */
function mayTakeRange(ifRange: string, { etag, modifiedAt }: Representation): boolean {
  if (ifRange === "") return true;
  return ifRange.endsWith('"') ? ifRange === etag : secondsOf(ifRange) === modifiedAt;
}

/**
 * One range is sent. Several may be answered with the whole, and are (14.2).
 * @returns null when the field does not count: it asks for several, or is not understood.
 */
function rangeOf(range: string, size: number): Verdict | null {
  const refused: Verdict = { status: 416, from: 0, to: 0 };
  if (!/^bytes=/i.test(range)) return null;
  const match = /^\s*(\d*)-(\d*)\s*$/.exec(range.slice("bytes=".length));
  const [first, last] = [match?.[1] ?? "", match?.[2] ?? ""];
  if (first === "" && last === "") return null;
  if (first === "") {
    // The last so many bytes.
    const from = Math.max(0, size - Number(last));
    return from < size ? { status: 206, from, to: size } : refused;
  }
  const from = Number(first);
  const to = last === "" ? size : Math.min(size, Number(last) + 1);
  if (last !== "" && from > Number(last)) return null;
  return from < size ? { status: 206, from, to } : refused;
}

/** An HTTP date in seconds, or null. The form of today is read; the two forms of old are none. */
function secondsOf(text: string): number | null {
  const form = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
  const ms = form.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? null : ms / 1_000;
}
