/** The file that a command works on, and the servers in it that its words mean. */
import { relative } from "node:path";
import { loadClusterFile } from "../config/load.ts";
import { isLocalAddress } from "../config/local.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import { suggestion } from "../config/nearest.ts";
import { formatProblem } from "../config/problems.ts";
import { FlotillaError } from "../support/errors.ts";
import { complain } from "./terminal.ts";

/** @returns the file, its warnings told; or null, everything wrong with it told. */
export function openFile(path: string): ClusterFile | null {
  const { file, problems } = loadClusterFile(path);
  for (const problem of problems) if (problem.severity !== "note") complain(formatProblem(problem));
  return file;
}

/** The file's name as a person would type it here. */
export function shortName(file: ClusterFile): string {
  const short = relative(process.cwd(), file.path);
  return short.startsWith("../..") ? file.path : short;
}

/**
 * The servers with these names; an entry with `processes:` means all of them. Each once, in the order of the file.
 * @throws FlotillaError FLOTILLA_SERVER_UNKNOWN
 */
export function serversNamed(file: ClusterFile, names: readonly string[]): Server[] {
  const servers = [...file.servers.values()];
  for (const name of names) {
    if (servers.some((server) => server.name === name || server.entry === name)) continue;
    const known = new Set(servers.flatMap((server) => [server.entry, server.name]));
    throw new FlotillaError(
      "FLOTILLA_SERVER_UNKNOWN",
      `there is no server "${name}" in ${shortName(file)}${suggestion(name, known)}; its servers: ` +
        [...new Set(servers.map((server) => server.entry))].join(", "),
      { source: "client" },
    );
  }
  return servers.filter((server) => names.includes(server.name) || names.includes(server.entry));
}

/** Those whose address is of this machine. */
export async function localServers(servers: readonly Server[]): Promise<Server[]> {
  const addresses = new Set(servers.map(({ address }) => address));
  const checked = await Promise.all(
    [...addresses].map(async (address) => ((await isLocalAddress(address)) ? address : null)),
  );
  const local = new Set(checked);
  return servers.filter(({ address }) => local.has(address));
}

/** "app-a (192.168.0.10)", for messages. */
export function withAddress({ name, address }: Server): string {
  return `${name} (${address})`;
}
