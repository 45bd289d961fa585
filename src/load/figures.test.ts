/** From figures to one number, and how long it is believed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock } from "../../test/harness/link-pair.ts";
import { load as limits } from "../support/limits.ts";
import { LoadFigures, slownessOf } from "./figures.ts";
import { type LoadRecord, nothingKnown } from "./record.ts";

const of = (some: Partial<LoadRecord>): number => slownessOf({ ...nothingKnown, ...some });
const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 0.06, `${actual} is not near ${expected}`);

test("a thread that waits as long as it runs takes twice its time", () => {
  near(of({ run: 0.5, wait: 0.5 }), 1.96);
  near(of({ run: 0.25, wait: 0.5 }), 2.85);
  assert.equal(of({ run: 0.5, wait: 0.01 }), 1);
});

test("a thread that hardly works is judged by the run queue, a busy one by itself", () => {
  near(of({ run: 0, wait: 0, queue: 5, cpus: 2 }), 3);
  near(of({ run: 0.9, wait: 0, queue: 5, cpus: 2 }), 1);
  assert.equal(of({ run: 0.001, wait: 0.001 }), 1);
});

test("a machine that only an agent tells of: its run queue, with one more, for each CPU", () => {
  assert.equal(of({ queue: 3, cpus: 4 }), 1);
  assert.equal(of({ queue: 11, cpus: 4 }), 3);
  assert.equal(of({ queue: 3, cpus: 0 }), 1);
});

test("an event loop 60 ms late doubles the time, one 10 ms late does not count", () => {
  assert.equal(of({ lateMs: 10 }), 1);
  assert.equal(of({ lateMs: 60 }), 2);
  // The cause shows in both figures, and counts once.
  near(of({ lateMs: 60, run: 0.5, wait: 0.5 }), 2);
});

test("between 1 and the most, whatever is told; more waiting is never less slow", () => {
  const number = fc.option(fc.double({ min: 0, max: 1e15, noNaN: true }));
  const some = fc.record({ run: number, wait: number, lateMs: number, queue: number, cpus: number });
  fc.assert(
    fc.property(some, fc.double({ min: 0, max: 100, noNaN: true }), (figures, more) => {
      const slowness = of(figures);
      assert.ok(slowness >= 1 && slowness <= limits.slownessMax);
      if (figures.wait !== null) assert.ok(of({ ...figures, wait: figures.wait + more }) >= slowness);
    }),
    { seed: 3 },
  );
});

test("figures count for their time, then nothing is known", () => {
  const clock = new FakeClock();
  const figures = new LoadFigures(clock);
  assert.deepEqual([figures.slowness, figures.inFlightElsewhere, figures.inWords], [1, 0, ""]);
  const record = { ...nothingKnown, run: 0.5, wait: 0.5, inFlight: 7 };
  figures.update(record, 7);
  clock.advance(limits.expireMs - 1);
  figures.update(record, 4);
  clock.advance(limits.expireMs - 1);
  near(figures.slowness, 1.96);
  assert.equal(figures.inFlightElsewhere, 3);
  assert.equal(
    figures.inWords,
    "2.0 times its usual time: waits 50% of the time that it wants a CPU, 7 requests in flight",
  );
  clock.advance(1);
  assert.deepEqual([figures.record, figures.slowness, figures.inFlightElsewhere], [null, 1, 0]);
  assert.equal(clock.nextDelayMs, null);
});

test("what a server that is gone said is forgotten", () => {
  const clock = new FakeClock();
  const figures = new LoadFigures(clock);
  figures.update({ ...nothingKnown, inFlight: 1 }, 0);
  figures.forget();
  assert.deepEqual([figures.record, figures.inFlightElsewhere, clock.nextDelayMs], [null, 0, null]);
});

test("more of ours than the server said: others have none", () => {
  const figures = new LoadFigures(new FakeClock());
  figures.update({ ...nothingKnown, inFlight: 2 }, 5);
  assert.equal(figures.inFlightElsewhere, 0);
});
