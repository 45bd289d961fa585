/** `flotilla restart`: servers one by one, each back in service before the next is touched. */
import { Asker } from "../admin/ask.ts";
import { lastOutputOf } from "../admin/cluster-status.ts";
import { refuseOtherSite } from "../admin/other-site.ts";
import { notRestartable } from "../admin/service.ts";
import type { Cluster, ClusterFile, Server } from "../config/model.ts";
import { suggestion } from "../config/nearest.ts";
import { keptInWords } from "../config/session-store.ts";
import type { MemberStatus } from "../member/member.ts";
import type { CountAnswer } from "../session/admin/questions.ts";
import { codeOf, FlotillaError, messageOf } from "../support/errors.ts";
import { admin, operations as limits } from "../support/limits.ts";
import { interruptedCode } from "../support/signals.ts";
import { openFile, serversNamed, shortName } from "./cluster-file.ts";
import { OneRestart } from "./one-restart.ts";
import { RestartTurn } from "./restart-turn.ts";
import { complain, enumerate, say, sayJson } from "./terminal.ts";

export interface RestartOptions {
  readonly json: boolean;
  /** For each server; null: the default. */
  readonly timeoutMs: number | null;
}

interface Restarted {
  readonly name: string;
  readonly pid: number;
  readonly seconds: number;
}

/** How it ended, for scripts. */
interface Course {
  readonly restarted: readonly Restarted[];
  readonly failed: {
    readonly name: string;
    readonly why: string;
    readonly lastOutput: readonly string[];
  } | null;
  /** Not touched. */
  readonly left: readonly string[];
}

/**
 * @returns the exit code, once all are back in service.
 * @throws FlotillaError when nothing was touched, or one of them did not come back.
 */
export async function restart(
  path: string,
  names: readonly string[],
  { json, timeoutMs }: RestartOptions,
): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  refuseOtherSite(file);
  const servers = serversMeant(file, names);
  const asker = new Asker(file);
  await refuseUnrestartable(file, servers, asker);
  const turn = await RestartTurn.take(file, names.join(" "), asker);
  const interrupt = watchInterrupts();
  const restarted: Restarted[] = [];
  let failure: FlotillaError | null = null;
  try {
    for (const server of servers) {
      if (interrupt.isAsked) break;
      const startMs = performance.now();
      const parts = { file, server, asker, isInterrupted: () => interrupt.isAsked, isQuiet: json };
      const pid = await new OneRestart(parts, timeoutMs ?? limits.comeBackTimeoutMs).run();
      const seconds = Number(((performance.now() - startMs) / 1_000).toFixed(1));
      restarted.push({ name: server.name, pid, seconds });
      if (!json) say(`${server.name} is back in service (process ${pid}), after ${seconds} s`);
    }
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    failure = error;
  } finally {
    interrupt.end();
    await turn.end();
  }
  return await conclude(file, servers, restarted, failure, json);
}

async function conclude(
  file: ClusterFile,
  servers: readonly Server[],
  restarted: readonly Restarted[],
  failure: FlotillaError | null,
  json: boolean,
): Promise<number> {
  const stuck = failure === null ? null : servers[restarted.length]!;
  const left = servers.slice(restarted.length + (stuck === null ? 0 : 1)).map(({ name }) => name);
  const lastOutput = stuck === null ? [] : await lastOutputOf(file, stuck.name, admin.statusTimeoutMs);
  const failed = stuck === null ? null : { name: stuck.name, why: failure!.message, lastOutput };
  if (json) sayJson({ restarted, failed, left } satisfies Course);
  else for (const line of lastOutput) complain(`${stuck!.name} | ${line}`);
  const untouched = left.length === 0 ? "" : `not touched: ${enumerate(left)}`;
  if (failure !== null) {
    const message = [failure.message, untouched].filter((part) => part !== "").join("; ");
    if (failure.code !== "FLOTILLA_RESTART_INTERRUPTED")
      throw new FlotillaError(failure.code, message, { source: failure.source, cause: failure });
    complain(`interrupted: ${message}`);
    return interruptedCode;
  }
  if (left.length === 0) return 0;
  complain(`interrupted; ${untouched}`);
  return interruptedCode;
}

