/** What becomes of sessions in an SQL database that is killed, cut off, slow or locked, whichever it is. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type EngineOutcome,
  type SessionEngine,
  SessionEngineError,
  type SessionRow,
} from "../../src/session/stores/engine.ts";
import { Cable } from "../harness/cable.ts";
import { failed, hourMs, keyOf, newborn, opened, rowOf, write } from "../harness/engine-rows.ts";
import { until } from "../harness/process.ts";

/** A real server of a test's own. */
export interface SqlServer {
  /** Executed by an administrator. */
  sql(text: string): Promise<unknown>;
  readonly port: number;
  kill(): Promise<void>;
  run(): Promise<void>;
  remove(): Promise<void>;
  pause(): void;
  resume(): void;
}

export interface SqlKind<Server extends SqlServer> {
  /** "PostgreSQL" */
  readonly name: string;
  readonly skip: string | false;
  /** It syncs each commit. */
  start(): Promise<Server>;
  /** An engine with a pool of its own, not opened yet. */
  connect(server: Server, port: number, table: string): SessionEngine;
  /** Another session of the database holds the row. @returns what lets it go. */
  hold(server: Server, table: string, key: string): Promise<() => Promise<void>>;
  /** How many sessions wait for a row. */
  waiting(server: Server): Promise<number>;
  /** How many connections the server has, besides the one that asks. */
  connections(server: Server): Promise<number>;
  /** Matches a statement that writes, the first time that it is sent. */
  readonly change: RegExp;
}

/** Longer than a statement may take, by what a busy machine needs. */
const boundMs = 3_500;

async function within<Value>(ms: number, operation: Promise<Value>): Promise<Value> {
  const from = performance.now();
  try {
    return await operation;
  } finally {
    assert.ok(performance.now() - from < ms, `it took ${Math.round(performance.now() - from)} ms`);
  }
}

/** One session of the load: what was answered, and what may have become of what was not. */
interface Account {
  readonly key: string;
  answered: number;
  /** Versions that were asked for and not answered, and may be there. */
  unsure: number;
}

async function keepWriting(
  engine: SessionEngine,
  account: Account,
  isOver: () => boolean,
  outcomes: Record<"done" | EngineOutcome, number>,
): Promise<void> {
  while (!isOver()) {
    const row = await engine.read(account.key).catch(() => null);
    if (row === null) {
      await sleep(5);
      continue;
    }
    checkAccount(account, row);
    account.answered = row.version;
    account.unsure = 0;
    try {
      assert.equal(await engine.replace(account.key, row.version, write({ n: row.version + 1 })), "done");
      account.answered = row.version + 1;
      outcomes.done++;
    } catch (error) {
      assert.ok(error instanceof SessionEngineError, String(error));
      outcomes[error.outcome]++;
      if (error.outcome === "unknown") account.unsure = 1;
    }
  }
}

/** Nothing is lost that was answered, and nothing is there that surely was not written. */
function checkAccount({ key, answered, unsure }: Account, row: SessionRow): void {
  assert.equal(JSON.parse(row.data).n, row.version, `${key} has data of its version`);
  assert.ok(
    row.version >= answered && row.version <= answered + unsure,
    `${key}: ${answered} were answered and ${unsure} may have been made; it has ${row.version}`,
  );
}

