import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerStatus } from "../admin/cluster-status.ts";
import type { ClusterFile } from "../config/model.ts";
import { slowStartNote, unservedInWords } from "./status.ts";

test("silence is no proof where the command itself was slow, and that is said", () => {
  assert.equal(slowStartNote([{ state: "down" }], 300), "");
  assert.equal(slowStartNote([{ state: "up" }], 4_210), "");
  assert.match(
    slowStartNote([{ state: "up" }, { state: "down" }], 4_210),
    /took 4\.2 s to start\. A server that did not answer within 1 s may be up all the same/,
  );
});

/** As much of a file as is looked at. */
function fileOf(addresses: Readonly<Record<string, string>>): ClusterFile {
  const all = Object.entries(addresses).map(([name, address]) => ({ name, address, kind: "link" }));
  return {
    servers: new Map(all.map((server) => [server.name, server])),
    clusters: new Map([["app", { servers: all, witness: null }]]),
  } as unknown as ClusterFile;
}

test("no minute is promised while most voters can't vote", () => {
  const file = fileOf({ "app-a": "10.0.0.1", "app-b": "10.0.0.2", "app-c": "10.0.0.3", "app-d": "10.0.0.3" });
  const told = (full: readonly string[], down: readonly string[]): string => {
    const rows = [...file.servers.keys()].map((name) => ({
      ...{ name, cluster: "app", letter: "a", pid: 1, requests: 0, sessions: 0, slots: 900, copyingTo: [] },
      state: down.includes(name) ? ("down" as const) : ("up" as const),
      ...(full.includes(name) ? { voterProblem: "cannot write the voter's file" } : {}),
    }));
    return unservedInWords(file, rows).join();
  };
  assert.match(told([], ["app-b", "app-c"]), /waiting for app-b and app-c.*up to a minute/);
  assert.match(told(["app-a"], ["app-d"]), /waiting for app-d.*up to a minute/);
  // One vote per machine, whichever of its servers tells.
  assert.match(told(["app-c", "app-d"], []), /up to a minute/);
  for (const [full, down, voting] of [
    [["app-a", "app-b"], [], 1],
    [["app-a", "app-d"], [], 1],
    [["app-a", "app-b", "app-c"], [], 0],
    [["app-a"], ["app-b"], 1],
  ] as const) {
    const pattern = `nobody can take them over while ${voting} of the register's 3 voters can vote`;
    assert.match(told(full, down), new RegExp(pattern));
    assert.doesNotMatch(told(full, down), /minute/);
  }
});

test("slots that nobody serves are told, with who is waited for", () => {
  const server = (name: string, state: ServerStatus["state"], slots?: number): ServerStatus => ({
    ...{ name, state, cluster: "app", letter: "a", pid: 1, requests: 0, sessions: 0 },
    ...(slots === undefined ? {} : { slots, copyingTo: [] }),
  });
  const file = fileOf({ "app-a": "10.0.0.1", "app-b": "10.0.0.2", "app-c": "10.0.0.3" });
  const two = [server("app-a", "up", 1_366), server("app-b", "up", 1_366)];
  assert.deepEqual(unservedInWords(file, [...two, server("app-c", "up", 1_364)]), []);
  assert.deepEqual(unservedInWords(file, [...two, server("app-c", "down")]), [
    "1,364 of 4,096 session slots of app are served by nobody: waiting for app-c; " +
      "their sessions answer 503 until then (up to a minute)",
  ]);
  assert.match(
    unservedInWords(file, [...two, server("app-c", "up", 0)])[0]!,
    /for the servers that are up to take/,
  );
  assert.match(unservedInWords(file, [server("app-a", "starting", 0)])[0]!, /^4,096 of .* for app-a;/);
  assert.deepEqual(unservedInWords(file, [server("app-a", "up")]), [], "sessions on one server each");
});
