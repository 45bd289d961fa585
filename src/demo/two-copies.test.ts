import assert from "node:assert/strict";
import { test } from "node:test";
import { slotsAtRisk } from "./two-copies.ts";

test("slots with one copy and slots of nobody are at risk", () => {
  const web = {};
  assert.equal(slotsAtRisk([]), 4_096);
  const whole = [web, { slots: 2_000, singleCopySlots: 0 }, { slots: 2_096, singleCopySlots: 0 }];
  assert.equal(slotsAtRisk(whole), 0);
  assert.equal(slotsAtRisk([web, { slots: 2_000, singleCopySlots: 0 }, web]), 2_096);
  assert.equal(
    slotsAtRisk([
      { slots: 2_000, singleCopySlots: 7 },
      { slots: 2_090, singleCopySlots: 1 },
    ]),
    14,
  );
  // Two that both take a slot for their own for a moment hide none that has one copy.
  assert.equal(
    slotsAtRisk([
      { slots: 2_100, singleCopySlots: 3 },
      { slots: 2_000, singleCopySlots: 0 },
    ]),
    3,
  );
});
