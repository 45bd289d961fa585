/**
 * `npm run bench -- --sessions`: what a request with a session costs all processes of a site together, with sessions on
 * two app servers (ours), with express-session and connect-redis, and without any. bench/README.md tells the rest.
 */
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isInstalled } from "../commands.ts";
import { cpuTimeUs } from "../cpu-time.ts";
import { type LoadKind, rowsOf, type SessionSample, table, verdicts } from "./report.ts";
import { type SessionKind, Site } from "./site.ts";
import { type Page, Visitors } from "./visitors.ts";

export interface SessionBenchOptions {
  readonly quick: boolean;
  /** App processes of each site, 2 or 3. */
  readonly servers: number;
  /** A file for the rows. */
  readonly json: string | undefined;
}

const pages = ["write", "read"] as const;
const warmUpMs = 1_000;
/** A modest rate, the same in every run: a few percent of what one core can do without sessions. */
const steadyPerSecond = 1_000;
/** How long nobody is asked anything. */
const idleMs = 3_000;

/** @returns the exit code: 1 when an answer was wrong, or the costs are far from what is promised. */
export async function runSessionBench(options: SessionBenchOptions): Promise<number> {
  if (!isInstalled("redis-server")) {
    say("left out: redis-server is not installed (apt-get install redis-server)");
    return process.env.FLOTILLA_TEST_ALL === "1" ? 1 : 0;
  }
  const kinds: readonly SessionKind[] = ["none", "flotilla", "redis"];
  const sites: Site[] = [];
  try {
    for (const kind of kinds) sites.push(await Site.start(kind, options.servers));
    const crowds = await Promise.all(sites.map((site) => Visitors.signIn(site)));
    const samples = await measure(crowds, options);
    const idle = await idleCosts(sites);
    if (!(await prove(crowds))) return 1;
    const rows = rowsOf(samples);
    const told = verdicts(rows);
    console.log(`\n${table(samples, rows)}\n\n${idle.join("\n")}\n\n${told.lines.join("\n")}`);
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
    return told.isFarOff ? 1 : 0;
  } finally {
    await Promise.all(sites.map((site) => site.stop()));
  }
}

/** Rounds of all in turn, forwards and backwards, so that a busy minute of the machine meets all of them. */
async function measure(
  crowds: readonly Visitors<Site>[],
  options: SessionBenchOptions,
): Promise<SessionSample[]> {
  const rounds = options.quick ? 5 : 15;
  const roundMs = options.quick ? 1_000 : 2_500;
  const samples: SessionSample[] = [];
  for (let turn = 0; turn < (options.quick ? 3 : 6); turn++) {
    for (const crowd of crowds) for (const page of pages) await crowd.load(page, warmUpMs, null);
  }
  for (const page of pages) {
    for (const load of ["saturation", "steady"] as const) {
      for (let round = 0; round < rounds; round++) {
        say(`${page}: ${load}, round ${round + 1} of ${rounds}`);
        const order = round % 2 === 0 ? crowds : crowds.toReversed();
        for (const crowd of order) samples.push(await sample(crowd, page, load, round, roundMs));
      }
    }
  }
  return samples;
}

async function sample(
  crowd: Visitors<Site>,
  page: Page,
  load: LoadKind,
  round: number,
  durationMs: number,
): Promise<SessionSample> {
  const { kind, appPids, storePids } = crowd.site;
  const appBeforeUs = cpuTimeUs(appPids);
  const storeBeforeUs = cpuTimeUs(storePids);
  const result = await crowd.load(page, durationMs, load === "saturation" ? null : steadyPerSecond);
  return {
    ...{ kind, page, load, round },
    ...{ perSecond: result.perSecond, p50Ms: result.p50Ms, p99Ms: result.p99Ms },
    appUs: (cpuTimeUs(appPids) - appBeforeUs) / result.answered,
    storeUs: (cpuTimeUs(storePids) - storeBeforeUs) / result.answered,
  };
}

/** What a site's processes do when nobody asks them anything. */
async function idleCosts(sites: readonly Site[]): Promise<string[]> {
  const before = sites.map((site) => cpuTimeUs([...site.appPids, ...site.storePids]));
  await sleep(idleMs);
  return sites.map((site, index) => {
    const spentUs = cpuTimeUs([...site.appPids, ...site.storePids]) - before[index]!;
    return `  idle, ${site.kind}: ${(spentUs / idleMs).toFixed(1)} ms of CPU time per second, all processes together`;
  });
}

/** All answered writes are there, seen from other servers; and ours still are when an app process was killed. */
async function prove(crowds: readonly Visitors<Site>[]): Promise<boolean> {
  let isRight = true;
  const tell = (kind: SessionKind, when: string, wrong: string | null): void => {
    say(`${kind}: ${wrong ?? "every visitor's counter is right"}${when}`);
    isRight &&= wrong === null;
  };
  for (const crowd of crowds) {
    const { site } = crowd;
    if (site.kind === "none") continue;
    tell(site.kind, ", read at another app server", await crowd.check());
    site.kill(0);
    tell(site.kind, " after an app process was killed", await crowd.check(0));
  }
  return isRight;
}

function say(text: string): void {
  console.error(text);
}
