/** One web server in this process, from its start to the end of its drain. */
import { recordServer } from "../admin/run-record.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import { Member } from "../member/member.ts";
import { messageOf } from "../support/errors.ts";
import { createLog } from "../support/log.ts";
import { onStopSignals } from "../support/signals.ts";
import { startWebServer } from "../web-tier/server.ts";

/**
 * @param recorded called when the server has its record.
 * @throws FlotillaError when it can't start.
 */
export async function runWebServer(file: ClusterFile, server: Server, recorded: () => void): Promise<number> {
  const log = createLog(server.name);
  const member = new Member(file, server);
  let askToStop!: (why: string) => void;
  const stopAsked = new Promise<string>((resolve) => {
    askToStop = resolve;
  });
  onStopSignals(askToStop);
  const web = await startWebServer(member, log, () => askToStop("flotilla stop"));
  try {
    recordServer(file, server.name);
  } catch (error) {
    log.warn(`flotilla stop will not find this process when it does not answer: ${messageOf(error)}`);
  }
  recorded();
  log.info(`up at ${web.urls.join(" ")} (process ${process.pid})`);
  const why = await stopAsked;
  log.info(`${why}: answering what is open, for at most ${member.cluster.timeouts.drainTimeoutMs / 1000} s`);
  await web.drain();
  log.info("stopped");
  // Not by itself: a browser's connection or a timer could hold the process.
  process.exit(0);
}
