/** `flotilla start` for app servers, for several servers and for --all: this process is their supervisor. */
import { setTimeout as sleep } from "node:timers/promises";
import { announceSupervisor } from "../admin/announcement.ts";
import { Asker } from "../admin/ask.ts";
import { recordSupervisor } from "../admin/run-record.ts";
import type { HoldingAnswer } from "../admin/service.ts";
import { withPreload } from "../app-tier/preload-option.ts";
import type { Cluster, ClusterFile, Server } from "../config/model.ts";
import type { MemberStatus } from "../member/member.ts";
import { openControl } from "../supervise/control.ts";
import { ServiceManager } from "../supervise/service-manager.ts";
import { Supervisor } from "../supervise/supervisor.ts";
import { messageOf } from "../support/errors.ts";
import { admin as limits, supervise } from "../support/limits.ts";
import { createLog, type Log } from "../support/log.ts";
import { interruptedCode, onStopSignals } from "../support/signals.ts";
import { enumerate } from "./terminal.ts";

/** @param recorded called when they have their record. */
export async function superviseServers(
  file: ClusterFile,
  servers: readonly Server[],
  recorded: () => void,
): Promise<number> {
  const log = createLog("flotilla");
  let recordLeft: (names: readonly string[]) => void = () => {};
  const asker = new Asker(file);
  const manager = new ServiceManager(process.env, log);
  const supervisor = new Supervisor({
    file,
    servers,
    log,
    commandOf: (server, cluster) => commandOf(file, server, cluster),
    environmentOf: (server, cluster) => environmentOf(file, server, cluster),
    descriptors: manager.descriptors,
    onLeft: (names) => recordLeft(names),
    askHolding: (server, answer) => void isHolding(asker, server).then(answer),
  });
  const control = await openControl(file, supervisor, log);
  announceSupervisor(file, control.port);
  recordLeft = recordOrWarn(file, control.port, servers, log);
  recorded();
  let exitCode = 0;
  onStopSignals({
    drain(signal) {
      manager.stopping();
      supervisor.stop();
      const names = supervisor.status().flatMap(({ name, state }) => (state === "stopped" ? [] : [name]));
      log.info(
        `${signal}: stopping ${enumerate(names)}, which say what they wait for; ^C or TERM again cuts requests, ` +
          "sessions are kept all the same",
      );
    },
    reload: () => supervisor.signalWebServers("SIGHUP"),
    hurry(signal) {
      log.info(`${signal} again: cutting requests; once more (^C) ends all at once, and loses sessions`);
      supervisor.hurry();
    },
    atOnce() {
      log.warn("ending all at once");
      exitCode = interruptedCode;
      supervisor.kill();
      setTimeout(() => process.exit(exitCode), supervise.lastWordMs + supervise.killGraceMs);
    },
  });
  process.on("SIGUSR1", () => reopenLogs(file, servers, asker, log));
  supervisor.start();
  if (manager.listens) void whenUp(asker, servers).then(() => manager.ready());
  await supervisor.ended;
  control.close();
  // Not by itself: something that left a program's group may hold its output open.
  process.exit(exitCode);
}

/** The web servers in our care are asked: below us are their whole process groups, and USR1 ends a program that does not know it. */
function reopenLogs(file: ClusterFile, servers: readonly Server[], asker: Asker, log: Log): void {
  for (const server of servers) {
    if (file.clusters.get(server.cluster)!.tier !== "web") continue;
    asker
      .server(server, { ask: "reopen-logs" }, limits.statusTimeoutMs)
      .catch((error: unknown) =>
        log.error(`the access log of ${server.name} was not reopened: ${messageOf(error)}`),
      );
  }
}

/**
 * Resolves when all are up; plain HTTP servers are up by themselves. One that does not come up is waited for only so long:
 * a service manager would end the others with it.
 */
async function whenUp(asker: Asker, servers: readonly Server[]): Promise<void> {
  const until = performance.now() + supervise.upTimeoutMs;
  for (const server of servers.filter(({ kind }) => kind !== "http"))
    while (performance.now() < until && !(await isUp(asker, server))) await sleep(supervise.upIntervalMs);
}

async function isUp(asker: Asker, server: Server): Promise<boolean> {
  try {
    const answer = await asker.server(server, { ask: "status" }, limits.statusTimeoutMs);
    return (answer as MemberStatus).state === "up";
  } catch {
    return false;
  }
}

/** @returns null when it gives no answer: whoever syncs what it has written, or has closed its port, can't. */
async function isHolding(asker: Asker, server: Server): Promise<boolean | null> {
  try {
    const answer = await asker.server(server, { ask: "holding" }, limits.statusTimeoutMs);
    return (answer as HoldingAnswer).sessions !== undefined;
  } catch {
    return null;
  }
}

function recordOrWarn(
  file: ClusterFile,
  controlPort: number,
  servers: readonly Server[],
  log: Log,
): (left: readonly string[]) => void {
  const names = servers.map(({ name }) => name);
  try {
    const record = recordSupervisor(file, controlPort, names);
    return (left) => {
      try {
        record(left);
      } catch (error) {
        log.warn(`flotilla stop and flotilla status may take servers for running: ${messageOf(error)}`);
      }
    };
  } catch (error) {
    log.warn(
      `this supervisor (process ${process.pid}) and its servers run without a record: ${messageOf(error)}`,
    );
    return () => {};
  }
}

/** A web server, a witness and a proxy is this same program once more; any other app server is the user's. */
function commandOf(file: ClusterFile, server: Server, cluster: Cluster): string {
  if (cluster.tier === "app" && server.kind !== "witness" && cluster.attach) return cluster.run!;
  const words = [
    process.execPath,
    process.argv[1]!,
    "start",
    server.name,
    "--config",
    file.path,
    "--supervised",
  ];
  return `exec ${words.map(quoteForShell).join(" ")}`;
}

function environmentOf(file: ClusterFile, server: Server, { tier, attach }: Cluster): Record<string, string> {
  const { name } = server;
  const environment = { FLOTILLA_SERVER: name, FLOTILLA_CONFIG: file.path, FLOTILLA_SUPERVISED: name };
  if (tier === "web" || server.kind === "witness" || !attach) return environment;
  // What programs that know nothing of Flotilla listen on.
  const withPort = { ...environment, PORT: server.plain?.socketPath ?? String(server.port) };
  return server.kind === "http"
    ? withPort
    : { ...withPort, NODE_OPTIONS: withPreload(process.env.NODE_OPTIONS) };
}

function quoteForShell(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
