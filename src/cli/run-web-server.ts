/** One web server in this process, from its start to the end of its drain. */
import { recordServer } from "../admin/run-record.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import { Member } from "../member/member.ts";
import { messageOf } from "../support/errors.ts";
import { createLog } from "../support/log.ts";
import { interruptedCode, onStopSignals, stopping } from "../support/signals.ts";
import { count } from "../support/words.ts";
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
  let hurry = (): void => {};
  onStopSignals({
    drain: askToStop,
    hurry(signal) {
      log.info(`${signal} again: cutting what is open`);
      hurry();
    },
    atOnce: () => process.exit(interruptedCode),
  });
  const web = await startWebServer(member, log, () => askToStop("flotilla stop"));
  try {
    recordServer(file, server.name);
  } catch (error) {
    log.warn(`flotilla stop will not find this process when it does not answer: ${messageOf(error)}`);
  }
  recorded();
  log.info(`up at ${web.urls.join(" ")} (process ${process.pid})`);
  const why = await stopAsked;
  const { drainTimeoutMs } = member.cluster.timeouts;
  log.info(stopping(why, drainTimeoutMs, [`${count(web.openRequests, "request")} under way`]));
  await Promise.race([
    web.drain(),
    new Promise<void>((resolve) => {
      hurry = resolve;
    }),
  ]);
  await web.close();
  log.info("stopped");
  // Not by itself: a browser's connection or a timer could hold the process.
  process.exit(0);
}
