/**
 * A web server's main process: holds the sockets on which browsers connect, keeps the workers running that accept on
 * them, and answers for all of them: the cluster port, `health:`, the service manager.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Asker } from "../admin/ask.ts";
import { recordServer } from "../admin/run-record.ts";
import { answerQuestions, type Question, serverAnswers } from "../admin/service.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import { seenServers } from "../health/seen-servers.ts";
import { StreamKind } from "../link/api.ts";
import { linkKeys } from "../link/keys.ts";
import { LinkListener } from "../link/listener.ts";
import { Member } from "../member/member.ts";
import { SystemResolver } from "../plain/resolver.ts";
import { AgentPolls } from "../supervise/agent-polls.ts";
import { ListeningSockets } from "../supervise/listening-sockets.ts";
import { NewsBoard } from "../supervise/news-board.ts";
import { Operations } from "../supervise/operations.ts";
import { WorkingFile } from "../supervise/reload.ts";
import { ServerChecks } from "../supervise/server-checks.ts";
import { ServiceManager } from "../supervise/service-manager.ts";
import { WebWorkers } from "../supervise/web-workers.ts";
import { systemClock } from "../support/clock.ts";
import { messageOf } from "../support/errors.ts";
import { createLog, type Log } from "../support/log.ts";
import { interruptedCode, onStopSignals, stopping } from "../support/signals.ts";
import { count } from "../support/words.ts";

/**
 * @param supervised below a supervisor, which hands all sockets of the service manager to each of its web servers.
 * @param recorded called when the server has its record.
 * @throws FlotillaError when it can't start.
 */
export async function runWebServer(
  file: ClusterFile,
  server: Server,
  supervised: boolean,
  recorded: () => void,
): Promise<number> {
  const log = createLog(server.name);
  const member = new Member(file, server);
  const { cluster } = member;
  const manager = new ServiceManager(process.env, log);
  const news = new NewsBoard();
  const sockets = new ListeningSockets(manager.sockets());
  const command = [process.argv[1]!, "worker", server.name, "--config", file.path] as const;
  const workers = new WebWorkers({ file, cluster, command, sockets, news, log });
  const health = {
    unready: (): string => (member.state === "starting" ? "it is starting" : workers.unreadyReason),
    unlive: (): string => workers.stuckReason,
  };
  const resolver = new SystemResolver();
  const checks = new ServerChecks({
    self: { name: server.name, incarnation: member.incarnation },
    ownAddress: server.address,
    news,
    ...{ resolver, clock: systemClock, random: Math.random, log },
  });
  const agents = new AgentPolls({
    news,
    onLoad: (name, record) => workers.tell({ kind: "load", name, record }),
    ...{ resolver, clock: systemClock, random: Math.random, log },
  });
  const asker = new Asker(file);
  const parts = { server, file, news, workers, asker, clock: systemClock, random: Math.random, log };
  const operations = new Operations(parts);
  const working = new WorkingFile({ file, server, workers, news, checks, agents, operations, health, log });
  const stopAsked = Promise.withResolvers<string>();
  const hurried = Promise.withResolvers<void>();
  let isHurried = false;
  onStopSignals({
    drain: stopAsked.resolve,
    hurry(signal) {
      log.info(`${signal} again: cutting what is open`);
      isHurried = true;
      hurried.resolve();
      workers.hurry();
    },
    reload: () => void working.onHangUp(),
    atOnce() {
      workers.kill();
      process.exit(interruptedCode);
    },
  });
  process.on("SIGUSR1", () => workers.tell({ kind: "reopen-logs" }));
  const main = { workers, working, operations, log };
  const port = clusterPort(member, main, () => stopAsked.resolve("flotilla stop"));
  await port.listen();
  await working.openHealth();
  // Before the workers ask for them, so that a port that can't be had is told at once.
  for (const listener of cluster.listen) await sockets.open(listener);
  for (const { name, address, port: number } of supervised ? [] : sockets.unused)
    log.warn(`the service manager's socket ${name} (${address}:${number}) fits no address under listen:`);
  working.startChecks();
  await operations.begin();
  await workers.begin();
  member.state = "up";
  record(file, server, log);
  recorded();
  log.info(`up at ${workers.urls.join(" ")} (process ${process.pid})`);
  manager.ready();

  const why = await stopAsked.promise;
  member.state = "draining";
  workers.isStopping = true;
  manager.stopping();
  operations.stop();
  await workers.askReports();
  const { drainTimeoutMs, drainDelayMs } = working.cluster.timeouts;
  if (drainDelayMs > 0) {
    log.info(`${why}: not ready any more, takes requests for ${drainDelayMs / 1_000} s more`);
    await Promise.race([hurried.promise, sleep(drainDelayMs)]);
  }
  log.info(stopping(why, drainTimeoutMs, [`${count(workers.openRequests, "request")} under way`]));
  sockets.close();
  const drained = workers.drain();
  if (isHurried) workers.hurry();
  await drained;
  checks.stop();
  agents.stop();
  working.closeHealth();
  log.info("stopped");
  // Not by itself: an operator's connection could hold the process.
  process.exit(0);
}

interface MainParts {
  readonly workers: WebWorkers;
  readonly working: WorkingFile;
  readonly operations: Operations;
  readonly log: Log;
}

function clusterPort(member: Member, parts: MainParts, stop: () => void): LinkListener {
  const { workers, working, operations, log } = parts;
  const { file, server } = member;
  const answers = {
    ...serverAnswers(member, { stop }),
    ...operations.answers,
    status: async () => {
      await workers.askReports();
      member.requests = workers.requests;
      const note = workers.stuckReason;
      const orders = operations.standing;
      return {
        ...member.status(),
        ...{ connections: workers.connections, workers: workers.status() },
        seen: seenServers(workers.views),
        ...(orders.length === 0 ? {} : { orders }),
        ...(note === "" ? {} : { note }),
      };
    },
    "reopen-logs": () => {
      workers.tell({ kind: "reopen-logs" });
      return {};
    },
    reload: ({ path }: Question) => working.reload(path),
    upgrade: async () => {
      await workers.upgrade();
      return { pid: process.pid, workers: workers.workers.map(({ pid }) => pid) };
    },
  };
  return new LinkListener({
    self: { name: server.name, incarnation: member.incarnation },
    address: server.address,
    port: server.port,
    keys: linkKeys(file.secret, file.previousSecret),
    knows: (name) => name.startsWith("@") || file.servers.has(name),
    services: new Map([[StreamKind.admin, answerQuestions(answers)]]),
    log,
  });
}

function record(file: ClusterFile, server: Server, log: Log): void {
  try {
    recordServer(file, server.name);
  } catch (error) {
    log.warn(`flotilla stop will not find this process when it does not answer: ${messageOf(error)}`);
  }
}
