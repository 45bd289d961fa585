import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "./clock.ts";

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
