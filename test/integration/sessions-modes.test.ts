/** What each mode of sessions keeps, with real processes that are killed, frozen and stopped. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MemberStatus } from "../../src/member/member.ts";
import { CartSite, counts, type Visitor, visit } from "../harness/cart-site.ts";
import { runFlotilla, until } from "../harness/process.ts";

async function appServer(site: CartSite, letter: string): Promise<MemberStatus> {
  return (await site.servers()).find((server) => server.cluster === "app" && server.letter === letter)!;
}

/** The letters in its cookie. */
function keepersOf({ cookie }: Visitor): { owner: string; backup: string } {
  return { owner: cookie[4]!, backup: cookie[5]! };
}

async function killAndAwaitNext(site: CartSite, letter: string): Promise<void> {
  const { pid } = await appServer(site, letter);
  process.kill(pid!, "SIGKILL");
  await until("the next process is up", async () => {
    const server = await appServer(site, letter);
    return server.state === "up" && server.pid !== pid;
  });
  await site.answers();
}

test("save: on-shutdown (R24): nothing is written before an orderly stop; that keeps all, kill -9 nothing", async (t) => {
  const site = await CartSite.make(t, { apps: 1, durability: "memory", sessions: ", save: on-shutdown" });
  await site.start();
  const visitors = await visit(site, 6);
  const before = await counts(visitors);
  assert.deepEqual(site.files(), []);
  assert.equal((await site.stop()).code, 0);
  assert.equal(site.files().length, 1);

  await site.start();
  assert.deepEqual(site.files(), [], "after a crash it would bring back what was changed since");
  assert.deepEqual(await counts(visitors), before);
  await killAndAwaitNext(site, "a");
  assert.deepEqual(
    await counts(visitors),
    before.map(() => 0),
  );
  assert.deepEqual(site.files(), []);
});

test("save: always (R27): who only reads is answered when the backup knows it", async (t) => {
  const site = await CartSite.make(t, { apps: 3, sessions: ", save: always" });
  await site.start();
  const [visitor] = (await visit(site, 1)) as [Visitor];
  // So that the letters are those of now.
  assert.equal(await visitor.ask("GET"), 1);
  const { pid } = await appServer(site, keepersOf(visitor).backup);
  process.kill(pid!, "SIGSTOP");
  const frozenAt = performance.now();
  try {
    assert.equal(await visitor.ask("GET"), 1);
    // The owner has heard the backup 100 ms ago at the longest, and takes it out of the pair after 500 ms of silence.
    const ms = performance.now() - frozenAt;
    assert.ok(ms > 300, `answered after ${ms} ms`);
  } finally {
    process.kill(pid!, "SIGCONT");
  }
  assert.equal(await visitor.ask("GET"), 1);
});

test("absoluteTimeout: the age goes with the session through kill -9, a stop and a start, and does not grow meanwhile", async (t) => {
  const site = await CartSite.make(t, { apps: 2, sessions: ", absoluteTimeout: 15s, idleTimeout: 12s" });
  await site.start();
  const beganAt = performance.now();
  const [visitor] = (await visit(site, 1)) as [Visitor];
  assert.equal(await visitor.ask("GET"), 1);
  const { pid } = await appServer(site, keepersOf(visitor).owner);
  process.kill(pid!, "SIGKILL");
  const isAlive = async (): Promise<boolean> => (await visitor.ask("GET")) === 1;
  while (performance.now() - beganAt < 8_000) {
    assert.ok(await isAlive(), "kept by the backup, which does not think it older");
    await sleep(200);
  }
  const stoppedAt = performance.now();
  assert.equal((await site.stop()).code, 0);
  await site.start();
  const startedAt = performance.now();
  let aliveAt = stoppedAt;
  while (await isAlive()) {
    aliveAt = performance.now();
    await sleep(100);
  }
  const ranMs = stoppedAt - beganAt + Math.max(0, performance.now() - startedAt);
  assert.ok(ranMs >= 15_000 - (startedAt - stoppedAt), `ended early, after ${ranMs} ms`);
  assert.ok(aliveAt - startedAt < 15_000, "it began anew with the start");
});

test("backup+disk with an absolute timeout: all killed at once, the session is as old as it was", async (t) => {
  const sessions = ", save: always, absoluteTimeout: 10m";
  const site = await CartSite.make(t, { apps: 2, durability: "backup+disk", sessions });
  await site.start();
  const [visitor] = (await visit(site, 1)) as [Visitor];
  const beganAt = performance.now();
  await sleep(3_000);
  assert.equal(await visitor.ask("GET"), 1);
  const ageMs = performance.now() - beganAt;
  const apps = [await appServer(site, "a"), await appServer(site, "b")];
  for (const { pid } of apps) process.kill(pid!, "SIGKILL");
  await until("the next processes are up", async () => {
    const now = [await appServer(site, "a"), await appServer(site, "b")];
    return now.every(({ state, pid }, i) => state === "up" && pid !== apps[i]!.pid);
  });
  await site.answers();
  assert.equal(await visitor.ask("GET"), 1);
  const { stdout, stderr } = await runFlotilla(t, ["sessions", "show", visitor.cookie, "--json"], {
    cwd: site.folder,
  });
  const { session } = JSON.parse(stdout) as { session: { ageMs: number; absoluteTimeoutMs: number } };
  assert.equal(session.absoluteTimeoutMs, 600_000, stderr);
  assert.ok(session.ageMs >= ageMs, `${session.ageMs} ms after ${ageMs} ms`);
});
