/** One stream of bytes, read by us and by a lenient parser: every difference must have its class. */
import { type LenientMessage, readLeniently } from "../harness/lenient-reader.ts";
import { dropped, milder, misread, stricter, trailerGoesOn } from "./explained.ts";
import { type OurRequest, type Reading, readRequests } from "./our-reader.ts";

/** @returns names of the classes that were met. @throws Error with the bytes, when a difference has no class. */
export function compareRequests(text: string, ours: Reading = readRequests(text)): string[] {
  const classes: string[] = [];
  const theirs = readLeniently("request", text);
  const fail = (what: string): never => {
    throw new Error(
      `${what} in ${JSON.stringify(text)}: we ${JSON.stringify(ours)}, they ${theirs.error} ${JSON.stringify(theirs.messages)}`,
    );
  };
  for (const [at, request] of ours.requests.entries()) {
    const other = theirs.messages[at];
    if (other === undefined || (request.whole && !other.whole)) {
      const explanation = milder[theirs.error];
      if (explanation === undefined || !explanation.applies(text.slice(request.from)))
        fail("accepted by us only");
      classes.push(theirs.error);
      return classes;
    }
    const head = text.slice(request.from, request.bodyFrom);
    const wrong = Object.keys(misread).find((key) => misread[key]!.applies(head));
    if (wrong !== undefined) {
      classes.push(wrong);
      return classes;
    }
    const difference = differenceOf(request, other, classes);
    if (difference !== "") fail(`request ${at + 1}: ${difference}`);
    if (!request.whole && other.whole && ours.end === "more") fail("whole for them only");
  }
  if (ours.end === "closed") return classes;
  if (ours.end === "more") {
    const next = theirs.messages[ours.requests.length];
    if (next?.whole) fail("another request for them only");
    return classes;
  }
  const explanation = stricter[ours.end];
  const last = ours.requests.at(-1);
  const from = ours.end === "BAD_BODY" ? last!.bodyFrom : ours.at;
  if (explanation === undefined || !explanation.applies(text.slice(from))) fail("refused without a cause");
  classes.push(ours.end);
  return classes;
}

/** What is not the same and not explained, or "". */
function differenceOf(request: OurRequest, other: LenientMessage, classes: string[]): string {
  if (request.method !== other.method) return "method";
  if (request.versionMinor !== other.versionMinor) return "version";
  const target = canonical(request.method, other.target);
  if (request.target !== target) return `target ${target}`;
  if (target !== other.target) classes.push("canonical target");
  const wanted: string[] = [];
  for (let at = 0; at + 1 < other.fields.length; at += 2) {
    const name = other.fields[at]!;
    const why = Object.keys(dropped).find((key) => dropped[key]!.applies(name.toLowerCase(), other.fields));
    if (why === undefined) wanted.push(name, other.fields[at + 1]!.replace(/[ \t]+$/, ""));
    else classes.push(why);
  }
  if (wanted.join("\n") !== request.fields.join("\n")) return `fields ${JSON.stringify(wanted)}`;
  if (
    request.whole
      ? request.body !== other.body
      : !other.body.startsWith(request.body) && !request.body.startsWith(other.body)
  )
    return "body";
  if (!request.whole) return "";
  const trailer: string[] = [];
  for (let at = 0; at + 1 < other.trailer.length; at += 2) {
    if (trailerGoesOn(other.trailer[at]!.toLowerCase()))
      trailer.push(other.trailer[at]!, other.trailer[at + 1]!.replace(/[ \t]+$/, ""));
    else classes.push("dropped trailer");
  }
  return trailer.join("\n") === request.trailer.join("\n") ? "" : `trailer ${JSON.stringify(trailer)}`;
}

const unescaped = /^[A-Za-z0-9\-._~]$/;

/** The canonical form, written down a second time in other words (docs/http-strictness.md). */
function canonical(method: string, target: string): string {
  const origin = target.replace(/^https?:\/\/[^/?]*/i, "");
  if (origin === "") return method === "OPTIONS" ? "*" : "/";
  if (origin === "*") return "*";
  const [, path = "", query = ""] = /^([^?]*)(\?.*)?$/s.exec(origin)!;
  const escaped = (path || "/")
    .replaceAll(/["<>[\]^`{|}]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll(/%[0-9a-f]{2}/gi, (code) => {
      const char = String.fromCharCode(Number.parseInt(code.slice(1), 16));
      return unescaped.test(char) ? char : code.toUpperCase();
    });
  return dotless(escaped.replaceAll(/\/{2,}/g, "/")) + query;
}

/** RFC 3986 5.2.4, by repeated replacement. */
function dotless(path: string): string {
  let text = path;
  while (/\/\.(\/|$)/.test(text)) text = text.replace(/\/\.(\/|$)/, "/");
  while (/\/\.\.(\/|$)/.test(text)) text = text.replace(/\/[^/]+\/\.\.(\/|$)/, "/");
  return text;
}
