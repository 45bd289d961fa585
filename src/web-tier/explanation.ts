/** What `flotilla explain` tells: which route would take a request, and what would happen to it. Asks nobody; sends nothing. */
import { statSync } from "node:fs";
import type { Cluster, ClusterFile, FieldRules, Listener, Maintenance, Route } from "../config/model.ts";
import { formatDuration, formatSize } from "../config/quantities.ts";
import { sessionsText } from "../config/sessions.ts";
import { parseRequestHead, RequestHead } from "../http/request-head.ts";
import { compression as compressionLimits } from "../support/limits.ts";
import { silentLog } from "../support/silent-log.ts";
import type { Coding } from "./accept-encoding.ts";
import type { OwnAnswer } from "./actions/action.ts";
import { compileAdmission } from "./actions/admission.ts";
import { redirectToHttps } from "./actions/to-https.ts";
import { homeOf, placeOf } from "./affinity/rendezvous.ts";
import { RouteCookies } from "./affinity/route-cookies.ts";
import type { AnswerHead } from "./client.ts";
import { clientAddressOf } from "./client-address.ts";
import { codingFor } from "./compression.ts";
import { FileCache } from "./files/file-cache.ts";
import { fileNameOf } from "./files/file-names.ts";
import { inNetworks, networksOf } from "./networks.ts";
import { mayHaveSessionId, routeWithSessionId } from "./path-session.ts";
import { compileRoute } from "./route.ts";
import { type RoutedHead, testsOf } from "./route-tests.ts";
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

type Tell = (what: string, text: string) => void;

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
  if (parseRequestHead(text, 0, text.length, cluster.limits, head) <= 0) {
    const { status, message } = head.error ?? { status: 400, message: "The request has no end." };
    return { target: null, routes: [], steps: refused(cluster, status, message), status };
  }
  const trusted = networksOf(cluster.trustedNetworks);
  const origin = { address: asked.from, scheme: asked.scheme, trusted: inNetworks(trusted, asked.from) };
  const request = new RoutedRequest({ head, origin });
  request.begin(clientAddressOf(head, origin, trusted));
  const steps: Step[] = [];
  if (request.client !== asked.from)
    steps.push({ what: "trust", text: `the client is ${request.client}, as X-Forwarded-For says` });
  const nothing = { target: head.target, routes: [] };
  if (listener !== null && listener.redirectPort !== null) {
    const answer = new Heard();
    redirectToHttps(request, listener.redirectPort, knowsHost(cluster, head), answer);
    const { status } = answer;
    if (status === 308) steps.push({ what: "redirectTo", text: answer.text });
    else steps.push(...refused(cluster, status, "no route takes this host"));
    return { ...nothing, steps, status };
  }
  if (cluster.maintenance !== null) {
    steps.push(closed(cluster, cluster.maintenance));
    return { ...nothing, steps, status: 503 };
  }
  return explainRoutes(file, cluster, head, request, steps);
}

function explainRoutes(
  file: ClusterFile,
  cluster: Cluster,
  head: RequestHead,
  request: RoutedRequest,
  steps: Step[],
): Explanation {
  const { target, path } = head;
  const tell: Tell = (what, text) => void steps.push({ what, text });
  const routes = new TriedRoutes(cluster.routes);
  const found = mayHaveSessionId(path)
    ? routeWithSessionId({ routes, sessionIdNetworks: networksOf(cluster.sessionIdNetworks) }, head, request)
    : routes.find(head, request.client);
  if (found === null) {
    const isKnown = knowsHost(cluster, head);
    const status = isKnown ? 404 : 421;
    const why = isKnown ? "no route takes it" : "no route takes this host";
    steps.push(...refused(cluster, status, why));
    return { target, routes: routes.tried, steps, status };
  }
  const route = found.source;
  if (head.path !== path) tellSessionId(file, route, request, tell);
  const status =
    letIn(cluster, route, request.client, steps) ?? act(file, cluster, route, head, request, steps);
  return { target, routes: routes.tried, steps, status };
}

/** The routes of the file, tried one after the other; what was tried is noted. */
class TriedRoutes {
  tried: TriedRoute[] = [];
  readonly #routes: readonly Route[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes;
  }

  find(head: RoutedHead, address: string): { readonly source: Route } | null {
    this.tried = [];
    for (const source of this.#routes) {
      const tests = testsOf(source);
      const against = tests.find((test) => !test.fits(head, address));
      const told = against === undefined ? tests : [against];
      const why = told.map(({ key, wants }) => `${key} ${wants}`).join("; ");
      this.tried.push({ at: source.at, takes: against === undefined, why });
      if (against === undefined) return { source };
    }
    return null;
  }
}

const anyButHost = { path: null, pathRegex: null, methods: [], fields: [], query: [], from: [] };

function knowsHost({ routes }: Cluster, head: RequestHead): boolean {
  return routes.some((route) => testsOf({ ...route, ...anyButHost }).every((test) => test.fits(head, "")));
}

/** @returns the steps of an answer that the web tier gives instead, with its page. */
function refused({ errorPages }: Cluster, status: number, why: string): Step[] {
  const steps = [{ what: "refused", text: `${status}: ${why}` }];
  const key = [String(status), `${String(status)[0]}xx`].find((name) => errorPages.has(name));
  if (key !== undefined) steps.push({ what: "errorPages", text: `the site's page for ${key}` });
  return steps;
}

function closed({ name }: Cluster, { page }: Maintenance): Step {
  const how = page === null ? "the page for 503, or words of ours" : "a page of its own";
  return { what: "maintenance", text: `503: ${name} is closed, with ${how}` };
}

