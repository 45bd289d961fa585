/**
 * What sessions on disk cost, from a thousand to ten million of 1 KiB: `node bench/session-disk.ts [--sessions 1e3,1e4]
 * [--folder DIR] [--json FILE]`. A process fills the database, another one opens it, reads sessions that it has not in memory, and
 * writes, alone and many at once. What is read is compared with what was written.
 */
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import type { DiskSession } from "../src/session/cluster/slot-disk.ts";
import { SessionDatabase } from "../src/session/disk/session-database.ts";
import { Entry } from "../src/session/entry.ts";
import { endless } from "../src/session/snapshot.ts";
import { systemClock } from "../src/support/clock.ts";
import { register } from "../src/support/limits.ts";
import { createLog } from "../src/support/log.ts";

const slots = register.slotCount;
const dataBytes = 1_024;
const pendingBytesMax = 8_388_608;
const reads = 20_000;
const writesAtOnce: readonly number[] = [1, 64, 1_024];
const idleTimeoutMs = 1_800_000;

interface Task {
  readonly kind: "fill" | "measure";
  readonly folder: string;
  readonly sessions: number;
}

interface Writes {
  readonly atOnce: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of all threads, per write. */
  readonly cpuUs: number;
  /** Of the event loop. */
  readonly longestGapMs: number;
}

interface Measured {
  readonly sessions: number;
  readonly fillSeconds: number;
  readonly bytesPerSession: number;
  readonly openMs: number;
  readonly readP50Ms: number;
  readonly readP99Ms: number;
  readonly readsPerSecond: number;
  /** Of all threads, per read. */
  readonly readCpuUs: number;
  readonly writes: readonly Writes[];
  readonly rssMegabytes: number;
}

if (process.send === undefined) await compare();
else process.on("message", (task: Task) => void run(task).then((told) => process.send!(told)));

async function compare(): Promise<void> {
  const { values } = parseArgs({
    options: {
      sessions: { type: "string", default: "1e3,1e4,1e5,1e6" },
      folder: { type: "string", default: tmpdir() },
      json: { type: "string" },
    },
  });
  const all: Measured[] = [];
  console.log(
    `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}, sessions of ${dataBytes} bytes`,
  );
  for (const sessions of values.sessions.split(",").map(Number)) {
    const folder = mkdtempSync(join(values.folder, "flotilla-bench-disk-"));
    try {
      const { fillSeconds } = await inProcess<{ fillSeconds: number }>({ kind: "fill", folder, sessions });
      forgetPages(folder);
      const measured = await inProcess<Omit<Measured, "fillSeconds">>({ kind: "measure", folder, sessions });
      all.push({ fillSeconds, ...measured });
      print(all.at(-1)!);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(all, null, 2));
}

/** The kernel gives back what it has of the file in memory: reads are the disk's. */
function forgetPages(folder: string): void {
  execFileSync("dd", [`if=${join(folder, "sessions.db")}`, "iflag=nocache", "count=0"], { stdio: "ignore" });
}

async function inProcess<Told>(task: Task): Promise<Told> {
  const child: ChildProcess = fork(import.meta.filename);
  child.send(task);
  const ended = once(child, "exit").then(() => Promise.reject(new Error("the process ended")));
  const [told] = (await Promise.race([once(child, "message"), ended])) as [Told];
  ended.catch(() => {});
  child.kill();
  return told;
}

function run({ kind, folder, sessions }: Task): Promise<object> {
  return kind === "fill" ? fill(folder, sessions) : measure(folder, sessions);
}

async function open(folder: string): Promise<SessionDatabase> {
  const options = { folder, owner: "bench", clock: systemClock, log: createLog("bench", "error") };
  const disk = new SessionDatabase({ ...options, incarnation: `${process.pid}` });
  await disk.open();
  return disk;
}

/** Spread over slots and keys as ids are. */
function keyOf(index: number): string {
  const mixed = Math.imul(index + 1, 0x9e37_79b1) >>> 0;
  return `${mixed.toString(36).padStart(7, "0")}${index.toString(36).padStart(8, "0")}`;
}

function sessionOf(index: number): DiskSession {
  const text = JSON.stringify(`${index}`.padEnd(dataBytes - 6, "x"));
  return {
    ...endless,
    key: keyOf(index),
    idleTimeoutMs,
    idleForMs: 0,
    entries: new Map([["data", new Entry("data", text)]]),
  };
}

async function fill(folder: string, sessions: number): Promise<object> {
  const disk = await open(folder);
  const startedAt = performance.now();
  for (let slot = 0; slot < slots; slot++) {
    disk.beginCopy(slot);
    for (let index = slot; index < sessions; index += slots) {
      disk.addToCopy(slot, [sessionOf(index)]);
      while (disk.pendingBytes > pendingBytesMax) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    disk.endCopy(slot, 1, 0);
    if (slot % 16 === 0) await new Promise(setImmediate);
  }
  await disk.close();
  return { fillSeconds: (performance.now() - startedAt) / 1_000 };
}

async function measure(folder: string, sessions: number): Promise<object> {
  const startedAt = performance.now();
  const disk = await open(folder);
  const openMs = performance.now() - startedAt;
  let found = 0;
  for (const copy of disk.found.values()) found += copy.sessions;
  if (found !== sessions) throw new Error(`${found} sessions were found, ${sessions} were written`);
  const bytesPerSession = disk.bytes / sessions;
  const times = await inTurn(disk, sessions, 1);
  const readsStartedAt = performance.now();
  const cpu = process.cpuUsage();
  await inTurn(disk, sessions, 64);
  const readsPerSecond = (reads / (performance.now() - readsStartedAt)) * 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const readCpuUs = (user + system) / reads;
  const writes: Writes[] = [];
  for (const atOnce of writesAtOnce) writes.push(await write(disk, sessions, atOnce));
  await disk.close();
  return {
    ...{ sessions, bytesPerSession, openMs, readsPerSecond, readCpuUs, writes },
    readP50Ms: percentile(times, 0.5),
    readP99Ms: percentile(times, 0.99),
    rssMegabytes: process.memoryUsage().rss / 1e6,
  };
}

/** Any sessions, so many at once. @returns how long each took. */
async function inTurn(disk: SessionDatabase, sessions: number, atOnce: number): Promise<number[]> {
  const times: number[] = [];
  let left = reads;
  const reader = async (): Promise<void> => {
    while (left-- > 0) times.push(await read(disk, Math.floor(Math.random() * sessions)));
  };
  await Promise.all(Array.from({ length: atOnce }, reader));
  return times;
}

function read(disk: SessionDatabase, index: number): Promise<number> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    disk.read(index % slots, keyOf(index), (error, session) => {
      const text = session?.entries.get("data")?.text;
      if (text !== sessionOf(index).entries.get("data")?.text)
        reject(error ?? new Error(`session ${index} is ${text}`));
      resolve(performance.now() - startedAt);
    });
  });
}