/** The first INT or TERM ends it in order, the second at once. */
function watchInterrupts(): { readonly isAsked: boolean; end(): void } {
  const interrupt = {
    isAsked: false,
    end() {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
    },
  };
  function onSignal(): void {
    if (interrupt.isAsked) process.exit(interruptedCode);
    interrupt.isAsked = true;
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  return interrupt;
}

/**
 * Of clusters all but their witness. Each once, in the order of the file.
 * @throws FlotillaError FLOTILLA_SERVER_UNKNOWN, FLOTILLA_RESTART_REFUSED
 */
function serversMeant(file: ClusterFile, names: readonly string[]): Server[] {
  const meant = new Set<string>();
  for (const name of names) {
    const cluster = file.clusters.get(name);
    for (const server of cluster?.servers ?? serversOrHint(file, name)) meant.add(server.name);
  }
  return [...file.servers.values()].filter(({ name }) => meant.has(name));
}

function serversOrHint(file: ClusterFile, name: string): Server[] {
  try {
    return serversNamed(file, [name]);
  } catch (error) {
    if (codeOf(error) !== "FLOTILLA_SERVER_UNKNOWN") throw error;
    const known = new Set([...file.clusters.keys(), ...[...file.servers.values()].map(({ entry }) => entry)]);
    throw new FlotillaError(
      "FLOTILLA_SERVER_UNKNOWN",
      `there is no cluster and no server "${name}" in ${shortName(file)}${suggestion(name, known)}`,
      { source: "client" },
    );
  }
}

/** Before anything is touched. @throws FlotillaError FLOTILLA_RESTART_REFUSED */
async function refuseUnrestartable(
  file: ClusterFile,
  servers: readonly Server[],
  asker: Asker,
): Promise<void> {
  const reasons = await Promise.all(servers.map((server) => whyNot(file, server, asker)));
  const why = reasons.filter((reason) => reason !== "");
  if (why.length === 0) return;
  const fit = servers.filter((_, index) => reasons[index] === "").map(({ name }) => name);
  const others = fit.length === 0 ? "" : `. The others alone: flotilla restart ${fit.join(" ")}`;
  throw new FlotillaError("FLOTILLA_RESTART_REFUSED", `nothing was touched: ${why.join("; ")}${others}`, {
    source: "client",
  });
}

/** @returns why the server can't be restarted, or "". */
async function whyNot(file: ClusterFile, server: Server, asker: Asker): Promise<string> {
  const { name, kind } = server;
  if (kind === "http")
    return `${name} is a plain HTTP server, and started by itself: restart it between flotilla drain ${name} --wait and flotilla ready ${name}`;
  if (kind === "witness")
    return `${name} is a witness: stop it and start it again, while all other voters are up`;
  try {
    const answer = await asker.server(server, { ask: "status" }, admin.statusTimeoutMs);
    const { state, isKeptRunning } = answer as MemberStatus;
    if (state !== "up") return `${name} is ${state}`;
    const cluster = file.clusters.get(server.cluster)!;
    if (cluster.tier === "web") return "";
    return isKeptRunning === true ? await whyNotDurability(cluster, server, asker) : notRestartable(name);
  } catch (error) {
    return `${name} gives no answer (${messageOf(error)})`;
  }
}

/** Servers that keep sessions in other ways keep none together: one by one they would lose them all. */
async function whyNotDurability(cluster: Cluster, server: Server, asker: Asker): Promise<string> {
  const ask = { ask: "sessions-count" };
  const { kind, onDisk } = (await asker.server(server, ask, admin.statusTimeoutMs)) as CountAnswer;
  const wanted = keptInWords(cluster.sessions);
  // One that keeps its sessions alone may have been the only server, until now; a database may be named by the application.
  const running = kind === "shared" ? `durability: ${onDisk === null ? "backup" : "backup+disk"}` : null;
  if (running === null || running === wanted) return "";
  return (
    `${server.name} runs with \`${running}\`, and the file says ${wanted}: that is changed with all app servers of ` +
    `${cluster.name} stopped, and their sessions end with it (flotilla sessions export before, and import afterwards, keep them)`
  );
}
