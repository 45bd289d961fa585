/** `flotilla upgrade`: running web servers of this machine go on with the program that is on the disk now. */
import { Asker } from "../admin/ask.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import { codeOf, FlotillaError } from "../support/errors.ts";
import { admin as limits } from "../support/limits.ts";
import { count } from "../support/words.ts";
import { localServers, openFile, serversNamed, shortName, withAddress } from "./cluster-file.ts";
import { enumerate, say, sayJson } from "./terminal.ts";

interface UpgradeAnswer {
  /** Of the main process, which stays. */
  readonly pid: number;
  /** The new ones. */
  readonly workers: readonly number[];
}

/**
 * One after the other; the first that fails is the last.
 * @returns the exit code, once all of them take requests with the new program.
 * @throws FlotillaError when one of them does not: it goes on as it was.
 */
export async function upgrade(path: string, names: readonly string[], asJson: boolean): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  const servers = await webServersHere(file, names);
  const asker = new Asker(file);
  const upgraded: (UpgradeAnswer & { name: string })[] = [];
  for (const server of servers) {
    const answer = await ask(asker, server, names.length > 0);
    if (answer === null) continue;
    upgraded.push({ name: server.name, ...answer });
    if (!asJson)
      say(
        `${server.name} (process ${answer.pid}) goes on with ${count(answer.workers.length, "new worker")}`,
      );
  }
  if (upgraded.length === 0)
    throw new FlotillaError(
      "FLOTILLA_UPGRADE_FAILED",
      `no web server of ${shortName(file)} runs on this machine`,
    );
  if (asJson) sayJson({ upgraded });
  return 0;
}

/** @returns null when it does not run, and need not. */
async function ask(asker: Asker, server: Server, mustRun: boolean): Promise<UpgradeAnswer | null> {
  try {
    return (await asker.server(server, { ask: "upgrade" }, limits.upgradeTimeoutMs)) as UpgradeAnswer;
  } catch (error) {
    if (!mustRun && codeOf(error) === "FLOTILLA_LINK_UNREACHABLE") return null;
    throw error;
  }
}

/** @throws FlotillaError FLOTILLA_SERVER_UNKNOWN, FLOTILLA_ADDRESS_NOT_HERE, FLOTILLA_UPGRADE_FAILED */
async function webServersHere(file: ClusterFile, names: readonly string[]): Promise<Server[]> {
  const isWeb = ({ cluster }: Server): boolean => file.clusters.get(cluster)!.tier === "web";
  if (names.length === 0) return await localServers([...file.servers.values()].filter(isWeb));
  const servers = serversNamed(file, names);
  const others = servers.filter((server) => !isWeb(server));
  if (others.length > 0)
    throw new FlotillaError(
      "FLOTILLA_UPGRADE_FAILED",
      `${enumerate(others.map(({ name }) => name))}: only web servers are upgraded in place; app servers are restarted ` +
        `one after the other, and lose no session by it: flotilla restart ${names.join(" ")}`,
      { source: "client" },
    );
  const local = await localServers(servers);
  const elsewhere = servers.filter((server) => !local.includes(server));
  if (elsewhere.length === 0) return servers;
  throw new FlotillaError(
    "FLOTILLA_ADDRESS_NOT_HERE",
    `${enumerate(elsewhere.map(withAddress))}: the address is not of this machine; upgrade it there`,
    { source: "client" },
  );
}
