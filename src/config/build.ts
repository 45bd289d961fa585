/** Values -> ClusterFile: one cluster after the other, then what must agree between them. */
import { type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { buildBalancing } from "./balancing.ts";
import type { ClusterDraft, Context, Placed } from "./context.ts";
import { checkCookies } from "./cookies.ts";
import { buildCoordination } from "./coordination.ts";
import { buildListeners } from "./listeners.ts";
import type {
  AccessLogSettings,
  Cluster,
  ClusterFile,
  Endpoint,
  HttpLimits,
  Server,
  Timeouts,
} from "./model.ts";
import { buildErrorPages, buildMaintenance } from "./pages.ts";
import { checkAuthorities } from "./plain-servers.ts";
import { quote } from "./problems.ts";
import { checkRoutes } from "./route-order.ts";
import { buildRoutes } from "./routes.ts";
import { noteSafety } from "./safety.ts";
import { parseEndpoint } from "./scalars.ts";
import type { NamedSection, Section } from "./section.ts";
import { buildServers, buildWitness } from "./servers.ts";
import { checkTables } from "./session-store.ts";
import { buildSessions, checkShared, noteInherited } from "./sessions.ts";
import { checkShares } from "./shares.ts";
import { checkSockets } from "./sockets.ts";

/** @returns a file that is good only if no problem was told. */
export function buildFile(root: Section, path: string, context: Context): ClusterFile {
  const entries = root.named("clusters");
  checkServerNames(entries, context);
  const servers = entries.map(({ name, section }) => buildServers(section.named("servers"), name, context));
  const witnesses = entries.map(({ name, section }) => buildWitness(section.named("witness"), name));
  const someHere = [...servers, witnesses.filter((witness) => witness !== null)].some((members) =>
    hasMemberHere(members, context),
  );
  const webHere = entries.some(
    ({ section }, i) => section.has("routes") && hasMemberHere(servers[i]!, context),
  );
  const around = { root, someHere, webHere };
  const drafts = entries.map((entry, i) => buildCluster(entry, servers[i]!, witnesses[i]!, around, context));
  checkRoutes(drafts, context.problems);
  checkSockets(drafts, context);
  checkCookies(drafts, context.problems);
  checkShared(root, drafts, context.problems);
  checkTables(drafts, context.problems);
  checkShares(drafts, context.problems);
  checkAuthorities(drafts, (draft) => hasMemberHere(draft.servers, context), context.problems);
  checkDataFolder(root, context);
  // Of a file that is right: what is wrong comes first.
  if (!context.problems.hasErrors) {
    noteInherited(root, drafts, context.problems);
    noteSafety(drafts, context.problems);
  }
  const previousSecret = root.text("previousSecret");
  return {
    path,
    folder: context.folder,
    secret: Buffer.from(root.text("secret") ?? ""),
    previousSecret: previousSecret === null ? null : Buffer.from(previousSecret),
    dataFolder: context.dataFolder,
    clusters: new Map(drafts.map(({ cluster }) => [cluster.name, cluster])),
    servers: new Map(
      drafts.flatMap(({ cluster }) => membersOf(cluster).map((server) => [server.name, server])),
    ),
  };
}

function membersOf({ servers, witness }: Cluster): readonly Server[] {
  return witness === null ? servers : [...servers, witness];
}

/** It need not exist, but it must not be a file, nor stand below one. */
function checkDataFolder(root: Section, { dataFolder, problems }: Context): void {
  for (let path = dataFolder; ; path = dirname(path)) {
    const found = existing(path);
    if (found === null && path !== dirname(path)) continue;
    if (found?.isFile() === true)
      problems.error(root.atOf("data"), `data: ${quote(path)} is a file; what servers keep needs a folder`);
    return;
  }
}

/** What is not there, and what this user may not see, is null. */
function existing(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

/** What a cluster has to know of the rest of the file. */
interface Around {
  readonly root: Section;
  /** This machine runs a server of the file, or one of the web tier. */
  readonly someHere: boolean;
  readonly webHere: boolean;
}

function buildCluster(
  entry: NamedSection,
  servers: readonly Placed<Server>[],
  witness: Placed<Server> | null,
  { root, someHere, webHere }: Around,
  context: Context,
): ClusterDraft {
  const { name, section } = entry;
  const tier = section.has("routes") ? "web" : "app";
  checkTier(section, tier, context);
  const elsewhere = someHere && !hasMemberHere(servers, context);
  const listeners = buildListeners(section.sections("listen"), elsewhere, context);
  if (tier === "web" && !section.has("listen")) {
    context.problems.error(
      entry.at,
      `${section.where} has routes: and needs listen: too (where browsers connect)`,
    );
  }
  const health = placedEndpoint(section, "health", context);
  const routes = buildRoutes(section, elsewhere, context);
  checkProxied(section, context);
  checkSessionIds(section, context);
  if (section.has("sessions") && servers.length > 0 && servers.every(({ value }) => value.kind === "http")) {
    context.problems.error(
      section.atOf("sessions"),
      `${section.where}: sessions: needs servers with address:; plain HTTP servers keep their own sessions`,
    );
  }
  const cluster: Cluster = {
    name,
    tier,
    servers: servers.map(({ value }) => value),
    witness: witness?.value ?? null,
    listen: listeners.map(({ value }) => value),
    workers: section.text("workers") === "auto" ? null : section.number("workers"),
    health: health?.value ?? null,
    routes: routes.map(({ value }) => value),
    run: section.text("run"),
    attach: section.flag("attach") !== false,
    ...buildBalancing(section, servers, context),
    sessions: buildSessions(
      section,
      root,
      {
        servers: servers.map(({ value }) => value),
        keepsOurs: keepsSessions(section, servers),
        elsewhere,
      },
      context,
    ),
    coordination: buildCoordination(section, witness, elsewhere, context),
    trustedNetworks: section.scalarItems("trust").map(({ value }) => String(value)),
    sessionIdNetworks: section.scalarItems("sessionIdFrom").map(({ value }) => String(value)),
    accessLog: buildAccessLog(section.section("log"), context),
    errorPages: buildErrorPages(section, elsewhere, context),
    interceptErrors: section.flag("interceptErrors") === true,
    // Of whatever cluster, it is a web server that shows it.
    maintenance: buildMaintenance(section, someHere && !webHere, context),
    compress: section.flag("compress") === true,
    limits: buildLimits(section.section("limits")),
    timeouts: buildTimeouts(section.section("timeouts")),
  };
  return { entry, cluster, servers, witness, listeners, health, routes };
}

/** Its applications may call `session()`: others get nothing of the `sessions:` at the top of the file. */
function keepsSessions(section: Section, servers: readonly Placed<Server>[]): boolean {
  const isApp = !section.has("routes") && section.flag("attach") !== false;
  return isApp && !section.has("affinity") && servers.some(({ value }) => value.kind === "link");
}

function placedEndpoint(section: Section, key: string, { machine }: Context): Placed<Endpoint> | null {
  const endpoint = parseEndpoint(section.text(key) ?? "");
  if (endpoint === null) return null;
  const value = { address: endpoint.address ?? machine.anyAddress, port: endpoint.port };
  return { at: section.atOf(key), value };
}

/** A server can't be chosen by everybody: one visitor could send all others to one server. */
function checkSessionIds(section: Section, { problems }: Context): void {
  const route = section.sections("routes").find((part) => part.flag("sessionIdInPath") === true);
  if (route === undefined || section.has("sessionIdFrom")) return;
  problems.error(
    route.atOf("sessionIdInPath"),
    `${route.where}: sessionIdInPath: needs sessionIdFrom: in ${section.where}, the networks of those who may choose a server`,
  );
}

/** `attach: false`: what needs our library in the program does not go with it. */
function checkProxied(section: Section, { problems }: Context): void {
  if (section.flag("attach") !== false) return;
  const tell = (key: string, why: string): void =>
    problems.error(section.atOf(key), `${section.where}: attach: false ${why}`);
  if (!section.has("run")) tell("attach", "needs run:, the program that is proxied");
  if (section.has("sessions"))
    tell("sessions", "does not go with sessions:, which need a program that is attached or calls serve()");
  if (section.has("listen")) tell("listen", "does not go with listen:; the program listens by itself");
}

/** Whether this machine runs one of the servers; a plain HTTP server is nobody's to run. */
function hasMemberHere(servers: readonly Placed<Server>[], { machine }: Context): boolean {
  return servers.some(({ value }) => value.kind !== "http" && machine.owns(value.address));
}

/** A name is what a process is started with (R2), so no two servers of the file may share one. */
function checkServerNames(clusters: readonly NamedSection[], { problems }: Context): void {
  const first = new Map<string, { cluster: string; line: number }>();
  for (const { name: cluster, section } of clusters) {
    for (const { name, at } of [...section.named("servers"), ...section.named("witness")]) {
      const other = first.get(name);
      if (other === undefined) first.set(name, { cluster, line: at.line });
      else {
        problems.error(
          at,
          `the server name ${name} stands twice (first in cluster ${other.cluster}, line ${other.line}); server names are unique in the file`,
        );
      }
    }
  }
}

/** Keys that belong to the other tier, in the cluster, in its timeouts and in its servers. */
function checkTier(section: Section, tier: Cluster["tier"], { problems }: Context): void {
  const because = tier === "web" ? "with routes: (a web tier)" : "without routes: (an app tier)";
  const servers = section.named("servers").map((server) => server.section);
  for (const part of [section, section.section("timeouts"), ...section.sections("listen"), ...servers]) {
    for (const [key, at] of part.written) {
      const belongs = part.shape.keys.get(key)?.setting.tier;
      if (belongs === undefined || belongs === tier) continue;
      problems.error(at, `${part.where}: ${key}: does not belong in a cluster ${because}`);
    }
  }
}

function buildAccessLog(section: Section, { folder, dataFolder }: Context): AccessLogSettings {
  const access = section.text("access") ?? "off";
  const format = section.text("format") as AccessLogSettings["format"];
  if (access === "off") return { path: null, format };
  if (access === "-") return { path: "-", format };
  return {
    path: resolve(
      folder,
      access.replace("<data>", () => dataFolder),
    ),
    format,
  };
}

function buildLimits(section: Section): HttpLimits {
  return {
    headBytesMax: section.number("head"),
    fieldsMax: section.number("fields"),
    targetBytesMax: section.number("target"),
    bodyBytesMax: section.number("body"),
    connectionsMax: section.number("connections"),
    streamsMax: section.number("streams"),
  };
}

function buildTimeouts(section: Section): Timeouts {
  return {
    headTimeoutMs: section.number("head"),
    bodySilenceTimeoutMs: section.number("bodySilence"),
    keepAliveTimeoutMs: section.number("keepAlive"),
    writeSilenceTimeoutMs: section.number("writeSilence"),
    connectTimeoutMs: section.number("connect"),
    upstreamIdleTimeMs: section.number("upstreamIdle"),
    queueTimeoutMs: section.number("queue"),
    recoverTimeMs: section.number("recover"),
    requestTimeoutMs: section.number("request"),
    appKeepAliveTimeoutMs: section.number("appKeepAlive"),
    socketTimeoutMs: section.number("socket"),
    drainTimeoutMs: section.number("drain"),
    drainDelayMs: section.number("drainDelay"),
  };
}
