/** What a route asks of a request, one test per key of the file; compiled once, when the file is loaded. */
import type { NamedText, Route } from "../config/model.ts";
import { compileRegex } from "../config/regex.ts";
import { route as limits } from "../support/limits.ts";
import { inNetworks, networksOf } from "./networks.ts";

/** What routes look at. `RequestHead` has it all. */
export interface RoutedHead {
  readonly method: string;
  /** Lower case, without port. */
  readonly host: string;
  /** Canonical, without query. */
  readonly path: string;
  /** The path with the query. */
  readonly target: string;
  /** "name LF value LF name LF value". */
  readonly fields: string;
}

export interface RouteTest {
  /** The key of the file. */
  readonly key: "host" | "path" | "pathRegex" | "method" | "header" | "query" | "from";
  /** What it asks for, in words for a person. */
  readonly wants: string;
  /** @param address the client's. */
  fits(head: RoutedHead, address: string): boolean;
}

/** All tests of a route, the cheap ones first. */
export function testsOf(route: Route): RouteTest[] {
  const tests: RouteTest[] = [];
  const { host, path, pathRegex, methods, fields, query, from } = route;
  if (host !== null) {
    const takesHost = hostMatcher(host);
    tests.push({ key: "host", wants: host, fits: (head) => takesHost(head.host) });
  }
  if (methods.length > 0) {
    const set = new Set(methods);
    tests.push({ key: "method", wants: methods.join(", "), fits: (head) => set.has(head.method) });
  }
  if (path !== null) {
    const takesPath = pathMatcher(path);
    tests.push({ key: "path", wants: path, fits: (head) => takesPath(head.path) });
  }
  if (pathRegex !== null && pathRegex !== "") {
    const regex = compileRegex(pathRegex);
    tests.push({ key: "pathRegex", wants: pathRegex, fits: (head) => regex.test(head.path) });
  }
  for (const wanted of query) {
    tests.push({
      key: "query",
      wants: wantedText(wanted),
      fits: (head) => hasParameter(head.target, wanted),
    });
  }
  for (const wanted of fields) {
    tests.push({ key: "header", wants: wantedText(wanted), fits: (head) => hasField(head.fields, wanted) });
  }
  if (from.length > 0) {
    const networks = networksOf(from);
    tests.push({
      key: "from",
      wants: from.join(", "),
      fits: (_head, address) => inNetworks(networks, address),
    });
  }
  return tests;
}

/** Values may be secrets, and are not shown. */
function wantedText({ name, value }: NamedText): string {
  return value === null ? `${name}, with any value` : `${name} with its value`;
}

/** "a.example" is that host alone; "*.example" any name below it. */
function hostMatcher(pattern: string): (host: string) => boolean {
  if (!pattern.startsWith("*.")) return (host) => host === pattern;
  const suffix = pattern.slice(1);
  return (host) => host.length > suffix.length && host.endsWith(suffix);
}

/**
 * "/foo/*" takes /foo and everything below it, "/foo" that path alone, "/foo/*.{png,gif}" names in that folder, and a
 * pattern that does not begin with "/" ("*.png") the last part of the path, wherever it is. The file allows one star
 * and one choice at most (config/scalars.ts), so that no path is slow to match (A48).
 */
function pathMatcher(pattern: string): (path: string) => boolean {
  if (pattern === "/*" || pattern === "*") return () => true;
  const folder = folderOf(pattern);
  if (folder !== null) {
    const below = `${folder}/`;
    return (path) => path === folder || path.startsWith(below);
  }
  const matchers = withoutChoice(pattern).map(starMatcher);
  const whole = pattern.startsWith("/");
  return (path) => {
    const text = whole ? path : path.slice(path.lastIndexOf("/") + 1);
    for (let at = 0; at < matchers.length; at++) if (matchers[at]!(text) !== null) return true;
    return false;
  };
}

