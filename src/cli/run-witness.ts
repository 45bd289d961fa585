/** One witness in this process, from its start to its end. */
import { recordServer } from "../admin/run-record.ts";
import { adminService } from "../admin/service.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import { Member } from "../member/member.ts";
import { Witness } from "../session/wiring/witness.ts";
import { messageOf } from "../support/errors.ts";
import { createLog } from "../support/log.ts";
import { interruptedCode, onStopSignals } from "../support/signals.ts";

/**
 * @param recorded called when it has its record.
 * @throws FlotillaError when it can't start.
 */
export async function runWitness(file: ClusterFile, server: Server, recorded: () => void): Promise<number> {
  const log = createLog(server.name);
  const member = new Member(file, server);
  let askToStop!: (why: string) => void;
  const stopAsked = new Promise<string>((resolve) => {
    askToStop = resolve;
  });
  const atOnce = (): void => process.exit(interruptedCode);
  onStopSignals({ drain: askToStop, hurry: () => {}, atOnce });
  const admin = adminService(member, { stop: () => askToStop("flotilla stop") });
  const witness = new Witness(member, admin, log);
  await witness.start();
  try {
    recordServer(file, server.name);
  } catch (error) {
    log.warn(`flotilla stop will not find this process when it does not answer: ${messageOf(error)}`);
  }
  recorded();
  member.state = "up";
  const { address, port } = server;
  log.info(
    `up, votes for ${member.cluster.name} at cluster port ${address}:${port} (process ${process.pid})`,
  );
  log.info(`${await stopAsked}: it votes no more`);
  await witness.stop();
  log.info("stopped");
  process.exit(0);
}
