/** The faults: what is done to which server, and how it is undone. */
import { setTimeout as sleep } from "node:timers/promises";
import type { SmallDisk } from "./disks.ts";
import { engineMachine } from "./engine.ts";
import type { Coordination } from "./engines.ts";
import type { Direction } from "./network.ts";
import { appServers, type Site, webServers } from "./site.ts";

/** Of a fault: whose sessions are looked at. */
export type Part = "owner" | "backup" | "both" | "all";

/** To be awaited right before the fault: it is a single one only where everything has two copies. */
export type Ready = () => Promise<void>;

/** What the site of the fault promises. */
export type Durability = "backup" | "backup+disk";

export interface Fault {
  readonly name: string;
  readonly durability: Durability;
  /** For the table. */
  readonly title: string;
  /** Groups of sessions with a row each: those that the server owns, backs up, both servers keep, or all. */
  readonly parts: readonly Part[];
  /** A sudden fault is measured until the first acknowledgement after it, a planned one by the longest time without. */
  readonly isPlanned: boolean;
  /** App servers that it strikes at once: 2 only where both die. */
  readonly victims: 1 | 2;
  /** Strikes an engine of the register that has a machine of its own. */
  readonly needsEngine?: true;
  /** What servers must say of it in their logs: the code of such lines. */
  readonly tells?: string;
  /** Does it, and undoes it after a while. */
  run(site: Site, victims: readonly string[], ready: Ready): Promise<void>;
}

/** How long a disk stays full: changes of the register, and of many sessions, come in that time. */
const fullMs = 6_000;
/** How long something stays cut off: well longer than a takeover, so that what was cut off is still asked afterwards. */
const cutMs = 4_000;
/** Well longer than the 10 s for which sessions are served without the register. */
const awayMs = 15_000;
const stoppedMs = 5_000;

function others(server: string): string[] {
  return appServers.filter((name) => name !== server);
}

/** It is on the side of the others. */
function engineOf({ engine }: Site): string[] {
  return engine === null ? [] : [engineMachine];
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

async function cut(
  site: Site,
  directions: readonly Direction[],
  ready: Ready,
  forMs: number = cutMs,
): Promise<void> {
  await ready();
  await site.network.cut(directions);
  await sleep(forMs);
  await site.network.mend();
}

/** Everything stands still in one moment, and is switched on again. */
async function cutPower(site: Site, _victims: readonly string[], ready: Ready): Promise<void> {
  await ready();
  site.cutPower();
  for (const server of [...webServers, ...appServers]) site.startServer(server);
}

async function fill(disks: readonly SmallDisk[], ready: Ready): Promise<void> {
  await ready();
  for (const disk of disks) disk.fill();
  await sleep(fullMs);
  for (const disk of disks) disk.free();
}

const ownerAndBackup = ["owner", "backup"] as const;
const sudden = { durability: "backup", parts: ownerAndBackup, isPlanned: false, victims: 1 } as const;
const planned = { durability: "backup", parts: ["all"], isPlanned: true, victims: 1 } as const;
/** Everybody is to go on meanwhile, so it is measured as a planned one. */
const ofEngine = { ...planned, needsEngine: true } as const;
const onDisk = { durability: "backup+disk", isPlanned: false } as const;
const diskFull = { ...onDisk, tells: "FLOTILLA_SESSIONS_DISK" } as const;

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
      cut(site, bothWays([victim!, "web-b"], [...others(victim!), "web-a", ...engineOf(site)]), ready),
  },
  {
    ...sudden,
    name: "not-heard",
    title: "hears, is not heard",
    run: (site, [victim], ready) =>
      cut(site, between([victim!], [...others(victim!), ...webServers, ...engineOf(site)]), ready),
  },
  {
    ...sudden,
    name: "deaf",
    title: "is heard, does not hear",
    run: (site, [victim], ready) =>
      cut(site, between([...others(victim!), ...webServers, ...engineOf(site)], [victim!]), ready),
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
  {
    ...ofEngine,
    name: "engine-killed",
    title: "kill -9 of the engine, started again",
    async run(site, _victims, ready) {
      await ready();
      await site.engine!.kill();
      await sleep(1_000);
      await site.engine!.start();
    },
  },
  {
    ...ofEngine,
    name: "engine-stopped",
    title: "SIGSTOP of the engine for 5 s",
    async run(site, _victims, ready) {
      await ready();
      site.engine!.signal("SIGSTOP");
      await sleep(stoppedMs);
      site.engine!.signal("SIGCONT");
    },
  },
  {
    ...ofEngine,
    name: "engine-cut",
    title: "engine cut from one app server",
    run: (site, [victim], ready) => cut(site, bothWays([victim!], [engineMachine]), ready),
  },
  {
    ...ofEngine,
    name: "engine-between",
    title: "cut off from all but the engine",
    run: (site, [victim], ready) =>
      cut(site, bothWays([victim!, "web-b"], [...others(victim!), "web-a"]), ready),
  },
  {
    ...ofEngine,
    name: "engine-away",
    title: "engine cut from all for 15 s",
    run: (site, _victims, ready) => cut(site, bothWays(appServers, [engineMachine]), ready, awayMs),
  },
  {
    ...sudden,
    needsEngine: true,
    name: "engine-then-kill",
    title: "kill -9 while the engine is away for 4 s",
    async run(site, [victim], ready) {
      const pid = await site.processOf(victim!);
      await ready();
      await site.network.cut(bothWays(appServers, [engineMachine]));
      process.kill(pid, "SIGKILL");
      await sleep(cutMs);
      await site.network.mend();
      await site.replaced(victim!, pid);
    },
  },
  {
    ...onDisk,
    name: "power-cut",
    title: "kill -9 of the whole site",
    parts: ["all"],
    victims: 1,
    run: cutPower,
  },
  {
    ...diskFull,
    name: "disk-full",
    title: "its disk is full for 6 s",
    parts: ownerAndBackup,
    victims: 1,
    run: (site, victims, ready) => fill(site.disksOf(victims), ready),
  },
  {
    ...diskFull,
    name: "disks-full",
    title: "all disks are full for 6 s",
    parts: ["all"],
    victims: 1,
    run: (site, _victims, ready) => fill(site.disksOf(appServers), ready),
  },
];

/** Those that can strike a site whose register is kept so. */
export function faultsWith(coordination: Coordination): readonly Fault[] {
  return faults.filter(({ needsEngine }) => needsEngine !== true || coordination !== "members");
}
