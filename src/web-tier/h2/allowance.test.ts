import assert from "node:assert/strict";
import { test } from "node:test";
import { Allowance } from "./allowance.ts";

test("a burst, then what comes back a second, never more than the burst", () => {
  let now = 0;
  const allowance = new Allowance(3, 2, () => now);
  const taken = (): number => {
    let count = 0;
    while (allowance.take()) count++;
    return count;
  };
  assert.equal(taken(), 3);
  now += 499;
  assert.equal(taken(), 0);
  now += 1;
  assert.equal(taken(), 1);
  now += 60_000;
  assert.equal(taken(), 3);
});
