/** How many votes decide, and who votes by the file. */
import assert from "node:assert/strict";
import test from "node:test";
import { chooseVoters, type Standing, tally, type Verdict, type Voter } from "./voters.ts";

const letters = { y: "yes", r: "refused", l: "late", w: "waiting", x: "lost" } as const;

/** "yyx/yw": the standings of the set, and of the next one. */
function verdict(standings: string): Verdict {
  const told = new Map<Voter, Standing>();
  const [current, next] = standings.split("/").map((part) =>
    [...part].map((letter, at) => {
      const voter = { name: `${part}${at}`, marker: "m" };
      told.set(voter, letters[letter as keyof typeof letters]);
      return voter;
    }),
  );
  return tally({ current: current!, next: next ?? null }, (voter) => told.get(voter)!);
}

test("majorities", () => {
  const table: Record<string, Verdict> = {
    ...{ y: "yes", w: "open", l: "open", x: "no", r: "no" },
    ...{ yyw: "yes", ywx: "open", yxx: "no", yrw: "open", yll: "open", rrw: "no" },
    ...{ yyww: "open", yyyx: "yes", yyxx: "no", yyyxx: "yes", yywxx: "open" },
  };
  for (const [standings, expected] of Object.entries(table))
    assert.equal(verdict(standings), expected, standings);
});

test("of two voters the one that answers decides when the other is lost or late, never when it refuses", () => {
  const table: Record<string, Verdict> = {
    ...{
      yy: "yes",
      yw: "open",
      yl: "yes",
      yx: "yes",
      yr: "no",
      lw: "open",
      ll: "open",
      lx: "open",
      xx: "no",
    },
  };
  for (const [standings, expected] of Object.entries(table))
    assert.equal(verdict(standings), expected, standings);
});

test("while the set is changed both must agree", () => {
  const table: Record<string, Verdict> = {
    "yyx/yyx": "yes",
    "yyx/yxx": "no",
    "yyw/yww": "open",
    "yxx/yyy": "no",
  };
  for (const [standings, expected] of Object.entries(table))
    assert.equal(verdict(standings), expected, standings);
});

test("a voter that was never seen has no vote", () => {
  const voters = ["m", "m", ""].map((marker, at) => ({ name: `${at}`, marker }));
  assert.equal(
    tally({ current: voters, next: null }, (voter) => (voter.name === "1" ? "waiting" : "yes")),
    "open",
  );
});

test("voters by the file are machines, and an odd number where it can be", () => {
  assert.deepEqual(chooseVoters(["1", "1", "1"], null), ["1"]);
  assert.deepEqual(chooseVoters(["1", "2", "1"], null), ["1", "2"]);
  assert.deepEqual(chooseVoters(["1", "2", "3", "4"], null), ["1", "2", "3"]);
  assert.deepEqual(chooseVoters(["1", "2", "3", "4", "5", "6"], null), ["1", "2", "3", "4", "5"]);
  assert.deepEqual(chooseVoters(["1", "2"], "w"), ["1", "2", "w"]);
});
