import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerStatus } from "../admin/cluster-status.ts";
import { slowStartNote, unservedInWords } from "./status.ts";

test("silence is no proof where the command itself was slow, and that is said", () => {
  assert.equal(slowStartNote([{ state: "down" }], 300), "");
  assert.equal(slowStartNote([{ state: "up" }], 4_210), "");
  assert.match(
    slowStartNote([{ state: "up" }, { state: "down" }], 4_210),
    /took 4\.2 s to start\. A server that did not answer within 1 s may be up all the same/,
  );
});

test("slots that nobody serves are told, with who is waited for", () => {
  const server = (name: string, state: ServerStatus["state"], slots?: number): ServerStatus => ({
    ...{ name, state, cluster: "app", letter: "a", pid: 1, requests: 0, sessions: 0 },
    ...(slots === undefined ? {} : { slots, copyingTo: [] }),
  });
  const two = [server("app-a", "up", 1_366), server("app-b", "up", 1_366)];
  assert.deepEqual(unservedInWords([...two, server("app-c", "up", 1_364)]), []);
  assert.deepEqual(unservedInWords([...two, server("app-c", "down")]), [
    "1,364 of 4,096 session slots of app are served by nobody: waiting for app-c; " +
      "their sessions answer 503 until then (up to a minute)",
  ]);
  assert.match(
    unservedInWords([...two, server("app-c", "up", 0)])[0]!,
    /for the servers that are up to take/,
  );
  assert.match(unservedInWords([server("app-a", "starting", 0)])[0]!, /^4,096 of .* for app-a;/);
  assert.deepEqual(unservedInWords([server("app-a", "up")]), [], "sessions on one server each");
});
