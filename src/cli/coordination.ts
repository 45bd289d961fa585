/** `flotilla coordination move`: the register of sessions goes from the app servers to the engine that the file names. */
import { Asker } from "../admin/ask.ts";
import { refuseOtherSite } from "../admin/other-site.ts";
import type { MoveAnswer } from "../admin/service.ts";
import type { Cluster, ClusterFile, Server } from "../config/model.ts";
import { FlotillaError, messageOf } from "../support/errors.ts";
import { admin as limits } from "../support/limits.ts";
import { openFile } from "./cluster-file.ts";
import { enumerate, say, sayJson } from "./terminal.ts";

/**
 * @returns the exit code, once every app server goes by the new engine.
 * @throws FlotillaError FLOTILLA_MOVE_REFUSED
 */
export async function moveRegister(path: string, asJson: boolean): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  refuseOtherSite(file);
  const clusters = [...file.clusters.values()].filter(({ coordination }) => isMoving(coordination));
  if (clusters.length === 0)
    throw refused(
      "no cluster of the file is to be moved: write coordination: { etcd: [...], from: members }, restart its servers with that file, and repeat this",
    );
  for (const cluster of clusters) {
    await move(file, cluster);
    const { name, coordination } = cluster;
    if (!asJson)
      say(
        `The register of ${name} is in ${coordination.engine} now, and all its servers go by it. Take "from: members" out of the file ` +
          `(and witness:, if there is one), and restart them when it suits you: flotilla restart ${name}`,
      );
  }
  if (asJson)
    sayJson({ moved: clusters.map(({ name, coordination }) => ({ name, to: coordination.engine })) });
  return 0;
}

function isMoving(coordination: Cluster["coordination"]): boolean {
  return coordination.engine !== "members" && coordination.isMoving;
}

/** Everybody is asked first: who could not go along would stop serving. */
async function move(file: ClusterFile, { name, servers }: Cluster): Promise<void> {
  const keepers = servers.filter(({ kind }) => kind === "link");
  const asker = new Asker(file);
  await everybody(
    asker,
    keepers,
    "register-check",
    `the register of ${name} was not moved, nothing has changed`,
  );
  const [first] = keepers;
  await everybody(asker, [first!], "register-move", `whether the register of ${name} was moved is unknown`);
  await everybody(
    asker,
    keepers,
    "register-move",
    `the register of ${name} was moved, but not all servers have seen it`,
  );
}

/** @throws FlotillaError with what each of those said that failed. */
async function everybody(
  asker: Asker,
  servers: readonly Server[],
  ask: "register-check" | "register-move",
  whatThen: string,
): Promise<void> {
  const failures: string[] = [];
  await Promise.all(
    servers.map(async (server) => {
      try {
        const { hasMoved } = (await asker.server(server, { ask }, limits.moveTimeoutMs)) as MoveAnswer;
        if (ask === "register-move" && hasMoved !== true)
          failures.push(`${server.name} does not see it there`);
      } catch (error) {
        failures.push(messageOf(error));
      }
    }),
  );
  if (failures.length > 0) throw refused(`${whatThen}: ${enumerate(failures)}. Mend that and repeat this`);
}

function refused(message: string): FlotillaError {
  return new FlotillaError("FLOTILLA_MOVE_REFUSED", message, { source: "client" });
}