/** "/foo" of "/foo/*", else null. */
export function folderOf(pattern: string): string | null {
  return pattern.startsWith("/") && pattern.endsWith("/*") ? pattern.slice(0, -2) : null;
}

/** "*.{png,gif}" is "*.png" and "*.gif". */
function withoutChoice(pattern: string): string[] {
  const from = pattern.indexOf("{");
  const to = pattern.indexOf("}");
  if (from < 0) return [pattern];
  const choices = pattern.slice(from + 1, to).split(",");
  return choices.map((choice) => pattern.slice(0, from) + choice + pattern.slice(to + 1));
}

/** "*" is any run of characters without "/". @returns what it stands for, "" without a star; null when the text does not fit. */
function starMatcher(pattern: string): (text: string) => string | null {
  const star = pattern.indexOf("*");
  if (star < 0) return (text) => (text === pattern ? "" : null);
  const before = pattern.slice(0, star);
  const behind = pattern.slice(star + 1);
  return (text) => {
    if (text.length < before.length + behind.length) return null;
    if (!text.startsWith(before) || !text.endsWith(behind)) return null;
    const star = text.slice(before.length, text.length - behind.length);
    return star.includes("/") ? null : star;
  };
}

/**
 * What `$1` to `$9` stand for: the groups of `pathRegex`, else what the star of `path` stands for. At 0 is "".
 * @returns null when the route has neither.
 */
export function groupFinder({ path, pathRegex }: Route): ((path: string) => readonly string[]) | null {
  if (pathRegex !== null) {
    const regex = compileRegex(pathRegex);
    return (text) => {
      const found = regex.exec(text);
      return found === null ? [] : found.map((group) => group ?? "");
    };
  }
  if (path?.includes("*") !== true) return null;
  if (path === "*" || path === "/*") return (text) => ["", text.slice(1)];
  const folder = folderOf(path);
  if (folder !== null) return (text) => ["", text.slice(folder.length + 1)];
  const matchers = withoutChoice(path).map(starMatcher);
  const whole = path.startsWith("/");
  return (text) => {
    const part = whole ? text : text.slice(text.lastIndexOf("/") + 1);
    for (const matcher of matchers) {
      const star = matcher(part);
      if (star !== null) return ["", star];
    }
    return [];
  };
}

/** The value of a field, lines of one name joined by ", "; null when there is none. @param name in lower case. */
export function fieldValue(fields: string, name: string): string | null {
  let value: string | null = null;
  for (let at = 0; at < fields.length; ) {
    const nameEnd = fields.indexOf("\n", at);
    let valueEnd = fields.indexOf("\n", nameEnd + 1);
    if (valueEnd < 0) valueEnd = fields.length;
    if (nameEnd - at === name.length && fields.slice(at, nameEnd).toLowerCase() === name) {
      const line = fields.slice(nameEnd + 1, valueEnd);
      value = value === null ? line : `${value}, ${line}`;
    }
    at = valueEnd + 1;
  }
  return value;
}

function hasField(fields: string, { name, value }: NamedText): boolean {
  const found = fieldValue(fields, name);
  return found !== null && (value === null || value === found);
}

function hasParameter(target: string, { name, value }: NamedText): boolean {
  const found = parameterValue(target, name);
  return found !== null && (value === null || value === found);
}

/** The value of the first parameter of this name, escapes undone; null when there is none. */
export function parameterValue(target: string, name: string): string | null {
  const question = target.indexOf("?");
  if (question < 0) return null;
  let at = question + 1;
  for (let count = 0; count < limits.queryParametersMax && at <= target.length; count++) {
    let end = target.indexOf("&", at);
    if (end < 0) end = target.length;
    let equals = target.indexOf("=", at);
    if (equals < 0 || equals > end) equals = end;
    if (unescaped(target.slice(at, equals)) === name) return unescaped(target.slice(equals + 1, end));
    at = end + 1;
  }
  return null;
}

/** As forms write it: "+" is a space. What is wrongly escaped stands for itself. */
function unescaped(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
