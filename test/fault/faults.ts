/** The faults: what is done to which server, and how it is undone. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Direction } from "./network.ts";
import { appServers, type Site, webServers } from "./site.ts";

/** Of a fault: whose sessions are looked at. */
export type Part = "owner" | "backup" | "both" | "all";

/** To be awaited right before the fault: it is a single one only where everything has two copies. */
export type Ready = () => Promise<void>;

export interface Fault {
  readonly name: string;
  /** For the table. */
  readonly title: string;
  /** Groups of sessions with a row each: those that the server owns, backs up, both servers keep, or all. */
  readonly parts: readonly Part[];
  /** A sudden fault is measured until the first acknowledgement after it, a planned one by the longest time without. */
  readonly isPlanned: boolean;
  /** App servers that it strikes at once: 2 only where both die. */
  readonly victims: 1 | 2;
  /** Does it, and undoes it after a while. */
  run(site: Site, victims: readonly string[], ready: Ready): Promise<void>;
}

/** How long something stays cut off: well longer than a takeover, so that what was cut off is still asked afterwards. */
const cutMs = 4_000;
const stoppedMs = 5_000;

function others(server: string): string[] {
  return appServers.filter((name) => name !== server);
}

function between(one: readonly string[], other: readonly string[]): Direction[] {
  return one.flatMap((a) => other.map((b): Direction => [a, b]));
}

function bothWays(one: readonly string[], other: readonly string[]): Direction[] {
  return [...between(one, other), ...between(other, one)];
}

async function kill(site: Site, victims: readonly string[], ready: Ready): Promise<void> {
  const pids = await Promise.all(victims.map((victim) => site.processOf(victim)));
  await ready();
  for (const pid of pids) process.kill(pid, "SIGKILL");
  for (const [index, victim] of victims.entries()) await site.replaced(victim, pids[index]!);
}

async function cut(site: Site, directions: readonly Direction[], ready: Ready): Promise<void> {
  await ready();
  await site.network.cut(directions);
  await sleep(cutMs);
  await site.network.mend();
}

const ownerAndBackup = ["owner", "backup"] as const;
const sudden = { parts: ownerAndBackup, isPlanned: false, victims: 1 } as const;
const planned = { parts: ["all"], isPlanned: true, victims: 1 } as const;

export const faults: readonly Fault[] = [
  { ...sudden, name: "killed", title: "kill -9", run: kill },
  {
    ...sudden,
    name: "both-killed",
    title: "kill -9 of two at once",
    parts: ["owner", "backup", "both"],
    victims: 2,
    run: kill,
  },
  {
    ...sudden,
    name: "stopped",
    title: "SIGSTOP for 5 s",
    async run(site, [victim], ready) {
      const pid = await site.processOf(victim!);
      await ready();
      process.kill(pid, "SIGSTOP");
      await sleep(stoppedMs);
      process.kill(pid, "SIGCONT");
    },
  },
  {
    ...sudden,
    name: "cut-off",
    title: "cut off, with one web server",
    // Visitors and the second web server still reach it.
    run: (site, [victim], ready) =>
      cut(site, bothWays([victim!, "web-b"], [...others(victim!), "web-a"]), ready),
  },
  {
    ...sudden,
    name: "not-heard",
    title: "hears, is not heard",
    run: (site, [victim], ready) => cut(site, between([victim!], [...others(victim!), ...webServers]), ready),
  },
  {
    ...sudden,
    name: "deaf",
    title: "is heard, does not hear",
    run: (site, [victim], ready) => cut(site, between([...others(victim!), ...webServers], [victim!]), ready),
  },
  {
    ...sudden,
    name: "web-cut",
    title: "web server cut from it",
    run: (site, [victim], ready) => cut(site, bothWays([victim!], ["web-a"]), ready),
  },
  {
    ...planned,
    name: "rolling",
    title: "rolling restart (SIGTERM)",
    async run(site, _victims, ready) {
      await ready();
      for (const server of appServers) {
        const pid = await site.processOf(server);
        process.kill(pid, "SIGTERM");
        await site.replaced(server, pid);
        await site.whole(appServers);
      }
      for (const server of webServers) {
        process.kill(await site.processOf(server), "SIGTERM");
        await site.ended(server);
        site.startServer(server);
        await site.whole(appServers);
      }
    },
  },
  {
    ...planned,
    name: "leave-join",
    title: "leaves (stop), joins (start)",
    async run(site, [victim], ready) {
      await ready();
      await site.stopServer(victim!);
      await site.whole(others(victim!));
      site.startServer(victim!);
    },
  },
];
