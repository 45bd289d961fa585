/** `flotilla sessions count`: how many sessions each server keeps, and how large they are. */
import { Asker } from "../../admin/ask.ts";
import { refuseOtherSite } from "../../admin/other-site.ts";
import type { ClusterFile } from "../../config/model.ts";
import { count as counted, grouped, sizeInWords } from "../../support/words.ts";
import { openFile } from "../cluster-file.ts";
import { coloured, complain, enumerate, say, sayJson, table } from "../terminal.ts";
import { clustersWithSessions, type InDatabase, type Keeper, Keepers, type Silent } from "./keepers.ts";

interface ClusterCounts {
  readonly name: string;
  readonly all: readonly Keeper[];
  readonly silent: readonly Silent[];
  /** That servers have in common; null: none. */
  readonly inDatabase: InDatabase | null;
}

/** @returns the exit code: 0 when all servers answered. */
export async function count(path: string, name: string | null, asJson: boolean): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  refuseOtherSite(file);
  const clusters = await countsOf(file, name);
  if (asJson) sayJson({ clusters: clusters.map(inJson) });
  else for (const line of inWords(clusters)) say(line);
  const silent = clusters.flatMap((cluster) => cluster.silent);
  for (const { server, why } of silent) complain(`${server.name} was not counted: ${why}`);
  if (silent.length > 0)
    complain(`The totals are incomplete: ${counted(silent.length, "server")} did not answer.`);
  return silent.length === 0 ? 0 : 1;
}

async function countsOf(file: ClusterFile, name: string | null): Promise<ClusterCounts[]> {
  const asker = new Asker(file);
  return await Promise.all(
    clustersWithSessions(file, name).map(async (cluster) => {
      const keepers = new Keepers(file, cluster, asker);
      try {
        await keepers.look();
        const inDatabase = await keepers.inDatabase();
        return { name: cluster.name, all: keepers.all, silent: keepers.silent, inDatabase };
      } finally {
        keepers.end();
      }
    }),
  );
}

interface Total {
  readonly sessions: number;
  readonly bytes: number;
}

function totalOf(all: readonly Keeper[], part: "owned" | "backedUp" | "onDisk"): Total {
  return {
    sessions: all.reduce((sum, keeper) => sum + (keeper[part]?.sessions ?? 0), 0),
    bytes: all.reduce((sum, keeper) => sum + (keeper[part]?.bytes ?? 0), 0),
  };
}

function inJson({ name, all, silent, inDatabase }: ClusterCounts): object {
  const owned = totalOf(all, "owned");
  return {
    name,
    servers: all.map(({ server, kind, served, owned, backedUp, onDisk, singleCopy }) => ({
      ...{ name: server.name, kind, slots: kind === "shared" ? served.size : null },
      ...{ owned, backedUp, onDisk, singleCopy },
    })),
    silent: silent.map(({ server, why }) => ({ name: server.name, why })),
    ...(inDatabase === null ? {} : { inDatabase }),
    // How large they are in a database is the database's to say.
    total: inDatabase === null ? owned : { sessions: owned.sessions + inDatabase.sessions, bytes: null },
    isComplete: silent.length === 0,
  };
}

function inWords(clusters: readonly ClusterCounts[]): string[] {
  const hasDisks = clusters.some(({ all }) => all.some(({ onDisk }) => onDisk !== null));
  const head = ["SERVER", "CLUSTER", hasDisks ? "IN MEMORY" : "SESSIONS", "SIZE", "BACKED UP", "SIZE"];
  if (hasDisks) head.push("ON DISK", "SIZE");
  head.push("SLOTS", "ONE COPY");
  const rows = clusters.flatMap(({ name, all: keepers, inDatabase }) => {
    const all = keepers.filter(({ kind }) => kind !== "common");
    return [
      ...all.map((keeper) => [keeper.server.name, name, ...cells([keeper], hasDisks)]),
      ...(all.length > 1 ? [["total", name, ...cells(all, hasDisks)]] : []),
      ...(inDatabase === null ? [] : [databaseRow(name, inDatabase, head.length)]),
    ];
  });
  const [headLine, ...lines] = table([head, ...rows], new Set([2, 3, 4, 5, 6, 7, 8, 9]));
  const alone = clusters.flatMap(({ all }) =>
    all.filter(({ kind, owned }) => kind === "alone" && owned.sessions > 0),
  );
  const names = enumerate(alone.map(({ server }) => server.name));
  return [
    coloured(headLine!, "bold"),
    ...lines,
    ...(alone.length === 0 ? [] : [`${names} ${alone.length === 1 ? "keeps" : "keep"} sessions alone.`]),
  ];
}

/** How large they are there is not known. */
function databaseRow(cluster: string, { database, sessions }: InDatabase, columns: number): string[] {
  const cells = [database, cluster, grouped(sessions)];
  return [...cells, ...Array<string>(columns - cells.length).fill("-")];
}

/** Of one server, or the sums of several. */
function cells(all: readonly Keeper[], withDisks: boolean): string[] {
  const shared = all.filter(({ kind }) => kind === "shared");
  const isShared = shared.length > 0;
  const slots = shared.reduce((sum, { served }) => sum + served.size, 0);
  const single = shared.reduce((sum, { singleCopy }) => sum + (singleCopy?.sessions ?? 0), 0);
  const hasDisk = all.some(({ onDisk }) => onDisk !== null);
  return [
    ...pair(totalOf(all, "owned"), true),
    ...pair(totalOf(all, "backedUp"), isShared),
    ...(withDisks ? pair(totalOf(all, "onDisk"), hasDisk) : []),
    ...(isShared ? [grouped(slots), grouped(single)] : ["-", "-"]),
  ];
}

function pair({ sessions, bytes }: Total, isKnown: boolean): string[] {
  return isKnown ? [grouped(sessions), sizeInWords(bytes)] : ["-", "-"];
}
