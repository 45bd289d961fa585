/**
 * One canonical form for a request target, so that rules, cache keys, files and the app all see the same path
 * (RFC 3986 section 6.2.2, and beyond it): percent-encoded unreserved characters are decoded, other escapes written
 * in upper case, visible characters that RFC 3986 does not allow in a path are escaped, slashes in a row are one,
 * dot segments are gone. %2F and %5C stay as they are: they are data, not separators; only beside dot segments, where
 * the next reader's opinion would decide about the way, they are refused. A query is not touched.
 *
 * This is the slow path: request-head.ts calls it only for a target that may need it.
 */
import { ByteClass, byteClasses } from "./fields.ts";
import { type HeadError, refusals } from "./refusals.ts";

const PERCENT = 0x25;
const SLASH = 0x2f;
const DOT = 0x2e;

/** @returns the canonical form of a path that begins with "/" (no query), or why it has none. */
export function canonicalPath(path: string): string | HeadError {
  const normal = normalEscapes(path);
  return typeof normal === "string" ? withoutDotSegments(normal) : normal;
}

export interface AbsoluteTarget {
  /** As it came. */
  readonly authority: string;
  /** Path and query, beginning with "/"; "*" for OPTIONS of a URL without path and query. */
  readonly target: string;
}

/**
 * Takes a target in absolute form apart (RFC 9112 section 3.2.2). Only http and https name something that is
 * served here; user information is refused.
 */
export function absoluteTarget(raw: string, method: string): AbsoluteTarget | null {
  const schemeEnd = raw.indexOf("://");
  const scheme = schemeEnd < 0 ? "" : raw.slice(0, schemeEnd).toLowerCase();
  if (scheme !== "http" && scheme !== "https") return null;
  const from = schemeEnd + 3;
  let to = from;
  while (to < raw.length && raw[to] !== "/" && raw[to] !== "?") to++;
  const authority = raw.slice(from, to);
  if (authority === "" || authority.includes("@")) return null;
  const rest = raw.slice(to);
  if (rest === "") return { authority, target: method === "OPTIONS" ? "*" : "/" };
  return { authority, target: rest.charCodeAt(0) === SLASH ? rest : `/${rest}` };
}

function normalEscapes(path: string): string | HeadError {
  let normal = "";
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (code === PERCENT) {
      const value = hexValue(path.charCodeAt(at + 1)) * 16 + hexValue(path.charCodeAt(at + 2));
      // NaN when a digit is missing or is none.
      if (!(value >= 0)) return refusals.badPercent;
      if (value === 0) return refusals.nulInPath;
      normal += isUnreserved(value) ? String.fromCharCode(value) : escapeOf(value);
      at += 2;
    } else if (code === SLASH || code === DOT || hasClass(code, ByteClass.path)) normal += path[at];
    else if (hasClass(code, ByteClass.encode)) normal += escapeOf(code);
    else return refusals.badTargetByte;
  }
  return normal;
}

function withoutDotSegments(path: string): string | HeadError {
  const kept: string[] = [];
  const segments = path.split("/");
  for (const segment of segments) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") kept.push(segment);
    else if (kept.pop() === undefined) return refusals.pathAboveRoot;
  }
  const last = segments[segments.length - 1];
  const isFolder = kept.length > 0 && (last === "" || last === "." || last === "..");
  const canonical = `/${kept.join("/")}${isFolder ? "/" : ""}`;
  return hiddenDotSegment.test(canonical) ? refusals.hiddenDotSegment : canonical;
}

/**
 * In a path without plain dot segments: what still is one for programs that decode %2F and %5C before they resolve
 * dot segments, or that drop ";parameters" before. Such a path could mean another one to the app than to our rules.
 */
const hiddenDotSegment = /(?:\/|%2F|%5C)\.\.?(?=\/|%2F|%5C|;|%3B|$)/;

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : Number.NaN;
}

function isUnreserved(code: number): boolean {
  const letter = code | 0x20;
  return (
    (letter >= 0x61 && letter <= 0x7a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x2d ||
    code === DOT ||
    code === 0x5f ||
    code === 0x7e
  );
}

function escapeOf(code: number): string {
  return `%${code < 16 ? "0" : ""}${code.toString(16).toUpperCase()}`;
}

function hasClass(code: number, mask: number): boolean {
  return code < 128 && (byteClasses[code]! & mask) !== 0;
}