export function describeSqlTroubles<Server extends SqlServer>(kind: SqlKind<Server>): void {
  describe(`${kind.name} in trouble`, { skip: kind.skip }, () => {
    let server: Server;
    let table = "";
    let tables = 0;
    const connect = (port: number = server.port): SessionEngine => kind.connect(server, port, table);
    before(async () => {
      server = await kind.start();
    });
    beforeEach(() => {
      table = `sessions_${++tables}`;
    });
    after(() => server.remove());

    test("kill -9 under load, three times: nothing is lost that was answered, and work goes on by itself", async (t) => {
      const engines = [connect(), connect()];
      for (const engine of engines) await opened(t, engine);
      const accounts: Account[] = Array.from({ length: 24 }, (_, n) => ({
        ...{ key: keyOf(n), answered: 1, unsure: 0 },
      }));
      for (const { key } of accounts) await engines[0]!.insert(key, write({ n: 1 }), newborn);
      const outcomes = { done: 0, nothing: 0, unknown: 0, unfit: 0 };
      let isOver = false;
      const load = accounts.map((account, n) =>
        keepWriting(engines[n % 2]!, account, () => isOver, outcomes),
      );
      for (let round = 0; round < 3; round++) {
        const enough = outcomes.done + 200;
        await until("there is load", async () => outcomes.done >= enough);
        await server.kill();
        await server.run();
      }
      const enough = outcomes.done + 200;
      await until("work goes on", async () => outcomes.done >= enough);
      isOver = true;
      await Promise.all(load);
      for (const account of accounts) checkAccount(account, await rowOf(engines[0]!, account.key));
      t.diagnostic(JSON.stringify(outcomes));
    });

    test("a network that is cut: each operation ends in time with what is known of it; the first one afterwards works", async (t) => {
      const cable = await Cable.to(server.port);
      t.after(() => cable.close());
      const engine = await opened(t, connect(cable.port));
      const keys = Array.from({ length: 10 }, (_, n) => keyOf(n));
      await Promise.all(keys.map((key) => engine.insert(key, write({ n: 1 }), newborn)));
      cable.cut();
      const error = await within(boundMs, failed(engine.replace(keys[0]!, 1, write({ n: 2 }))));
      assert.equal(error.outcome, "unknown");
      assert.match(error.message, /did not answer \(no answer within 2\.0 s\)/);
      // Of the pool the others are as dead; none of them is tried, and a new one does not come about.
      const second = await within(boundMs, failed(engine.replace(keys[1]!, 1, write({ n: 2 }))));
      assert.equal(second.outcome, "nothing");
      cable.mend();
      const rows = await within(boundMs, Promise.all(keys.map((key) => engine.read(key))));
      assert.deepEqual(
        rows.map((row) => row?.version),
        keys.map(() => 1),
      );
    });

    test("a server that is paused: as one that is cut off; what was asked of it may be done when it goes on", async (t) => {
      const engine = await opened(t, connect());
      await engine.insert(keyOf(1), write({ n: 1 }), newborn);
      await engine.replace(keyOf(1), 1, write({ n: 2 }));
      server.pause();
      const error = await within(boundMs, failed(engine.replace(keyOf(1), 2, write({ n: 3 }))));
      server.resume();
      assert.equal(error.outcome, "unknown");
      const row = await until("it answers", () => engine.read(keyOf(1)).catch(() => null));
      assert.ok(row.version === 2 || row.version === 3);
    });

    test("an answer that is lost behind a write that was done: unknown", async (t) => {
      const cable = await Cable.to(server.port);
      t.after(() => cable.close());
      const other = await opened(t, connect());
      await other.insert(keyOf(1), write({ n: 1 }), newborn);
      const engine = await opened(t, connect(cable.port));
      cable.loseAnswersTo(kind.change);
      const error = await failed(engine.replace(keyOf(1), 1, write({ n: 2 })));
      assert.equal(error.outcome, "unknown");
      cable.mend();
      assert.ok((await rowOf(engine, keyOf(1))).version <= 2);
    });

    test("a row that another session holds: nothing, soon, and no sessions of the server pile up behind it", async (t) => {
      const engine = await opened(t, connect());
      await engine.insert(keyOf(1), write({ n: 1 }), newborn);
      await engine.insert(keyOf(2), write({ n: 1 }), newborn);
      // Connections for all of them.
      await Promise.all([1, 2, 3].map(() => engine.read(keyOf(1))));
      const release = await kind.hold(server, table, keyOf(1));
      const attempts = [
        () => engine.replace(keyOf(1), 1, write({ n: 2 })),
        () => engine.remove(keyOf(1), "app-a"),
        () => engine.touch([{ key: keyOf(1), idleTimeoutMs: 2 * hourMs }]),
      ];
      // One after the other: whoever is second in the queue is the first for the row when the first gives up, and waits anew.
      const begun = attempts.map(async (attempt, index) => {
        await sleep(5 * index);
        return await failed(attempt());
      });
      for (const error of await within(boundMs, Promise.all(begun))) {
        assert.equal(error.outcome, "nothing", error.message);
        assert.match(error.message, /kept a \w+ waiting/);
      }
      assert.equal(await kind.waiting(server), 0);
      // It can be read, and so can others be written.
      assert.equal((await rowOf(engine, keyOf(1))).version, 1);
      assert.equal(await engine.replace(keyOf(2), 1, write({ n: 2 })), "done");
      await release();
      assert.equal(await engine.replace(keyOf(1), 1, write({ n: 2 })), "done");
    });

    test("more operations than connections: they take turns; at most so many connections", async (t) => {
      const engine = await opened(t, connect());
      const keys = Array.from({ length: 200 }, (_, n) => keyOf(n));
      await Promise.all(keys.map((key) => engine.insert(key, write({}), newborn)));
      assert.ok((await kind.connections(server)) <= 10);
      await engine.close();
      await until("its connections are closed", async () => (await kind.connections(server)) === 0);
      const error = await failed(engine.read(keys[0]!));
      assert.deepEqual([error.outcome, error.message], ["nothing", "the session store was closed"]);
    });

    test("its table is dropped: nothing is written, and the same engine makes it anew when it is opened again", async (t) => {
      const engine = await opened(t, connect());
      await engine.insert(keyOf(1), write({ n: 1 }), newborn);
      await engine.replace(keyOf(1), 1, write({ n: 2 }));
      await server.sql(`DROP TABLE ${table}`);
      assert.equal((await failed(engine.replace(keyOf(1), 2, write({ n: 3 })))).outcome, "nothing");
      await engine.open();
      assert.equal(await engine.read(keyOf(1)), null);
      assert.equal(await engine.insert(keyOf(1), write({ n: 4 }), newborn), true);
      assert.equal(await engine.replace(keyOf(1), 1, write({ n: 5 })), "done");
    });

    test("it is not there, then it is: nothing was written, and the same engine opens", async (t) => {
      await server.kill();
      const engine = connect();
      t.after(() => engine.close());
      const operations = [engine.open(), engine.insert(keyOf(1), write({}), newborn)];
      for (const error of await within(boundMs, Promise.all(operations.map(failed)))) {
        assert.equal(error.outcome, "nothing");
        assert.match(error.message, /can't be reached .*127\.0\.0\.1/);
      }
      await server.run();
      await engine.open();
      assert.equal(await engine.insert(keyOf(1), write({}), newborn), true);
    });
  });
}
