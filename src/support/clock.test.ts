import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/harness/link-pair.ts";
import { afterAwake, systemClock } from "./clock.ts";

test("a time that is over already is no time, and Node has nothing to warn of", async (t) => {
  const warnings: string[] = [];
  const onWarning = ({ name }: Error): void => void warnings.push(name);
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  // Timers of the clock don't keep the process alive.
  const awake = setInterval(() => {}, 1_000);
  await new Promise<void>((resolve) => systemClock.after(-5, resolve));
  clearInterval(awake);
  assert.deepEqual(warnings, []);
});

test("time in which this process stood still counts for no more than a step", () => {
  const clock = new FakeClock();
  let calls = 0;
  afterAwake(clock, 200, 50, () => calls++);
  clock.pause(60_000);
  clock.advance(149);
  assert.equal(calls, 0);
  clock.advance(1);
  assert.equal(calls, 1);
  afterAwake(clock, 120, 50, () => calls++).cancel();
  const timer = afterAwake(clock, 120, 50, () => calls++);
  clock.advance(110);
  timer.cancel();
  clock.advance(1_000);
  assert.equal(calls, 1);
});
