/**
 * What a session costs in memory on its owner and on its backup, two real app servers: `node bench/session-memory.ts`.
 * Heap after a full collection, less that before the first session, divided by the sessions.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clusterStatus } from "../src/admin/cluster-status.ts";
import { serve } from "../src/app-tier/index.ts";
import { loadOrThrow } from "../src/config/load.ts";
import { session } from "../src/session/index.ts";
import { session as limits } from "../src/support/limits.ts";
import { freePorts, until } from "../test/harness/process.ts";

const counts: readonly number[] = [1_000, 10_000, 100_000];
const atOnce = 100;
const statusTimeoutMs = 1_000;

/** What the parent asks of an app server. */
type Question = { readonly fill: number } | "read" | "heap";

const data = {
  user: "anna",
  visits: 1,
  cart: {
    items: Array.from({ length: 5 }, (_, n) => ({ sku: `boat-${n}`, count: n, price: 19.5, name: "A boat" })),
  },
  passport: { user: 42 },
};
const dataBytes = Object.entries(data).reduce(
  (sum, [key, value]) => sum + key.length + JSON.stringify(value).length,
  0,
);

if (process.send === undefined) await measure();
else await runApp();

async function runApp(): Promise<void> {
  const withSession = session();
  const cookies: string[] = [];
  await serve((_req: unknown, res: { end(): void }) => res.end());
  // biome-ignore lint/suspicious/noExplicitAny: the bench's own data.
  const visit = (cookie: string, handle: (session: any) => void): Promise<void> =>
    new Promise((resolve) => {
      const req: { headers: object; session?: unknown } = { headers: cookie === "" ? {} : { cookie } };
      const res = {
        setHeader: (_name: string, value: string) => void cookies.push(value.split(";", 1)[0]!),
        getHeader: () => undefined,
        writeHead: () => {},
        end: () => resolve(),
      };
      withSession(req, res, () => {
        handle(req.session);
        res.end();
      });
    });
  const inBatches = async (count: number, run: (index: number) => Promise<void>): Promise<void> => {
    for (let from = 0; from < count; from += atOnce) {
      const indexes = Array.from({ length: Math.min(atOnce, count - from) }, (_, i) => from + i);
      await Promise.all(indexes.map(run));
    }
  };
  const answer = async (question: Question): Promise<number> => {
    if (question === "read")
      await inBatches(cookies.length, (index) => visit(cookies[index]!, ({ cart }) => cart.items.length));
    else if (question !== "heap")
      await inBatches(question.fill, () => visit("", (all) => Object.assign(all, structuredClone(data))));
    globalThis.gc!();
    return process.memoryUsage().heapUsed;
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
clusters:
  app:
    sessions: { durability: backup }
    servers:
      app-a: { address: 127.0.0.2, port: ${one} }
      app-b: { address: 127.0.0.3, port: ${other} }
`,
    );
    for (const server of ["app-a", "app-b"]) {
      const env = { ...process.env, FLOTILLA_CONFIG: config, FLOTILLA_SERVER: server };
      const app = fork(import.meta.filename, {
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

async function ask(app: ChildProcess, question: Question): Promise<number> {
  app.send(question);
  const [heapBytes] = (await once(app, "message")) as [number];
  return heapBytes;
}

async function tell(
  owner: ChildProcess,
  backup: ChildProcess,
  settled: () => Promise<unknown>,
): Promise<void> {
  const [ownerBefore, backupBefore] = [await ask(owner, "heap"), await ask(backup, "heap")];
  console.log(
    `bytes of heap per session of ${dataBytes} bytes in ${Object.keys(data).length} keys; ` +
      `at most ${limits.readySessionsMax} sessions keep their values as objects\n`,
  );
  console.log("sessions   owner, written   owner, all read   backup");
  let made = 0;
  for (const count of counts) {
    await ask(owner, { fill: count - made });
    await settled();
    const written = (await ask(owner, "heap")) - ownerBefore;
    const backedUp = (await ask(backup, "heap")) - backupBefore;
    const read = (await ask(owner, "read")) - ownerBefore;
    made = count;
    const [a, b, c] = [written, read, backedUp].map((bytes) => String(Math.round(bytes / count)));
    console.log(`${String(count).padStart(8)}   ${a!.padStart(14)}   ${b!.padStart(15)}   ${c!.padStart(6)}`);
  }
}
