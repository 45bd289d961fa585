/**
 * Where other commands of this machine reach a supervisor: a link on a free port of 127.0.0.1, which its run
 * record names. Whoever holds the cluster's key may ask, as on every cluster port.
 */
import { randomBytes } from "node:crypto";
import { controlAddress, supervisorName } from "../admin/ask.ts";
import type { SupervisorStatus } from "../admin/cluster-status.ts";
import { answerQuestions } from "../admin/service.ts";
import type { ClusterFile } from "../config/model.ts";
import { StreamKind } from "../link/api.ts";
import { linkKeys } from "../link/keys.ts";
import { LinkListener } from "../link/listener.ts";
import type { Log } from "../support/log.ts";
import { freePort } from "./free-port.ts";
import type { Supervisor } from "./supervisor.ts";

export interface Control {
  readonly port: number;
  close(): void;
}

/** @throws FlotillaError when no port can be had. */
export async function openControl(file: ClusterFile, supervisor: Supervisor, log: Log): Promise<Control> {
  const listener = new LinkListener({
    self: { name: supervisorName, incarnation: randomBytes(9).toString("base64url") },
    address: controlAddress,
    port: await freePort(file, controlAddress),
    keys: linkKeys(file.secret, file.previousSecret),
    knows: (name) => name.startsWith("@"),
    services: new Map([
      [
        StreamKind.admin,
        answerQuestions({
          status: (): SupervisorStatus => ({ pid: process.pid, units: supervisor.status() }),
          stop: ({ servers }): SupervisorStatus => ({
            pid: process.pid,
            units: supervisor.stop(servers ?? null),
          }),
        }),
      ],
    ]),
    log,
  });
  await listener.listen();
  return { port: listener.port, close: () => void listener.close() };
}
