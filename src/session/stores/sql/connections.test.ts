/** Which pool is asked, where the last connection that is left is one that is kept for notices. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Connections, type Connector, type DriverPool } from "./connections.ts";

/** A pool that gives out so many connections, and none more. */
class FakePool implements DriverPool<object> {
  readonly isBusy = false;
  size = 0;
  isEnded = false;
  #left: number;

  constructor(left: number) {
    this.#left = left;
  }

  async take(): Promise<object> {
    if (this.#left-- <= 0) throw new Error("certificate has expired");
    this.size++;
    return {};
  }

  give(): void {}

  drop(): void {
    this.size--;
  }

  async end(): Promise<void> {
    this.isEnded = true;
  }
}

function connectorOf(pools: readonly FakePool[]): Connector<object> {
  const waiting = [...pools];
  return {
    ...{ product: "Database", places: ["10.0.0.5:1"] },
    open: async () => waiting.shift()!,
    greet: async () => {},
    isRefusal: () => false,
    isMoved: () => false,
    inWords: (error, place) => `${place}: ${(error as Error).message}`,
  };
}

test("a pool that makes no connection, and has none but one for notices, is made anew: its certificates are read again", async () => {
  const [first, second] = [new FakePool(1), new FakePool(1)] as const;
  const connections = new Connections(connectorOf([first, second]));
  const lease = await connections.lease();
  await assert.rejects(
    connections.read(async () => "never"),
    { outcome: "nothing", message: "10.0.0.5:1: certificate has expired" },
  );
  assert.deepEqual([first.isEnded, lease.isCurrent], [true, false]);
  assert.equal(await connections.read(async () => "answer"), "answer");
  lease.drop();
  await connections.end();
});

test("a pool that makes no other connection is kept while operations have one", async () => {
  const pool = new FakePool(2);
  const connections = new Connections(connectorOf([pool]));
  await connections.lease();
  await connections.read(async () => "answer");
  await assert.rejects(
    connections.read(async () => "never"),
    { outcome: "nothing" },
  );
  assert.deepEqual([pool.isEnded, pool.size], [false, 2]);
  await connections.end();
});
