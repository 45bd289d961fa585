import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CheckCounter } from "./check-counter.ts";

/** "+" a good answer, "-" a bad one -> the verdict after each: "u" up, "d" down. */
function verdicts(rise: number, fall: number, answers: string): string {
  const counter = new CheckCounter({ rise, fall });
  return [...answers]
    .map((answer) => {
      counter.count(answer === "+");
      return counter.passed ? "u" : "d";
    })
    .join("");
}

for (const [what, rise, fall, answers, expected] of [
  ["the first answer decides", 2, 3, "+", "u"],
  ["either way", 2, 3, "-", "d"],
  ["down after `fall` bad ones in a row", 2, 3, "+---", "uuud"],
  ["a good one in between counts anew", 2, 3, "+--+--+---", "uuuuuuuuud"],
  ["up after `rise` good ones in a row", 2, 3, "-++", "ddu"],
  ["a bad one in between counts anew", 3, 1, "-++-++-+++", "dddddddddu"],
  ["one is enough where the file says so", 1, 1, "+-+-", "udud"],
  ["the bad answer that decided first does not count for later ones", 2, 2, "-++-", "dduu"],
] as const) {
  test(`${what}: ${answers}`, () => assert.equal(verdicts(rise, fall, answers), expected));
}

test("a verdict changes only behind so many answers of the other kind in a row", () => {
  const some = fc.array(fc.boolean(), { maxLength: 60 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 5 }),
      some,
      (rise, fall, answers) => {
        const counter = new CheckCounter({ rise, fall });
        answers.forEach((passed, index) => {
          const before = counter.passed;
          const changed = counter.count(passed);
          assert.equal(changed, counter.passed !== before);
          const needed = before === null ? 1 : before ? fall : rise;
          const last = answers.slice(Math.max(0, index + 1 - needed), index + 1);
          const speaksAgainst = last.length === needed && last.every((one) => one !== before);
          assert.equal(changed, speaksAgainst);
        });
      },
    ),
    { seed: 1 },
  );
});
