import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "./clock.ts";
import { Seldom } from "./seldom.ts";

test("told at once, then with the sum of a while, and at once again after a quiet time", () => {
  let now = 0;
  const seldom = new Seldom(60, { ...systemClock, now: () => now });
  const told = Array.from({ length: 140 }, (_none, second) => {
    now = second;
    return [second, seldom.add()] as const;
  });
  assert.deepEqual(
    told.filter(([, sum]) => sum > 0),
    [
      [0, 1],
      [60, 60],
      [120, 60],
    ],
  );
  now = 10_000;
  assert.equal(seldom.add(5), 24);
  assert.equal(seldom.add(5), 0);
});
