/**
 * Fuzzed requests: we and a lenient parser differ only for reasons that have a name, whatever the bytes, and we decide
 * the same however they were cut. `npm run fuzz -- --seeds 100000` goes on from here.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareRequests } from "./compare-requests.ts";
import { corpus } from "./corpus.ts";
import { dropped, milder, misread, stricter } from "./explained.ts";
import { type Reading, readRequests } from "./our-reader.ts";
import { fuzzRequests } from "./run-requests.ts";

const seeds = 4_000;

test(`seeds 1 to ${seeds}: every difference has its class, and cuts change nothing`, () => {
  for (let seed = 1; seed <= seeds; seed++) fuzzRequests(seed);
});

test("the corpus: every difference has its class", () => {
  for (const text of corpus) compareRequests(text);
});

test("every class is met, so none is there in vain", () => {
  const met = new Set<string>();
  // Seeds that show what is rare, found by a long run.
  for (let seed = 1; seed <= 30_000; seed++) for (const name of fuzzRequests(seed, false)) met.add(name);
  for (const text of corpus) for (const name of compareRequests(text)) met.add(name);
  const all = [stricter, milder, misread, dropped].flatMap((table) => Object.keys(table));
  assert.deepEqual(
    all.filter((name) => !met.has(name)),
    [],
  );
});

/** Parsers that are wrong in one thing each. */
const mutants: Readonly<Record<string, (reading: Reading) => Reading>> = {
  "takes one byte too few for a body": (reading) => ({
    ...reading,
    requests: reading.requests.map((request) => ({ ...request, body: request.body.slice(0, -1) })),
  }),
  "passes a hop-by-hop field on": (reading) => ({
    ...reading,
    requests: reading.requests.map((request) => ({ ...request, fields: [...request.fields, "TE", "x"] })),
  }),
  "loses a field": (reading) => ({
    ...reading,
    requests: reading.requests.map((request) => ({ ...request, fields: request.fields.slice(2) })),
  }),
  "passes the target on as it came": (reading) => ({
    ...reading,
    requests: reading.requests.map((request) => ({ ...request, target: request.target.replace("~", "%7E") })),
  }),
  "refuses what is sound": (reading) =>
    reading.requests.length > 1
      ? { ...reading, requests: reading.requests.slice(0, 1), end: "BAD_HOST", at: reading.requests[1]!.from }
      : reading,
  "sees one request less": (reading) =>
    reading.end === "more" && reading.requests.length > 1
      ? { ...reading, requests: reading.requests.slice(0, -1) }
      : reading,
  "merges trailers": (reading) => ({
    ...reading,
    requests: reading.requests.map((request) => ({ ...request, trailer: ["Authorization", "x"] })),
  }),
};

for (const [what, mutant] of Object.entries(mutants)) {
  test(`a parser that ${what} is caught`, () => {
    const texts = Array.from({ length: 300 }, (_none, seed) => seed + 1);
    assert.throws(() => {
      for (const seed of texts) fuzzRequests(seed, false, (text) => mutant(readRequests(text)));
    });
  });
}
