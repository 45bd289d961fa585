/** What `flotilla explain` tells: which route would take a request, and what would happen to it. Asks nobody; sends nothing. */
import { statSync } from "node:fs";
import type { Cluster, ClusterFile, FieldRules, Listener, Route } from "../config/model.ts";
import { formatDuration, formatSize } from "../config/quantities.ts";
import { parseRequestHead, RequestHead } from "../http/request-head.ts";
import { silentLog } from "../support/silent-log.ts";
import type { OwnAnswer } from "./actions/action.ts";
import { compileAdmission } from "./actions/admission.ts";
import type { AnswerHead } from "./client.ts";
import { FileCache } from "./files/file-cache.ts";
import { fileNameOf } from "./files/file-names.ts";
import { compileRoute } from "./route.ts";
import { testsOf } from "./route-tests.ts";
import { RoutedRequest } from "./routed-request.ts";

export interface AskedRequest {
  readonly method: string;
  readonly scheme: "http" | "https";
  /** "host" or "host:port". */
  readonly authority: string;
  /** Path and query, as they would be sent. */
  readonly target: string;
  readonly fields: readonly { readonly name: string; readonly value: string }[];
  /** The client's address. */
  readonly from: string;
}

export interface Explanation {
  /** Path and query as routes see them; null: the request is refused before. */
  readonly target: string | null;
  /** Those that were tried, in the order of the file; the last one takes the request, unless `status` is 404 or 421. */
  readonly routes: readonly TriedRoute[];
  /** What happens, step by step. */
  readonly steps: readonly Step[];
  /** The answer's, where the web tier makes it itself; null: an app server does, or a file decides. */
  readonly status: number | null;
}

export interface TriedRoute {
  /** "flotilla.yaml:12:9". */
  readonly at: string;
  readonly takes: boolean;
  /** What does not fit, or all that does; "" for a route that takes everything. */
  readonly why: string;
}

export interface Step {
  /** The key of the file that makes it happen, or what it is. */
  readonly what: string;
  readonly text: string;
}

/** @param cluster of the web tier. @param listener where the request comes in, or null. */
export function explain(
  file: ClusterFile,
  cluster: Cluster,
  listener: Listener | null,
  asked: AskedRequest,
): Explanation {
  const head = new RequestHead();
  const lines = asked.fields.map(({ name, value }) => `${name}: ${value}\r\n`).join("");
  const bytes = `${asked.method} ${asked.target} HTTP/1.1\r\nHost: ${asked.authority}\r\n${lines}\r\n`;
  const text = Buffer.from(bytes, "latin1");
  const nothing = { target: null, routes: [] };
  if (parseRequestHead(text, 0, text.length, cluster.limits, head) <= 0) {
    const { status, message } = head.error ?? { status: 400, message: "The request has no end." };
    return { ...nothing, steps: [{ what: "refused", text: `${status}: ${message}` }], status };
  }
  if (listener !== null && listener.redirectPort !== null) {
    const step = { what: "redirectTo", text: `308 to HTTPS on port ${listener.redirectPort}` };
    return { ...nothing, target: head.target, steps: [step], status: 308 };
  }
  if (cluster.maintenance !== null) {
    const step = { what: "maintenance", text: `503: ${cluster.name} is closed` };
    return { ...nothing, target: head.target, steps: [step], status: 503 };
  }
  return explainRoutes(file, cluster, asked, head);
}

function explainRoutes(
  file: ClusterFile,
  cluster: Cluster,
  asked: AskedRequest,
  head: RequestHead,
): Explanation {
  const { target } = head;
  const routes: TriedRoute[] = [];
  const found = cluster.routes.find((route) => {
    const tests = testsOf(route);
    const against = tests.find((test) => !test.fits(head, asked.from));
    const why = against === undefined ? tests : [against];
    const text = why.map(({ key, wants }) => `${key} ${wants}`).join("; ");
    routes.push({ at: route.at, takes: against === undefined, why: text });
    return against === undefined;
  });
  if (found === undefined) {
    const knowsHost = cluster.routes.some((route) =>
      testsOf({ ...route, ...anyButHost }).every((test) => test.fits(head, "")),
    );
    const status = knowsHost ? 404 : 421;
    const text = knowsHost ? "404: no route takes it" : "421: no route takes this host";
    return { target, routes, steps: [{ what: "refused", text }], status };
  }
  return { target, routes, ...followed(file, cluster, found, asked, head) };
}

const anyButHost = { path: null, pathRegex: null, methods: [], fields: [], query: [], from: [] };

