/** What one seed tries on the parsers of requests. */
import assert from "node:assert/strict";
import { seededRandom } from "../../src/support/clock.ts";
import { compareRequests } from "./compare-requests.ts";
import { type Reading, readRequests, waitsForHead } from "./our-reader.ts";
import { cutsOf, requestStream } from "./requests.ts";

/** @returns names of the differences that were met. @throws when one has no name, or cuts change what is read. */
export function fuzzRequests(
  seed: number,
  withCuts: boolean = true,
  read: (text: string) => Reading = readRequests,
): string[] {
  const random = seededRandom(seed);
  const text = requestStream(random);
  const whole = read(text);
  const classes = compareRequests(text, whole);
  if (!withCuts) return classes;
  for (let times = 0; times < 3; times++) sameInPieces(text, whole, cutsOf(random, text));
  sameInPieces(
    text,
    whole,
    Array.from({ length: text.length }, (_none, at) => at),
  );
  return classes;
}

function sameInPieces(text: string, whole: Reading, cuts: readonly number[]): void {
  const inPieces = readRequests(text, cuts);
  const wanted = inPieces.end === "more" && waitsForHead(text, inPieces) ? { ...whole, end: "more" } : whole;
  assert.deepEqual(inPieces, wanted, `cut at ${cuts.join()}: ${JSON.stringify(text)}`);
}
