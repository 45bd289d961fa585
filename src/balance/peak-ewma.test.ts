import assert from "node:assert/strict";
import test from "node:test";
import { PeakEwma } from "./peak-ewma.ts";

test("it follows a rise at once, a fall slowly, and fades while nothing is heard", () => {
  const average = new PeakEwma(1_000);
  assert.equal(average.value(0), 0);
  average.update(10, 0);
  average.update(100, 0);
  assert.equal(average.value(0), 100);
  average.update(10, 1_000);
  const fallen = 100 / Math.E + 10 * (1 - 1 / Math.E);
  assert.ok(Math.abs(average.value(1_000) - fallen) < 1e-9);
  assert.ok(Math.abs(average.value(2_000) - fallen / Math.E) < 1e-9);
  assert.ok(average.value(3_900) > 0);
  assert.equal(average.value(4_100), 0);
});

test("a clock that stands still or goes back does no harm", () => {
  const average = new PeakEwma(1_000);
  average.update(10, 5_000);
  average.update(5, 4_000);
  assert.equal(average.value(3_000), 10);
});