function followed(
  file: ClusterFile,
  cluster: Cluster,
  route: Route,
  asked: AskedRequest,
  head: RequestHead,
): { readonly steps: readonly Step[]; readonly status: number | null } {
  const steps: Step[] = [];
  const tell = (what: string, text: string): void => void steps.push({ what, text });
  const { allow, deny, rateLimit } = route;
  const refusal = compileAdmission(route)?.(asked.from) ?? null;
  if (deny.length > 0) tell("deny", deny.join(", "));
  if (allow.length > 0) tell("allow", allow.join(", "));
  if (refusal !== null) {
    tell("refused", `${refusal.status}: ${asked.from} may not`);
    return { steps, status: refusal.status };
  }
  if (rateLimit !== null) {
    const { count, perMs, burst } = rateLimit;
    tell(
      "rateLimit",
      `${count} in ${formatDuration(perMs)} per client, ${burst} at once; more are answered 429`,
    );
  }
  const request = new RoutedRequest({ head, origin: { scheme: asked.scheme } });
  request.begin(asked.from);
  const compiled = compileRoute(
    { ...route, to: null },
    { pools: new Map(), files: new FileCache(), log: silentLog, compress: cluster.compress },
  );
  const wrong = request.follow(compiled, cluster.limits.targetBytesMax);
  if (route.rewrite !== null) tell("rewrite", wrong === 0 ? request.target : `${wrong}: makes no path`);
  if (wrong !== 0) return { steps, status: wrong };
  const body = route.bodyBytesMax ?? cluster.limits.bodyBytesMax;
  if (route.to !== null && body !== Number.POSITIVE_INFINITY) {
    tell("bodyMax", `${formatSize(body)}; a longer body is answered 413`);
  }
  const rules = rulesText(route.requestFields);
  if (route.to !== null && rules !== "") tell("headers.request", rules);
  let status: number | null = null;
  if (route.to !== null) tellServers(file, cluster, route, tell);
  else if (route.files !== null) tellFile(route, request.path, tell);
  else {
    const answer = new Heard();
    compiled.action!.begin(request, answer);
    status = answer.status;
    tell(route.redirect === null ? "respond" : "redirect", answer.text);
  }
  if (compiled.compresses) tell("compress", "where the type and the browser allow it");
  const answerRules = rulesText(route.answerFields);
  if (answerRules !== "") tell("headers.response", answerRules);
  return { steps, status };
}

/** Names alone: values may be secrets. */
function rulesText({ set, add, remove }: FieldRules): string {
  const names = (rules: readonly { readonly name: string }[]): string =>
    rules.map(({ name }) => name).join(", ");
  const parts = [
    set.length > 0 ? `set ${names(set)}` : "",
    add.length > 0 ? `add ${names(add)}` : "",
    remove.length > 0 ? `remove ${remove.join(", ")}` : "",
  ];
  return parts.filter((part) => part !== "").join("; ");
}

function tellServers(
  file: ClusterFile,
  { timeouts }: Cluster,
  { to, timeoutMs }: Route,
  tell: (what: string, text: string) => void,
): void {
  const target = file.clusters.get(to!)!;
  if (target.maintenance !== null) return tell("maintenance", `503: ${to} is closed`);
  tell("to", `${to}: ${target.servers.map(({ name, authority }) => `${name} (${authority})`).join(", ")}`);
  const cookie = target.sessions?.cookieName ?? "sid";
  tell(
    "balance",
    `${target.balance}; a request with the session cookie ${cookie} goes to the session's server`,
  );
  tell("timeout", `the answer must begin within ${formatDuration(timeoutMs ?? timeouts.requestTimeoutMs)}`);
}

function tellFile({ files }: Route, path: string, tell: (what: string, text: string) => void): void {
  const { folder, index, fallback } = files!;
  const name = fileNameOf(path);
  if (name === null) tell("files", `no file has such a name${fallback === null ? ": 404" : ""}`);
  else if (name.endsWith("/")) {
    tell(
      "files",
      index.length === 0
        ? "404: index names no file"
        : `${folder}${name}${index.join(` or ${folder}${name}`)}`,
    );
  } else tell("files", `${folder}${name}${lookAt(`${folder}${name}`)}`);
  if (fallback !== null) tell("fallback", `where it is not there: ${folder}${fallback}`);
}

function lookAt(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return " (not there on this machine)";
  return found.isDirectory() ? " (a folder: 301 to the path with a slash)" : "";
}

/** Listens to what an action answers. */
class Heard implements OwnAnswer {
  status = 0;
  text = "";

  sendAnswer({ status, fields, contentLength }: AnswerHead): void {
    const location = /^Location: (.*)\r$/m.exec(fields)?.[1];
    this.status = status;
    this.text =
      location === undefined
        ? `${status}, a body of ${Math.max(0, contentLength)} bytes`
        : `${status} to ${location}`;
  }

  answerItself(status: number): void {
    this.status = status;
    this.text = `${status}`;
  }

  beginAnswer(): boolean {
    return true;
  }

  sendBytes(): boolean {
    return true;
  }

  endAnswer(): void {}

  breakOff(): void {}
}
