/**
 * A server of a cluster with `attach: false`, as a supervisor starts it: the program of `run:` below this process, on a port of
 * the loopback that only we know, and its cluster port here, which is open while the program listens. It lives as long
 * as the program does.
 */
import http from "node:http";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { AppServer } from "../app-tier/app-server.ts";
import { proxyConnections, type Target } from "../app-tier/proxied-program.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import { Member } from "../member/member.ts";
import { freePort } from "../supervise/free-port.ts";
import { type Ending, type LinePrinter, type Program, startProgram } from "../supervise/program.ts";
import { portTrouble } from "../supervise/unheard.ts";
import { systemClock } from "../support/clock.ts";
import { attach as limits } from "../support/limits.ts";
import { loopbackOf, portsOfGroup } from "../support/listening-ports.ts";
import { createLog, type Log } from "../support/log.ts";

/** HOST of the program. One that listens on "localhost" may get ::1 all the same. */
const loopback = "127.0.0.1";

/** @returns never, in fact: the process ends with its program, and with its code. */
export async function runProxied(file: ClusterFile, server: Server): Promise<number> {
  const log = createLog(server.name);
  const member = new Member(file, server);
  // Should another process take it before the program does, the program fails, and is started again on another one.
  const port = await freePort(file, loopback);
  const ended = Promise.withResolvers<void>();
  let isStopping = false;
  const program = start(member, port, (ending) => {
    ended.resolve();
    if (!isStopping) process.exit(exitCodeOf(ending));
  });
  const target = await listening(program, server, port, log);
  const front = http.createServer();
  const app = new AppServer(front, member, {
    compat: true,
    onDrained: () => {
      isStopping = true;
      return end(program, ended.promise, member.cluster.timeouts.drainTimeoutMs);
    },
  });
  proxyConnections(front, target);
  await app.start();
  log.info(`its program listens on ${target.host}:${port} (process ${program.pid})`);
  await ended.promise;
  return 0;
}

function start(member: Member, port: number, onEnd: (ending: Ending) => void): Program {
  const { file, cluster, server } = member;
  return startProgram(
    {
      server: server.name,
      command: cluster.run!,
      folder: file.folder,
      // It is no member of the cluster itself: serve() in it listens on PORT too.
      environment: { PORT: String(port), HOST: loopback, FLOTILLA_SERVER: "", FLOTILLA_CONFIG: "" },
      drainTimeoutMs: cluster.timeouts.drainTimeoutMs,
    },
    { out: onTo(process.stdout), err: onTo(process.stderr), onLine() {} },
    onEnd,
  );
}

/** The supervisor above cuts lines and names them; these outputs are pipes to it, which are written at once. */
function onTo(destination: NodeJS.WriteStream): LinePrinter {
  return { line: (_server, line) => void destination.write(`${line}\n`), hold() {} };
}

/** Resolves when the program listens. */
async function listening(program: Program, server: Server, port: number, log: Log): Promise<Target> {
  const notice = systemClock.after(limits.noticeAfterMs, () =>
    log.warn(portTrouble(server, port, portsOfGroup(program.pid))),
  );
  for (;;) {
    const host = loopbackOf(port);
    if (host !== null) {
      notice.cancel();
      return { host, port };
    }
    await sleep(limits.askIntervalMs);
  }
}

/** Its requests are over: TERM, and KILL when it does not go in time. */
async function end(program: Program, ended: Promise<void>, timeoutMs: number): Promise<void> {
  program.terminate();
  const timer = systemClock.after(timeoutMs, () => program.kill());
  await ended;
  timer.cancel();
}

function exitCodeOf({ code, signal, failure }: Ending): number {
  if (failure !== null) return 127;
  // As shells tell a signal.
  return signal === null ? (code ?? 1) : 128 + constants.signals[signal];
}
