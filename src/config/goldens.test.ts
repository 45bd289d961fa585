/**
 * Every file of goldens/ is checked, and what it says must be what the .txt beside it holds, word for word.
 * After a change of words: FLOTILLA_WRITE_GOLDENS=1 node --test src/config/goldens.test.ts, and read the diff.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { loadClusterFile } from "./load.ts";
import { isLoopback, type Machine } from "./local.ts";
import { formatProblem } from "./problems.ts";

const folder = join(import.meta.dirname, "goldens");
const env = { SECRET: "a-secret-for-the-goldens-is-not-printed-", EMPTY: "" };
const machine: Machine = { owns: isLoopback, anyAddress: "::" };
const now = Date.UTC(2030, 0, 1);
const inputs = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

function told(input: string): string {
  const { file, problems } = loadClusterFile(join(folder, input), { env, machine, now });
  const lines = problems.map(formatProblem);
  if (file !== null) lines.push("accepted");
  return `${lines.join("\n")}\n`.replaceAll(`${folder}/`, "");
}

describe("goldens of check", () => {
  for (const input of inputs) {
    const output = join(folder, input.replace(/\.yaml$/, ".txt"));
    test(input, () => {
      const found = told(input);
      if (process.env.FLOTILLA_WRITE_GOLDENS === "1") writeFileSync(output, found);
      assert.equal(found, readFileSync(output, "utf8"));
      assert.doesNotMatch(
        found,
        /not-printed|not-to-be-printed|must-not-be-printed|user:word|short-secret-value/,
      );
    });
  }

  test("each output belongs to an input", () => {
    const outputs = readdirSync(folder).filter((name) => name.endsWith(".txt"));
    assert.deepEqual(
      outputs.map((name) => name.replace(/txt$/, "yaml")),
      inputs,
    );
  });
});
