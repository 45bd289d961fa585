import assert from "node:assert/strict";
import { test } from "node:test";
import { TimerWheel, WheelEntry } from "./timer-wheel.ts";

const tickMs = 100;

/** A wheel on a clock that the test moves; `fired` has the time of each deadline that fired. */
function wheelAt() {
  let nowMs = 0;
  const wheel = new TimerWheel(tickMs, 3, () => nowMs);
  const fired: { name: string; atMs: number }[] = [];
  return {
    wheel,
    fired,
    entry: (name: string) => new WheelEntry(() => void fired.push({ name, atMs: nowMs })),
    /** Time passes, and the wheel's interval runs as often as it should have. */
    pass(ms: number): void {
      for (const end = nowMs + ms; nowMs < end; wheel.advance()) nowMs += tickMs;
    },
    /** Time passes, and nothing runs in it. */
    standStill(ms: number): void {
      nowMs += ms;
    },
  };
}

test("a deadline fires between its time and three ticks more, also one further away than a turn of the wheel", () => {
  const { wheel, fired, entry, pass } = wheelAt();
  for (const delayMs of [50, 100, 799, 800, 2_450]) wheel.start(entry(String(delayMs)), delayMs);
  pass(3_000);
  assert.deepEqual(
    fired.map(({ name }) => name),
    ["50", "100", "799", "800", "2450"],
  );
  for (const { name, atMs } of fired) assert.ok(atMs >= Number(name) && atMs <= Number(name) + 3 * tickMs);
  assert.equal(wheel.size, 0);
});

test("a deadline that is moved fires once, one that is stopped never", () => {
  const { wheel, fired, entry, pass } = wheelAt();
  const [moved, stopped] = [entry("moved"), entry("stopped")];
  wheel.start(moved, 300);
  wheel.start(stopped, 300);
  pass(200);
  wheel.start(moved, 300);
  wheel.stop(stopped);
  wheel.stop(stopped);
  pass(200);
  assert.deepEqual(fired, []);
  pass(300);
  pass(100);
  assert.equal(fired.length, 1);
  assert.equal(moved.active, false);
});

test("a deadline's callback may start and stop others of its tick", () => {
  const { wheel, fired, entry, pass } = wheelAt();
  const last = entry("last");
  const again = entry("again");
  wheel.start(
    new WheelEntry(() => {
      wheel.stop(last);
      wheel.start(again, 100);
    }),
    100,
  );
  wheel.start(last, 100);
  wheel.start(again, 100);
  pass(1_000);
  assert.deepEqual(
    fired.map(({ name }) => name),
    ["again"],
  );
});

test("time in which the process stood still does not count", () => {
  const { wheel, fired, entry, pass, standStill } = wheelAt();
  wheel.start(entry("silence"), 500);
  pass(200);
  standStill(60_000);
  wheel.advance();
  assert.deepEqual(fired, [], "what came meanwhile is read first");
  pass(500);
  assert.equal(fired.length, 1);
});

test("a deadline that starts behind a stand-still has its whole time", () => {
  const { wheel, fired, entry, pass, standStill } = wheelAt();
  wheel.start(entry("first"), 5_000);
  standStill(10_000);
  wheel.start(entry("second"), 400);
  wheel.advance();
  pass(300);
  assert.deepEqual(fired, []);
  pass(100);
  assert.deepEqual(
    fired.map(({ name }) => name),
    ["second"],
  );
});

test("what is left of a deadline is known to the tick", () => {
  const { wheel, entry, pass } = wheelAt();
  const deadline = entry("a");
  assert.equal(wheel.leftMs(deadline), 0);
  wheel.start(deadline, 1_000);
  assert.equal(wheel.leftMs(deadline), 1_000);
  pass(300);
  assert.equal(wheel.leftMs(deadline), 700);
  wheel.start(deadline, 1_000);
  assert.equal(wheel.leftMs(deadline), 1_000);
  wheel.stop(deadline);
  assert.equal(wheel.leftMs(deadline), 0);
});
