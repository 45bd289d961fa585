import assert from "node:assert/strict";
import { test } from "node:test";
import { slowStartNote } from "./status.ts";

test("silence is no proof where the command itself was slow, and that is said", () => {
  assert.equal(slowStartNote([{ state: "down" }], 300), "");
  assert.equal(slowStartNote([{ state: "up" }], 4_210), "");
  assert.match(
    slowStartNote([{ state: "up" }, { state: "down" }], 4_210),
    /took 4\.2 s to start\. A server that did not answer within 1 s may be up all the same/,
  );
});
