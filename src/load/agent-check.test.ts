/** HAProxy's grammar: every word, and what must not be taken for one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { agent as limits } from "../support/limits.ts";
import { type AgentAnswer, formatAgentCheck, nothingSaid, parseAgentCheck } from "./agent-check.ts";

const said = (some: Partial<AgentAnswer>): AgentAnswer => ({ ...nothingSaid, ...some });

const understood: readonly (readonly [string, Partial<AgentAnswer>])[] = [
  ["ready\n", { admin: "ready" }],
  ["drain\n", { admin: "drain" }],
  ["maint\n", { admin: "maint" }],
  ["up\n", { health: "up" }],
  ["down\n", { health: "down" }],
  ["fail\n", { health: "fail" }],
  ["stopped\n", { health: "stopped" }],
  ["75%\n", { weightPercent: 75 }],
  ["0%\n", { weightPercent: 0 }],
  ["150%\n", { weightPercent: 150 }],
  ["weight:30\n", { weight: 30 }],
  ["weight:30%\n", { weightPercent: 30 }],
  ["maxconn:30\n", { connectionsMax: 30 }],
  ["UP Ready 7%\n", { health: "up", admin: "ready", weightPercent: 7 }],
  ["up\r\n", { health: "up" }],
  ["up\r", { health: "up" }],
  ["up\ndown\n", { health: "up" }],
  [",\tup ,, 50%\t\n", { health: "up", weightPercent: 50 }],
  ["up down\n", { health: "down" }],
  ["down # the disk, it is full\n", { health: "down", text: "the disk, it is full" }],
  ["up #drain\n", { health: "up", text: "drain" }],
  ["up 5 -3% 1e2% % maxconn: weight:x maxconn:5% ups\n", { health: "up", unknown: "5" }],
  ["up 1234567%\n", { health: "up", unknown: "1234567%" }],
];
for (const [line, answer] of understood)
  test(JSON.stringify(line), () => assert.deepEqual(parseAgentCheck(line), said(answer)));

for (const line of [
  "",
  "up",
  "\n",
  "# up\n",
  "200 OK\n",
  "up\0\n",
  "\nup\n",
  `up ${" ".repeat(limits.lineBytesMax)}\n`,
  // Within a word a "#" begins no text, with HAProxy neither.
  "down#full\n",
  "+5%\n",
  "5 %\n",
])
  test(`${JSON.stringify(line.slice(0, 20))} says nothing`, () => assert.equal(parseAgentCheck(line), null));

const option = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary);
const answers = fc.record({
  admin: option(fc.constantFrom("ready", "drain", "maint")),
  health: option(fc.constantFrom("up", "down", "fail", "stopped")),
  weightPercent: option(fc.nat(999_999)),
  weight: option(fc.nat(999_999)),
  connectionsMax: option(fc.nat(999_999)),
  text: fc.string({ unit: "binary", maxLength: 2_000 }),
});

test("what is written is one line, and read as it was meant", () => {
  fc.assert(
    fc.property(answers, (answer) => {
      const line = formatAgentCheck(answer);
      assert.match(line, /^[ -~]*\n$/);
      assert.ok(line.length <= limits.lineBytesMax);
      const { text, ...words } = answer;
      const isEmpty = Object.values(words).every((word) => word === null);
      const read = parseAgentCheck(line);
      if (isEmpty) assert.equal(read, null);
      else assert.deepEqual({ ...read, text: "" }, said(words));
    }),
    { seed: 4 },
  );
});

test("any bytes are an answer or null", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 2_000 }), (bytes) => {
      const answer = parseAgentCheck(`up ${bytes}`);
      if (answer === null) return;
      assert.match(answer.text, /^[ -~]*$/, "it is shown on terminals");
      for (const amount of [answer.weightPercent, answer.weight, answer.connectionsMax])
        assert.ok(amount === null || (Number.isInteger(amount) && amount >= 0));
    }),
    { seed: 5 },
  );
});
