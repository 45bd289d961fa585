import assert from "node:assert/strict";
import test from "node:test";
import { failureOf, unreachable } from "./failure.ts";

const place = "Redis at 10.0.0.5:6379";

test("what Redis refuses was not done; what has no answer may have been", () => {
  const cases: readonly [message: string, outcome: "nothing" | "unknown", told: RegExp][] = [
    ["OOM command not allowed when used memory > 'maxmemory'. script: 1a", "nothing", /its memory is full/],
    // Redis 6.2 repeats within a script.
    [
      "ERR Error running script (call to f_1a): @user_script:5: @user_script: 5: -OOM command not allowed",
      "nothing",
      /its memory is full/,
    ],
    ["READONLY You can't write against a read only replica.", "nothing", /it is a replica/],
    ["LOADING Redis is loading the dataset in memory", "nothing", /it is reading its data from disk/],
    ["MISCONF Redis is configured to save RDB snapshots", "nothing", /can't save its data to disk/],
    ["BUSY Redis is busy running a script.", "nothing", /SCRIPT KILL/],
    ["NOREPLICAS Not enough good replicas to write.", "nothing", /min-replicas-to-write/],
    ["CLUSTERDOWN The cluster is down", "nothing", /CLUSTER INFO/],
    ["ERR something new", "nothing", /refused it: ERR something new$/],
    ["The client is offline", "nothing", /has not answered/],
    ["Stream isn't writeable and enableOfflineQueue options is false", "nothing", /has not answered/],
    ["Socket closed unexpectedly", "unknown", /has not answered: Socket closed unexpectedly$/],
    ["read ECONNRESET", "unknown", /has not answered/],
    ["Connection is closed.", "unknown", /has not answered/],
    ["", "unknown", /the connection was lost$/],
  ];
  for (const [message, outcome, told] of cases) {
    const failure = failureOf(place, new Error(message), true);
    assert.equal(failure.outcome, outcome, message);
    assert.match(failure.message, told);
    assert.equal(failureOf(place, new Error(message), false).outcome, "nothing", message);
  }
});

test("why it can't be reached", () => {
  assert.match(unreachable(place, null).message, /can't be reached: it was not tried yet/);
  assert.match(unreachable(place, new Error("connect ECONNREFUSED 10.0.0.5:6379")).message, /ECONNREFUSED/);
  assert.match(unreachable(place, new Error("WRONGPASS invalid")).message, /does not know this user/);
});
