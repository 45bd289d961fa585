/** `routes:` -> routes: what each takes, what it does, and whether that makes sense. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Context, PlacedRoute } from "./context.ts";
import type {
  FieldRule,
  FieldRules,
  FilesSettings,
  NamedText,
  RateLimitSettings,
  RedirectSettings,
  RespondSettings,
  Route,
} from "./model.ts";
import { type Position, quote } from "./problems.ts";
import { parseRate } from "./quantities.ts";
import { compileRegex } from "./regex.ts";
import type { NamedValue, Section } from "./section.ts";
import { highestGroup, parseTemplate, type TemplatePart } from "./template.ts";

/** @param elsewhere the servers are other machines', whose folders are not here. */
export function buildRoutes(cluster: Section, elsewhere: boolean, context: Context): readonly PlacedRoute[] {
  const bodyBytesMax = cluster.section("limits").number("body");
  return cluster
    .sections("routes")
    .map((section) => {
      const value = buildRoute(section, elsewhere, context);
      checkGroups(section, value, context);
      checkBuffer(section, value, bodyBytesMax, context);
      const wrong = matcherKeys.some((key) => section.has(key) && isMissing(section, key));
      const at = section.has("to") ? section.atOf("to") : section.at;
      return { at, value, writtenTo: section.writtenText("to"), wrong };
    })
    .filter(({ wrong }) => !wrong);
}

/** A route one of whose matchers was wrong would take more than it should: the checks that follow leave it out. */
const matcherKeys = ["host", "path", "pathRegex"];

function isMissing(section: Section, key: string): boolean {
  return section.text(key) === null;
}

function buildRoute(section: Section, elsewhere: boolean, context: Context): Route {
  return {
    host: section.text("host"),
    path: section.text("path"),
    pathRegex: section.text("pathRegex"),
    methods: texts(section, "method"),
    fields: section.namedValues("header").map((entry) => fieldMatch(entry, section, context)),
    query: section.namedValues("query").map(namedText),
    from: texts(section, "from"),
    to: section.text("to"),
    files: section.has("files") ? filesOf(section.section("files"), elsewhere, context) : null,
    redirect: section.has("redirect") ? redirectOf(section.section("redirect"), context) : null,
    respond: section.has("respond") ? respondOf(section.section("respond"), context) : null,
    sessionIdInPath: section.flag("sessionIdInPath") === true,
    compress: section.flag("compress"),
    rewrite: rewriteOf(section, context),
    requestFields: rulesOf(section.section("headers").section("request"), requestFraming, context),
    answerFields: rulesOf(section.section("headers").section("response"), answerFraming, context),
    timeoutMs: section.has("timeout") ? section.number("timeout") : null,
    bodyBytesMax: section.has("bodyMax") ? section.number("bodyMax") : null,
    allow: texts(section, "allow"),
    deny: texts(section, "deny"),
    buffer: section.flag("buffer") === true,
    rateLimit: section.has("rateLimit") ? rateOf(section.section("rateLimit")) : null,
    at: `${context.problems.path}:${section.at.line}:${section.at.column}`,
  };
}

function texts(section: Section, key: string): string[] {
  return section.scalarItems(key).map(({ value }) => String(value));
}

function namedText({ name, value }: NamedValue): NamedText {
  return { name, value: value.value === "*" ? null : String(value.value) };
}

/** What routes never see of a request: it ends here, or is known by another key. */
const unseenFields: Readonly<Record<string, string>> = {
  host: "host: matches it",
  connection: "it ends at the web tier",
  "content-length": "it ends at the web tier",
  "transfer-encoding": "it ends at the web tier",
  te: "it ends at the web tier",
  trailer: "it ends at the web tier",
  upgrade: "it ends at the web tier",
  expect: "it ends at the web tier",
  via: "it ends at the web tier",
  forwarded: "from: matches the client's address",
  "x-forwarded-for": "from: matches the client's address",
  "x-real-ip": "from: matches the client's address",
  "x-forwarded-host": "host: matches the host",
  "x-forwarded-proto": "it ends at the web tier",
  "x-request-id": "it ends at the web tier",
};

function fieldMatch(entry: NamedValue, section: Section, { problems }: Context): NamedText {
  const name = entry.name.toLowerCase();
  const why = Object.hasOwn(unseenFields, name)
    ? unseenFields[name]
    : name.includes("_")
      ? "fields with an underscore are dropped"
      : undefined;
  if (why !== undefined) {
    problems.error(entry.at, `${section.where}.header: ${quote(entry.name)} is not seen by routes: ${why}`);
  }
  return { ...namedText(entry), name };
}

