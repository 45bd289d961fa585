/**
 * `npm run bench -- --stores`: the same application with its sessions in each of our stores, and in express-session's stores on the
 * same databases: CPU time per request, and how long visitors wait. bench/README.md tells the rest.
 */
import { writeFileSync } from "node:fs";
import { cpuTimeUs, endedChildrenUs } from "../cpu-time.ts";
import { type Page, Visitors } from "../sessions/visitors.ts";
import { type Database, type DatabaseKind, startDatabase, whyNoDatabase } from "./databases.ts";
import { type StoreSample, storeRows, storeTable } from "./report.ts";
import { type Keeper, keepers, StoreSite } from "./site.ts";

export interface StoreBenchOptions {
  readonly quick: boolean;
  /** A file for the rows. */
  readonly json: string | undefined;
}

interface Lengths {
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
  readonly warmed: readonly Page[];
  /** Visitors of each of the 48 connections. */
  readonly visitors: number;
}

const pages: readonly Page[] = ["read", "write"];
const whole: Lengths = { rounds: 7, roundMs: 3_000, warmUpMs: 4_000, warmed: pages, visitors: 32 };
const quick: Lengths = { rounds: 1, roundMs: 300, warmUpMs: 100, warmed: ["write"], visitors: 1 };
/** The same for all, and so little that the slowest has time to spare. */
const perSecond = 300;

/** @returns the exit code: 1 when an answer was wrong, or (with FLOTILLA_TEST_ALL=1) something is not installed. */
export async function runStoreBench({ quick: isQuick, json }: StoreBenchOptions): Promise<number> {
  const measured = keepers.filter(isPossible);
  if (measured.length < keepers.length && process.env.FLOTILLA_TEST_ALL === "1") return 1;
  const databases = new Map<DatabaseKind, Database>();
  const sites: StoreSite[] = [];
  try {
    for (const { database } of measured)
      if (database !== undefined && !databases.has(database))
        databases.set(database, await startDatabase(database));
    const lengths = isQuick ? quick : whole;
    const crowds: Visitors<StoreSite>[] = [];
    for (const keeper of measured) {
      say(`${keeper.name}: starts`);
      const site = await StoreSite.start(keeper, databases);
      sites.push(site);
      crowds.push(await Visitors.signIn(site, lengths.visitors));
    }
    if (!(await prove(crowds, lengths))) return 1;
    const samples = await measure(crowds, lengths);
    if (!(await areRight(crowds, "afterwards"))) return 1;
    const rows = storeRows(samples);
    console.log(`\n${storeTable(rows)}`);
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(rows, null, 2)}\n`);
    return 0;
  } finally {
    await Promise.all(sites.map((site) => site.stop()));
    await Promise.all([...databases.values()].map((database) => database.remove()));
  }
}

function isPossible({ name, database }: Keeper): boolean {
  const why = database === undefined ? null : whyNoDatabase(database);
  if (why !== null) say(`left out: ${name} ${why}`);
  return why === null;
}

/** Before anything is measured: writes, and what another app process reads of them. It also warms up. */
async function prove(
  crowds: readonly Visitors<StoreSite>[],
  { warmUpMs, warmed }: Lengths,
): Promise<boolean> {
  for (const crowd of crowds) for (const page of warmed) await crowd.load(page, warmUpMs, perSecond);
  return await areRight(crowds, "before");
}

/** Each visitor's session, read at the other app process, has all writes that were answered. */
export async function areRight(
  crowds: readonly Visitors<StoreSite>[],
  when: string,
  tell: (line: string) => void = say,
): Promise<boolean> {
  let isRight = true;
  for (const crowd of crowds) {
    const { kind, keeper } = crowd.site;
    if (keeper.app === "none") continue;
    const wrong = await crowd.check();
    tell(`${kind}, ${when}: ${wrong ?? "every visitor's counter is right, read at the other app process"}`);
    isRight &&= wrong === null;
  }
  return isRight;
}

/** Rounds of all in turn, forwards and backwards, so that a busy minute of the machine meets all of them. */
async function measure(crowds: readonly Visitors<StoreSite>[], lengths: Lengths): Promise<StoreSample[]> {
  const samples: StoreSample[] = [];
  for (const page of pages) {
    for (let round = 0; round < lengths.rounds; round++) {
      say(`${page}: round ${round + 1} of ${lengths.rounds}`);
      const order = round % 2 === 0 ? crowds : crowds.toReversed();
      for (const crowd of order) samples.push(await sample(crowd, page, round, lengths.roundMs));
    }
  }
  return samples;
}

async function sample(
  crowd: Visitors<StoreSite>,
  page: Page,
  round: number,
  durationMs: number,
): Promise<StoreSample> {
  const { kind, appPids, databasePid } = crowd.site;
  const [appBeforeUs, databaseBeforeUs] = [cpuTimeUs(appPids), databaseTimeUs(databasePid)];
  const { answered, p50Ms, p99Ms } = await crowd.load(page, durationMs, perSecond);
  return {
    ...{ keeper: kind, page, round, p50Ms, p99Ms },
    appUs: (cpuTimeUs(appPids) - appBeforeUs) / answered,
    databaseUs: (databaseTimeUs(databasePid) - databaseBeforeUs) / answered,
  };
}

function databaseTimeUs(pid: number | null): number {
  return pid === null ? 0 : cpuTimeUs([pid]) + endedChildrenUs(pid);
}

function say(text: string): void {
  console.error(text);
}
