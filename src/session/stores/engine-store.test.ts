/** What the middleware relies on, of sessions in a database: one or two processes, and a database that does as the test says. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DirectNetwork, MemoryDatabase, MemoryEngine } from "../../../test/harness/memory-engine.ts";
import { systemClock } from "../../support/clock.ts";
import { silentLog } from "../../support/log.ts";
import { Entry, type SessionChanges, type SessionEntries } from "../entry.ts";
import { SessionIds, type VerifiedId } from "../id.ts";
import { endless } from "../snapshot.ts";
import { EngineStore } from "./engine-store.ts";

const ids = new SessionIds(Buffer.alloc(32, 7), null, "app");

function changes(data: Record<string, unknown>): SessionChanges {
  return new Map(
    Object.entries(data).map(([key, value]) => [key, value === null ? null : Entry.of(key, value)]),
  );
}

/** One process. */
class Server {
  readonly store: EngineStore;
  readonly network: DirectNetwork = new DirectNetwork();

  constructor(letter: string, database: MemoryDatabase, load: "cached" | "always" = "cached") {
    const engine = new MemoryEngine(database, this.network);
    this.store = new EngineStore({
      ...{ engine, ids, letter, processIndex: 0, holder: `server-${letter}`, load },
      ...{ letters: new Set("ab"), clock: systemClock, random: Math.random, log: silentLog },
    });
  }

  start(): Promise<unknown> {
    return new Promise((resolve) => this.store.start(resolve));
  }

  /** "done", or the error's code. */
  told(run: (done: (error: { code: string } | null) => void) => void): Promise<string> {
    return new Promise((resolve) => run((error) => resolve(error?.code ?? "done")));
  }

  async create(data: Record<string, unknown>): Promise<VerifiedId> {
    const id = this.store.newId();
    assert.equal(
      await this.told((done) => this.store.create(id, changes(data), 60_000, endless, done)),
      "done",
    );
    return id;
  }

  update(id: VerifiedId, data: Record<string, unknown>): Promise<string> {
    return this.told((done) => this.store.update(id, changes(data), 60_000, done));
  }

  read(id: VerifiedId): Promise<Record<string, unknown> | null> {
    return new Promise((resolve, reject) =>
      this.store.load(id, (error, entries) => (error === null ? resolve(dataOf(entries)) : reject(error))),
    );
  }
}

function dataOf(entries: SessionEntries | null): Record<string, unknown> | null {
  return entries === null
    ? null
    : Object.fromEntries([...entries].map(([key, entry]) => [key, entry.take()]));
}

async function site(load: "cached" | "always" = "cached"): Promise<[Server, Server, MemoryDatabase]> {
  const database = new MemoryDatabase();
  const servers: [Server, Server] = [new Server("a", database, load), new Server("b", database, load)];
  for (const server of servers) assert.equal(await server.start(), null);
  return [...servers, database];
}

describe("sessions in a database", () => {
  test("what one process stores, another one loads; each writes its keys and no others", async () => {
    const [a, b] = await site();
    const id = await a.create({ cart: [1], user: "anna" });
    assert.deepEqual(await b.read(id), { cart: [1], user: "anna" });
    assert.equal(await b.update(id, { user: null, seen: 1 }), "done");
    assert.equal(await a.update(id, { cart: [1, 2] }), "done");
    assert.deepEqual(await a.read(id), { cart: [1, 2], seen: 1 });
    assert.deepEqual(await b.read(id), { cart: [1, 2], seen: 1 });
  });

  test("the holder answers within the call, and asks the database nothing", async () => {
    const [a] = await site();
    const id = await a.create({ n: 1 });
    const before = a.network.calls.get("read");
    let isAnswered = false;
    a.store.load(id, (error, entries) => {
      isAnswered = error === null && entries?.get("n")?.text === "1";
    });
    assert.ok(isAnswered);
    assert.equal(a.network.calls.get("read"), before);
  });

  test("updates that wait for each other are one write, and loads behind them read nothing", async () => {
    const [a] = await site("always");
    const id = await a.create({ n: 1 });
    const told = [a.update(id, { n: 2 }), a.update(id, { m: 1 }), a.update(id, { n: 3 })];
    const loaded = a.read(id);
    assert.deepEqual(await Promise.all(told), ["done", "done", "done"]);
    assert.deepEqual(await loaded, { n: 3, m: 1 });
    assert.deepEqual([a.network.calls.get("replace"), a.network.calls.get("read")], [2, 1]);
  });
});
