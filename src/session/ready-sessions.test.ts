import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Entry } from "./entry.ts";
import { type ReadySession, ReadySessions } from "./ready-sessions.ts";

class Kept implements ReadySession {
  readonly #entry: Entry = Entry.of("a", { list: [1] });
  readonly entries: ReadonlyMap<string, Entry> = new Map([["a", this.#entry]]);
  readonly bytes: number;
  readyGeneration = 0;
  #object: unknown = null;

  constructor(ready: ReadySessions, bytes: number) {
    this.bytes = bytes;
    this.use(ready);
  }

  /** As a request that reads. */
  use(ready: ReadySessions): void {
    ready.use(this);
    this.#object = this.#entry.take();
    this.#entry.holds(this.#object);
    this.#entry.giveBack(this.#object);
  }

  /** The object that was given back is at hand; else a new one would be parsed. */
  get isReady(): boolean {
    const object = this.#entry.take();
    const isReady = object === this.#object;
    if (isReady) {
      this.#entry.holds(object);
      this.#entry.giveBack(object);
    }
    return isReady;
  }
}

describe("ready sessions", () => {
  test("are at most as many as may be, those used last", () => {
    const ready = new ReadySessions(20, 1_000_000);
    const kept = Array.from({ length: 100 }, () => new Kept(ready, 10));
    const count = kept.filter(({ isReady }) => isReady).length;
    assert.ok(count >= 10 && count <= 20, `${count}`);
    assert.ok(kept.slice(-10).every(({ isReady }) => isReady));
  });

  test("have at most so many bytes", () => {
    const ready = new ReadySessions(1_000, 1_000);
    const kept = Array.from({ length: 100 }, () => new Kept(ready, 100));
    const count = kept.filter(({ isReady }) => isReady).length;
    assert.ok(count >= 5 && count <= 10, `${count}`);
  });

  test("one in constant use stays ready while others come and go", () => {
    const ready = new ReadySessions(20, 1_000_000);
    const steady = new Kept(ready, 10);
    for (let i = 0; i < 100; i++) {
      new Kept(ready, 10);
      ready.use(steady);
      assert.ok(steady.isReady);
    }
  });
});