function tellSessionId(file: ClusterFile, { to }: Route, request: RoutedRequest, tell: Tell): void {
  const { sessionId, client } = request;
  if (sessionId === "")
    return tell("sessionIdInPath", `taken off; it chooses nothing for ${client} (sessionIdFrom)`);
  const servers = to === null ? [] : file.clusters.get(to)!.servers;
  // An id of a session begins with the letters of its two servers, as others name them.
  const named = [...sessionId.slice(0, 2)].flatMap((letter) =>
    servers.filter((server) => server.letter === letter),
  );
  const names = named.map(({ name }) => name).join(", else ");
  tell("sessionIdInPath", `taken off; ${names === "" ? "no server has these letters" : `chooses ${names}`}`);
}

/** @returns the status when the client may not; null when it may. */
function letIn(cluster: Cluster, route: Route, client: string, steps: Step[]): number | null {
  const { allow, deny, rateLimit } = route;
  const refusal = compileAdmission(route)?.(client) ?? null;
  if (deny.length > 0) steps.push({ what: "deny", text: deny.join(", ") });
  if (allow.length > 0) steps.push({ what: "allow", text: allow.join(", ") });
  if (refusal !== null) {
    steps.push(...refused(cluster, refusal.status, `${client} may not`));
    return refusal.status;
  }
  if (rateLimit === null) return null;
  const { count, perMs, burst } = rateLimit;
  const text = `${count} in ${formatDuration(perMs)} per client, ${burst} at once; more are answered 429`;
  steps.push({ what: "rateLimit", text });
  return null;
}

/** @returns the answer's status, where the web tier makes it itself. */
function act(
  file: ClusterFile,
  cluster: Cluster,
  route: Route,
  head: RequestHead,
  request: RoutedRequest,
  steps: Step[],
): number | null {
  const tell: Tell = (what, text) => void steps.push({ what, text });
  const compiled = compileRoute(
    { ...route, to: null },
    { pools: new Map(), files: new FileCache(), log: silentLog, compress: cluster.compress },
  );
  const wrong = request.follow(compiled, cluster.limits.targetBytesMax);
  if (wrong !== 0) {
    steps.push(...refused(cluster, wrong, "rewrite makes no path of it"));
    return wrong;
  }
  if (route.rewrite !== null) tell("rewrite", request.target);
  let status: number | null = null;
  if (route.to !== null) status = tellServers(file, cluster, route, request, tell);
  else if (route.files !== null) tellFile(route, request.path, tell);
  else {
    const answer = new Heard();
    compiled.action!.begin(request, answer);
    status = answer.status;
    tell(route.redirect === null ? "respond" : "redirect", answer.text);
  }
  if (compiled.compresses && route.redirect === null) tell("compress", codingText(codingFor(head)));
  const answerRules = rulesText(route.answerFields);
  if (answerRules !== "") tell("headers.response", answerRules);
  return status;
}

function codingText(coding: Coding | null): string {
  if (coding === null) return "not this answer: Accept-Encoding names no coding of ours";
  return `${coding}, for text, JSON and the like from ${formatSize(compressionLimits.bytesMin)} on`;
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

/** @returns 503 when the cluster is closed. */
function tellServers(
  file: ClusterFile,
  cluster: Cluster,
  route: Route,
  request: RoutedRequest,
  tell: Tell,
): number | null {
  const target = file.clusters.get(route.to!)!;
  const { maintenance, name, servers, balance } = target;
  if (maintenance !== null) {
    const { what, text } = closed(target, maintenance);
    tell(what, text);
    return 503;
  }
  const body = route.bodyBytesMax ?? cluster.limits.bodyBytesMax;
  if (body !== Number.POSITIVE_INFINITY)
    tell("bodyMax", `${formatSize(body)}; a longer body is answered 413`);
  if (route.buffer) tell("buffer", "a body is taken whole before the application gets any of it");
  const rules = rulesText(route.requestFields);
  if (rules !== "") tell("headers.request", rules);
  tell("to", `${name}: ${servers.map((server) => `${server.name} (${server.authority})`).join(", ")}`);
  tell("balance", `${balance.policy}; ${keepingText(file, target, request)}`);
  if (target.sessions !== null) tell("sessions", sessionsText(target.sessions));
  const timeoutMs = route.timeoutMs ?? cluster.timeouts.requestTimeoutMs;
  tell("timeout", `the answer must begin within ${formatDuration(timeoutMs)}`);
  const { errorPages, interceptErrors } = cluster;
  const whose = interceptErrors
    ? "for the application's errors too"
    : "for errors of the web tier; the application's stay";
  if (errorPages.size > 0) tell("errorPages", `${[...errorPages.keys()].join(", ")}, ${whose}`);
  return null;
}

/** Who keeps a visitor at one server. */
function keepingText(
  file: ClusterFile,
  { name, servers, sessions, affinity }: Cluster,
  request: RoutedRequest,
): string {
  if (affinity === null) {
    const cookie = sessions?.cookieName ?? "sid";
    return `a request with the session cookie ${cookie} goes to the session's server`;
  }
  if (affinity.by === "client-address") {
    const kept = `all requests of ${request.client} go to one server, until ${formatDuration(affinity.keptMs)} after the last`;
    const places = servers.filter(({ weight, isBackup }) => weight > 0 && !isBackup).map(placeOf);
    const home = homeOf(request.addressKey, places);
    const first = servers.find((server) => placeOf(server).place === home);
    return first === undefined ? kept : `${kept}; its first one is ${first.name}, where that is up`;
  }
  const { secret, previousSecret } = file;
  const found = new RouteCookies(affinity, servers, { secret, previousSecret, name }).find(request.cookie);
  const names = found === null ? "this one has none" : `this one names ${servers[found.at]!.name}`;
  return `a request goes to the server that its cookie ${affinity.cookieName} names; ${names}`;
}

function tellFile({ files }: Route, path: string, tell: Tell): void {
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
