/** One worker of a web server: this process does its work, below the main process (run-web-server.ts). */
import { loadOrThrow } from "../config/load.ts";
import { Member } from "../member/member.ts";
import { WorkerChannel } from "../supervise/worker-channel.ts";
import { codeOf, FlotillaError, messageOf } from "../support/errors.ts";
import { workers as limits } from "../support/limits.ts";
import { createLog } from "../support/log.ts";
import { type Prepared, startWebServer, type WebServer } from "../web-tier/server.ts";

/** Ends with the process. @throws FlotillaError when nobody is there to work for. */
export async function runWebWorker(path: string, name: string): Promise<number> {
  if (process.send === undefined)
    throw new FlotillaError("FLOTILLA_WORKER_PROTOCOL", `a worker is begun by: flotilla start ${name}`);
  const log = createLog(name);
  let web: WebServer | null = null;
  const report = (): void => {
    if (web !== null) channel.tell({ kind: "report", report: web.report() });
  };
  const end = async (drained: Promise<unknown>): Promise<void> => {
    await Promise.race([drained, cut.promise]);
    await web?.close();
    report();
    // Not by itself: a browser's connection or a timer could hold the process. Once the report is on its way.
    setImmediate(() => process.exit(0));
  };
  const cut = Promise.withResolvers<void>();
  const drain = (idleMs: number, timeoutMs: number): void =>
    void end(web === null ? Promise.resolve() : web.drain(idleMs, timeoutMs));
  const started = Promise.withResolvers<WebServer>();
  let prepared: Prepared | null = null;
  const channel: WorkerChannel = new WorkerChannel({
    report,
    prepare: (file) =>
      void started.promise
        .then((server) => server.prepare(file))
        .then(
          (ready) => {
            prepared = ready;
            channel.tell({ kind: "prepared", failure: null });
          },
          (error) =>
            channel.tell({ kind: "prepared", failure: { code: codeOf(error), message: messageOf(error) } }),
        ),
    commit() {
      prepared?.commit();
      prepared = null;
      channel.tell({ kind: "committed", urls: web?.urls ?? [] });
      report();
    },
    discard() {
      prepared?.discard();
      prepared = null;
    },
    drain: (idleMs) => drain(idleMs, Number.POSITIVE_INFINITY),
    reopenLogs: () => web?.reopenLogs(),
    cut: () => cut.resolve(),
    orphaned: () => drain(0, limits.orphanDrainMs),
  });
  try {
    const file = (await channel.begun()) ?? loadOrThrow(path);
    const server = file.servers.get(name);
    if (server === undefined)
      throw new FlotillaError("FLOTILLA_SERVER_UNKNOWN", `there is no server ${name} in ${path} any more`);
    web = await startWebServer(new Member(file, server), log, (endpoint) => channel.socket(endpoint));
    started.resolve(web);
    report();
    channel.tell({ kind: "ready", urls: web.urls, file });
  } catch (error) {
    channel.tell({ kind: "failed", code: codeOf(error), message: messageOf(error) });
    setImmediate(() => process.exit(1));
  }
  return await new Promise(() => {});
}
