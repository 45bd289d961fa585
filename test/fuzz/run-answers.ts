/** What one seed tries on the parser of answers. */
import assert from "node:assert/strict";
import { seededRandom } from "../../src/support/clock.ts";
import { answerStream } from "./answers.ts";
import { compareAnswers } from "./compare-answers.ts";
import { type AnswerReading, readAnswer } from "./our-reader.ts";
import { cutsOf } from "./requests.ts";

/** @returns names of the differences that were met. @throws when one has no name, or cuts change what is read. */
export function fuzzAnswers(
  seed: number,
  withCuts: boolean = true,
  read: (method: string, text: string) => AnswerReading = readAnswer,
): string[] {
  const random = seededRandom(seed);
  const text = answerStream(random);
  const method = random() < 0.2 ? "HEAD" : "GET";
  const whole = read(method, text);
  const classes = compareAnswers(method, text, whole);
  if (!withCuts) return classes;
  for (const cuts of [
    cutsOf(random, text),
    cutsOf(random, text),
    Array.from({ length: text.length }, (_none, at) => at),
  ]) {
    const inPieces = readAnswer(method, text, cuts);
    assert.deepEqual(inPieces, whole, `cut at ${cuts.join()}: ${JSON.stringify(text)}`);
  }
  return classes;
}
