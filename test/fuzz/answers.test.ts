/**
 * Fuzzed answers: what we deliver as whole a lenient parser reads in the same way; what we give up has a cause that can be
 * shown; and we decide the same however the bytes were cut.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { wrongAnswers } from "./compare-answers.ts";
import { type AnswerReading, brokenOff, bytesBehind, readAnswer } from "./our-reader.ts";
import { fuzzAnswers } from "./run-answers.ts";

const seeds = 6_000;

test(`seeds 1 to ${seeds}: every difference has its class, cuts change nothing, and no class is there in vain`, () => {
  const met = new Set<string>();
  for (let seed = 1; seed <= seeds; seed++) for (const name of fuzzAnswers(seed)) met.add(name);
  const all = [...Object.keys(wrongAnswers), brokenOff, bytesBehind];
  assert.deepEqual(
    all.filter((name) => !met.has(name)),
    [],
  );
});

/** Parsers that are wrong in one thing each. */
const mutants: Readonly<Record<string, (reading: AnswerReading) => AnswerReading>> = {
  "delivers what broke off": (reading) =>
    reading.error === brokenOff ? { ...reading, end: "whole", error: "" } : reading,
  "overlooks bytes behind the end": (reading) =>
    reading.error === bytesBehind ? { ...reading, end: "whole", error: "" } : reading,
  "takes one byte too many": (reading) =>
    reading.end === "whole" ? { ...reading, body: `${reading.body}x` } : reading,
  "passes Connection on": (reading) =>
    reading.end === "whole" ? { ...reading, fields: `${reading.fields}Connection: close\r\n` } : reading,
  "refuses what is sound": (reading) => ({ ...reading, end: "wrong", error: "the head is too large" }),
};

for (const [what, mutant] of Object.entries(mutants)) {
  test(`a parser that ${what} is caught`, () => {
    assert.throws(() => {
      for (let seed = 1; seed <= 300; seed++)
        fuzzAnswers(seed, false, (method, text) => mutant(readAnswer(method, text)));
    });
  });
}
