/**
 * What sessions of 1 KiB cost in memory, and whether a read and a write cost the same however many there are, on two real app servers,
 * one of which owns them while the other backs them up: `node bench/session-memory.ts [--sessions 100000] [--disk] [--json FILE]`.
 * With `--disk` both have them on disk too, and at most 128 MiB of them in memory.
 *
 * Memory is that of the whole process (RSS) after a collection, divided by the sessions. A read and a write are of sessions at random,
 * 100 at once; their cost is the processor time of both processes, and each one is checked. A pause is the longest time in which the
 * event loop stood still.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { clusterStatus } from "../src/admin/cluster-status.ts";
import { serve } from "../src/app-tier/index.ts";
import { loadOrThrow } from "../src/config/load.ts";
import { idLength } from "../src/session/id.ts";
import { session } from "../src/session/index.ts";
import { freePorts } from "../test/harness/free-ports.ts";
import { until } from "../test/harness/process.ts";

const { values: options } = parseArgs({
  options: {
    sessions: { type: "string", default: "100000" },
    disk: { type: "boolean", default: false },
    json: { type: "string" },
  },
});
const mostSessions = Number(options.sessions);
const kept = options.disk
  ? "durability: backup+disk, memory: 128MiB, disk: 100GB"
  : "durability: backup, memory: 8GiB";
const atOnce = 100;
const visits = 20_000;
const statusTimeoutMs = 1_000;
/** What a collection frees is given back a moment later. */
const restMs = 2_000;
/** Until then the collection's own pause is in the measured ones, which begin anew. */
const noticedMs = 50;

/** What the parent asks of an app server. */
type Question = { readonly fill: number } | "read" | "write" | "look";

interface Answer {
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** Since the last answer. */
  readonly cpuMs: number;
  readonly pauseMs: number;
}

const data = {
  user: "anna",
  visits: 1,
  cart: {
    items: Array.from({ length: 5 }, (_, n) => ({ sku: `boat-${n}`, count: n, price: 19.5, name: "A boat" })),
  },
  passport: { user: 42 },
  note: "x".repeat(686),
};
const dataBytes = Object.entries(data).reduce(
  (sum, [key, value]) => sum + key.length + JSON.stringify(value).length,
  0,
);

if (process.send === undefined) await measure();
else await runApp();

async function runApp(): Promise<void> {
  const withSession = session();
  // Of the bench itself, and outside of what is measured: 50 bytes a session.
  const ids = Buffer.alloc(idLength * mostSessions);
  let made = 0;
  await serve((_req: unknown, res: { end(): void }) => res.end());
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  // biome-ignore lint/suspicious/noExplicitAny: the bench's own data.
  const visit = (cookie: string, handle: (session: any) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      const req: { headers: object; session?: unknown } = { headers: cookie === "" ? {} : { cookie } };
      const res = {
        setHeader: (_name: string, value: string) => {
          if (cookie === "") ids.write(value.slice("sid=".length), made++ * idLength, idLength);
        },
        getHeader: () => undefined,
        writeHead: () => {},
        end: () => resolve(),
      };
      withSession(req, res, (error?: unknown) => {
        if (error !== undefined) return reject(error);
        handle(req.session);
        res.end();
      });
    });
  const inBatches = async (count: number, run: () => Promise<void>): Promise<void> => {
    for (let from = 0; from < count; from += atOnce) {
      await Promise.all(Array.from({ length: Math.min(atOnce, count - from) }, run));
      // Reads are answered at once: else all of them were one turn of the event loop.
      await nextTurn();
    }
  };
  // biome-ignore lint/suspicious/noExplicitAny: the bench's own data.
  const visitSomeone = (handle: (session: any) => void): Promise<void> => {
    const at = Math.floor(Math.random() * made) * idLength;
    const id = ids.latin1Slice(at, at + idLength);
    return visit(`sid=${id}`, (all) => {
      if (all.id !== id || all.note !== data.note) throw new Error(`session ${id} is not what was written`);
      handle(all);
    });
  };
  const doAs = async (question: Question): Promise<void> => {
    if (question === "look") return;
    if (question === "read")
      return await inBatches(visits, () => visitSomeone(({ cart }) => cart.items.length));
    if (question === "write") return await inBatches(visits, () => visitSomeone((all) => all.visits++));
    await inBatches(question.fill, () => visit("", (all) => Object.assign(all, structuredClone(data))));
  };
  let cpu = process.cpuUsage();
  const answer = async (question: Question): Promise<Answer> => {
    await doAs(question);
    const { user, system } = process.cpuUsage(cpu);
    const pauseMs = delay.max / 1e6;
    globalThis.gc!();
    await sleep(question === "look" ? restMs : noticedMs);
    const { rss, heapUsed } = process.memoryUsage();
    cpu = process.cpuUsage();
    delay.reset();
    const idBytes = made * idLength;
    return { rssBytes: rss - idBytes, heapBytes: heapUsed, cpuMs: (user + system) / 1e3, pauseMs };
  };
  process.on("message", (question: Question) => void answer(question).then((told) => process.send!(told)));
  process.send!(0);
}

