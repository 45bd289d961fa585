/**
 * `flotilla start`: runs servers of this machine in the foreground. One web server or witness by its name runs in this very
 * process; all others are programs of their own in the care of this process, which starts them again.
 */
import { Asker } from "../admin/ask.ts";
import { refuseOtherSite } from "../admin/other-site.ts";
import type { RunRecord } from "../admin/run-record.ts";
import { runningRecords } from "../admin/running.ts";
import { takeStartTurn } from "../admin/start-turn.ts";
import type { Cluster, ClusterFile, Server } from "../config/model.ts";
import { FlotillaError } from "../support/errors.ts";
import { localServers, openFile, serversNamed, shortName, withAddress } from "./cluster-file.ts";
import { complain, enumerate } from "./terminal.ts";

export interface StartOptions {
  readonly all: boolean;
  /** We are a supervisor's child: it has checked what there is to check. */
  readonly supervised: boolean;
}

/** @returns the exit code, once everything that it started has ended. */
export async function start(path: string, names: readonly string[], options: StartOptions): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  const servers = options.all ? await allStartable(file) : await namedStartable(file, names);
  const turnOver = options.supervised ? () => {} : await takeStartTurn(file);
  if (!options.supervised) await refuseRunning(file, servers);
  const [only] = servers.length === 1 && !options.all ? servers : [];
  // Each loads what it needs: these processes stay.
  if (only?.kind === "witness") {
    const { runWitness } = await import("./run-witness.ts");
    return await runWitness(file, only, turnOver);
  }
  if (only !== undefined && options.supervised && clusterOf(file, only).tier === "app") {
    const { runProxied } = await import("./run-proxied.ts");
    return await runProxied(file, only);
  }
  if (only !== undefined && clusterOf(file, only).tier === "web") {
    const { runWebServer } = await import("./run-web-server.ts");
    return await runWebServer(file, only, options.supervised, turnOver);
  }
  const { superviseServers } = await import("./supervise-servers.ts");
  return await superviseServers(file, servers, turnOver);
}

/** @throws FlotillaError when one of them can't be started here. */
async function namedStartable(file: ClusterFile, names: readonly string[]): Promise<Server[]> {
  const servers = serversNamed(file, names);
  const local = await localServers(servers);
  const elsewhere = servers.filter((server) => !local.includes(server));
  if (elsewhere.length > 0) {
    throw new FlotillaError(
      "FLOTILLA_ADDRESS_NOT_HERE",
      `${enumerate(elsewhere.map(withAddress))}: the address is not of this machine; start it there, or correct ` +
        `the address in ${shortName(file)}`,
      { source: "client" },
    );
  }
  const unstartable = servers.find((server) => !isStartable(file, server));
  if (unstartable !== undefined) throw notStartable(file, unstartable);
  return servers;
}

/** @throws FlotillaError when there is nothing of the file to start on this machine. */
async function allStartable(file: ClusterFile): Promise<Server[]> {
  const servers = [...file.servers.values()];
  const local = await localServers(servers);
  const startable = local.filter((server) => isStartable(file, server));
  if (startable.length > 0) {
    for (const server of local)
      if (!startable.includes(server) && server.kind === "link")
        complain(`note: ${howToStart(file, server)}`);
    return startable;
  }
  const ownProgram = local.find(({ kind }) => kind === "link");
  if (ownProgram !== undefined) throw notStartable(file, ownProgram);
  throw new FlotillaError(
    "FLOTILLA_NOTHING_TO_START",
    `no server of ${shortName(file)} is of this machine: ${enumerate(servers.map(withAddress))}; run this on ` +
      "their machines, or correct their addresses",
    { source: "client" },
  );
}

function isStartable(file: ClusterFile, server: Server): boolean {
  const { tier, run } = clusterOf(file, server);
  return tier === "web" || server.kind === "witness" || run !== null;
}

function notStartable(file: ClusterFile, server: Server): FlotillaError {
  return new FlotillaError("FLOTILLA_NOTHING_TO_START", howToStart(file, server), { source: "client" });
}

function howToStart(file: ClusterFile, server: Server): string {
  return server.kind === "http"
    ? `${server.name} is a plain HTTP server, which is started by itself and not by flotilla`
    : `${server.name} has no \`run:\` in ${shortName(file)}: start your program yourself with ` +
        `FLOTILLA_SERVER=${server.name} FLOTILLA_CONFIG=${file.path}, or write \`run: node server.js\` in cluster ${server.cluster}`;
}

/** @throws FlotillaError FLOTILLA_DATA_FOLDER_SHARED, FLOTILLA_ALREADY_RUNNING */
async function refuseRunning(file: ClusterFile, servers: readonly Server[]): Promise<void> {
  const names = new Set(servers.map(({ name }) => name));
  refuseOtherSite(file);
  const records = await runningRecords(file, new Asker(file));
  // A supervisor's record tells of all its servers; the record of one of them would tell less.
  for (const record of records.toSorted((one, other) => rank(one) - rank(other))) {
    const running = record.servers.filter((name) => names.has(name));
    if (running.length === 0) continue;
    const how =
      record.kind === "supervisor" ? `in the care of process ${record.pid}` : `as process ${record.pid}`;
    throw new FlotillaError(
      "FLOTILLA_ALREADY_RUNNING",
      `${enumerate(running)} of ${shortName(file)} ${running.length === 1 ? "runs" : "run"} already, ${how}; ` +
        "see flotilla status, and end it with flotilla stop",
      { source: "client" },
    );
  }
}

function rank({ kind }: RunRecord): number {
  return kind === "supervisor" ? 0 : 1;
}

function clusterOf(file: ClusterFile, server: Server): Cluster {
  return file.clusters.get(server.cluster)!;
}