function filesOf(section: Section, elsewhere: boolean, { problems, folder }: Context): FilesSettings {
  const path = resolve(folder, section.text("folder") ?? "");
  if (!elsewhere && section.text("folder") !== null && !isFolder(path)) {
    problems.warning(
      section.atOf("folder"),
      `${section.where}: ${quote(section.writtenText("folder"))} is no folder here: what the route takes is answered 404`,
    );
  }
  return {
    folder: path,
    index: section.has("index") ? texts(section, "index") : ["index.html"],
    fallback: section.text("fallback"),
    precompressed: section.flag("precompressed") === true,
    followSymlinks: section.flag("followSymlinks") === true,
    cacheControl: section.text("cacheControl"),
  };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/**
 * Where a redirect may lead is for the file to say, and never for who sends the request: its path must not get
 * into the host ("https://example.com$1" and a path that ends in ".evil.example"), nor be one ("$1").
 */
const redirectBegin =
  /^(?:https?:\/\/(?:\$host|[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?=$|[/?#]|\$path|\$query)|\/(?![/\\])|\$path)/;

function redirectOf(section: Section, { problems }: Context): RedirectSettings {
  const to = section.text("to");
  if (to !== null && !redirectBegin.test(to)) {
    problems.error(
      section.atOf("to"),
      `${section.where}.to: found ${quote(section.writtenText("to"))}, allowed is a path that begins with "/" or $path, or "http://" or "https://", a host ($host is one) and then such a path, so that no request can choose the host`,
    );
  }
  return { to: parseTemplate(to ?? "/"), status: Number(section.text("status")) };
}

function respondOf(section: Section, { problems }: Context): RespondSettings {
  const status = section.number("status");
  const body = section.text("body") ?? "";
  if (body !== "" && (status === 204 || status === 205 || status === 304)) {
    problems.error(section.atOf("body"), `${section.where}.body: an answer ${status} has no body`);
  }
  return { status, body, type: section.text("type") ?? "" };
}

function rewriteOf(section: Section, { problems }: Context): readonly TemplatePart[] | null {
  const text = section.text("rewrite");
  if (text === null) return null;
  const where = `${section.where}.rewrite`;
  if (!/^(\/|\$path)/.test(text)) {
    problems.error(
      section.atOf("rewrite"),
      `${where}: found ${quote(section.writtenText("rewrite"))}, allowed is a path that begins with "/"`,
    );
  }
  for (const action of ["redirect", "respond"]) {
    if (section.has(action)) {
      problems.error(
        section.atOf("rewrite"),
        `${where}: goes with to: and files:, not with ${action}: (it can use $path itself)`,
      );
    }
  }
  return parseTemplate(text);
}

/** What frames a message, or belongs to one connection, is written by us. */
const framing = [
  ...["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"],
  "upgrade",
];
const requestFraming: ReadonlySet<string> = new Set([...framing, "expect", "http2-settings"]);
const answerFraming: ReadonlySet<string> = new Set([...framing, "date"]);

function rulesOf(section: Section, refused: ReadonlySet<string>, { problems }: Context): FieldRules {
  const check = (name: string, at: Position, key: string): void => {
    const lower = name.toLowerCase();
    if (refused.has(lower)) {
      problems.error(at, `${section.where}.${key}: ${quote(name)} is written by the web tier alone`);
    }
    if (lower === "host" && refused === requestFraming && key !== "set") {
      problems.error(at, `${section.where}.${key}: a request has one Host; it can only be set`);
    }
  };
  const rules = (key: "set" | "add"): FieldRule[] =>
    section.namedValues(key).map(({ name, at, value }) => {
      check(name, at, key);
      if (name.toLowerCase() === "host" && !/^(?:[\w.:[\]-]|\$host)+$/.test(String(value.value))) {
        problems.error(value.at, `${section.where}.${key}: found ${quote(value.written)}, allowed is a host`);
      }
      return { name, value: parseTemplate(String(value.value)) };
    });
  for (const { value, at } of section.scalarItems("remove")) check(String(value), at, "remove");
  return { set: rules("set"), add: rules("add"), remove: texts(section, "remove") };
}

function rateOf(section: Section): RateLimitSettings | null {
  const rate = parseRate(section.text("rate") ?? "");
  if (rate === null) return null;
  return { ...rate, burst: section.has("burst") ? section.number("burst") : rate.count };
}

/** What is taken whole needs an end. */
function checkBuffer(section: Section, route: Route, bodyBytesMax: number, { problems }: Context): void {
  if (!route.buffer || (route.bodyBytesMax ?? bodyBytesMax) !== Number.POSITIVE_INFINITY) return;
  problems.error(
    section.atOf("buffer"),
    `${section.where}.buffer: needs bodyMax:, or limits: { body: ... } of the cluster; a body without a limit can't be taken whole`,
  );
}

/** A group that the matchers do not have would be empty for every request. */
function checkGroups(section: Section, route: Route, { problems }: Context): void {
  const groups = groupsOf(route);
  const check = (at: Position, template: readonly TemplatePart[] | null | undefined): void => {
    const highest = highestGroup(template ?? []);
    if (highest <= groups) return;
    const there =
      groups === 0
        ? "the route has no pathRegex: with a group, and no path: with a star"
        : `the route has ${groups}`;
    problems.error(at, `${section.where}: $${highest} is used, and ${there}`);
  };
  check(section.atOf("rewrite"), route.rewrite);
  if (route.redirect !== null) check(section.section("redirect").atOf("to"), route.redirect.to);
  for (const { set, add } of [route.requestFields, route.answerFields])
    for (const { value } of [...set, ...add]) check(section.atOf("headers"), value);
}

function groupsOf(route: Route): number {
  if (route.pathRegex !== null) return compileRegex(route.pathRegex).groupCount();
  return route.path?.includes("*") === true ? 1 : 0;
}