async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-bench-memory-"));
  const apps: ChildProcess[] = [];
  try {
    const [one, other] = (await freePorts(2)) as [number, number];
    const config = join(folder, "flotilla.yaml");
    writeFileSync(
      config,
      `secret: 0123456789abcdef0123456789abcdef
data: ${folder}
clusters:
  app:
    sessions: { ${kept} }
    servers:
      app-a: { address: 127.0.0.2, port: ${one} }
      app-b: { address: 127.0.0.3, port: ${other} }
`,
    );
    for (const server of ["app-a", "app-b"]) {
      const env = { ...process.env, FLOTILLA_CONFIG: config, FLOTILLA_SERVER: server };
      const app = fork(import.meta.filename, ["--sessions", `${mostSessions}`], {
        env,
        execArgv: ["--expose-gc"],
        stdio: ["ignore", "ignore", "ignore", "ipc"],
      });
      apps.push(app);
      await once(app, "message");
    }
    const file = loadOrThrow(config);
    const settled = (): Promise<unknown> =>
      until("every session slot has two copies", async () => {
        const servers = await clusterStatus(file, statusTimeoutMs);
        return servers.every(({ slots, singleCopySlots }) => (slots ?? 0) > 0 && singleCopySlots === 0);
      });
    await settled();
    await tell(apps[0]!, apps[1]!, settled);
  } finally {
    for (const app of apps) app.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

async function ask(app: ChildProcess, question: Question): Promise<Answer> {
  app.send(question);
  const [answer] = (await once(app, "message")) as [Answer];
  return answer;
}

interface Row {
  readonly sessions: number;
  readonly ownerKibibytes: number;
  readonly backupKibibytes: number;
  readonly heapMebibytes: number;
  readonly createUs: number;
  readonly readUs: number;
  readonly writeUs: number;
  readonly pauseMs: number;
}

async function tell(
  owner: ChildProcess,
  backup: ChildProcess,
  settled: () => Promise<unknown>,
): Promise<void> {
  console.log(
    `sessions of ${dataBytes} bytes in ${Object.keys(data).length} keys, one owner and one backup: ${kept}`,
  );
  console.log("KiB: RSS per session; µs: of processor, per visit, of both; pause: the longest of either\n");
  console.log("  sessions   owner KiB   backup KiB   heap MiB   create µs   read µs   write µs   pause ms");
  const rows: Row[] = [];
  let made = 0;
  for (let sessions = 1_000; sessions <= mostSessions; sessions *= 10) {
    rows.push(await measureAt(sessions, sessions - made, { owner, backup, settled }));
    made = sessions;
    print(rows.at(-1)!);
  }
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(rows, null, 2));
}

interface Pair {
  readonly owner: ChildProcess;
  readonly backup: ChildProcess;
  settled(): Promise<unknown>;
}

/** @param fill so many are missing. */
async function measureAt(sessions: number, fill: number, { owner, backup, settled }: Pair): Promise<Row> {
  await Promise.all([ask(owner, "look"), ask(backup, "look")]);
  let pauseMs = 0;
  const costUs = async (question: Question, ops: number): Promise<number> => {
    const own = await ask(owner, question);
    const theirs = await ask(backup, "look");
    pauseMs = Math.max(pauseMs, own.pauseMs, theirs.pauseMs);
    return ((own.cpuMs + theirs.cpuMs) * 1_000) / ops;
  };
  const createUs = await costUs({ fill }, fill);
  await settled();
  const readUs = await costUs("read", visits);
  const writeUs = await costUs("write", visits);
  const [first, second] = await Promise.all([ask(owner, "look"), ask(backup, "look")]);
  return {
    sessions,
    ownerKibibytes: first.rssBytes / 1_024 / sessions,
    backupKibibytes: second.rssBytes / 1_024 / sessions,
    heapMebibytes: first.heapBytes / 1_048_576,
    ...{ createUs, readUs, writeUs, pauseMs },
  };
}

function print(row: Row): void {
  const cells = [
    ...[row.ownerKibibytes, row.backupKibibytes].map((value) => value.toFixed(2)),
    ...[row.heapMebibytes, row.createUs, row.readUs, row.writeUs, row.pauseMs].map((value) =>
      value.toFixed(0),
    ),
  ];
  const widths = [12, 13, 11, 12, 10, 11, 11];
  console.log(String(row.sessions).padStart(10) + cells.map((cell, i) => cell.padStart(widths[i]!)).join(""));
}