/** Any sessions are written anew, so many at once, for about two seconds. */
async function write(disk: SessionDatabase, sessions: number, atOnce: number): Promise<Writes> {
  const times: number[] = [];
  const positions = new Map<number, number>();
  const waiting = new Map<string, () => void>();
  disk.observe({
    onDurable: (slot, _epoch, pos) => {
      for (let at = pos; ; at--) {
        const done = waiting.get(`${slot}/${at}`);
        if (done === undefined) return;
        waiting.delete(`${slot}/${at}`);
        done();
      }
    },
    onOpened: () => {},
    onLost: () => {},
    onTrouble: (reason) => {
      if (reason !== null) throw new Error(reason);
    },
  });
  const one = (): Promise<void> => {
    const index = Math.floor(Math.random() * sessions);
    const slot = index % slots;
    const pos = (positions.get(slot) ?? 0) + 1;
    positions.set(slot, pos);
    return new Promise((resolve) => {
      waiting.set(`${slot}/${pos}`, resolve);
      disk.write(slot, 2, pos, keyOf(index), sessionOf(index));
    });
  };
  const gaps = monitorEventLoopDelay({ resolution: 1 });
  gaps.enable();
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const writer = async (): Promise<void> => {
    while (performance.now() - startedAt < 2_000) {
      const beganAt = performance.now();
      await one();
      times.push(performance.now() - beganAt);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, writer));
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  gaps.disable();
  return {
    atOnce,
    perSecond: times.length / seconds,
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
    cpuUs: (user + system) / times.length,
    longestGapMs: gaps.max / 1e6,
  };
}

function percentile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
}

function print(measured: Measured): void {
  const { sessions, bytesPerSession, openMs, readsPerSecond, writes, rssMegabytes, fillSeconds } = measured;
  console.log(`\n${sessions} sessions, filled in ${fillSeconds.toFixed(1)} s`);
  console.log(`  on disk ${bytesPerSession.toFixed(0)} bytes each; opened in ${openMs.toFixed(0)} ms`);
  console.log(
    `  read: p50 ${measured.readP50Ms.toFixed(3)} ms, p99 ${measured.readP99Ms.toFixed(3)} ms alone; ` +
      `${readsPerSecond.toFixed(0)}/s with 64 at once, ${measured.readCpuUs.toFixed(0)} us of CPU each`,
  );
  for (const { atOnce, perSecond, p50Ms, p99Ms, cpuUs, longestGapMs } of writes)
    console.log(
      `  write, ${atOnce} at once: ${perSecond.toFixed(0)}/s, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, ` +
        `${cpuUs.toFixed(0)} us of CPU each, event loop held up for ${longestGapMs.toFixed(1)} ms at most`,
    );
  console.log(`  ${rssMegabytes.toFixed(0)} MB of memory in the process`);
}
