/** The examples of these pages are files that `check` accepts without a word. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkClusterText } from "./load.ts";
import { formatProblem } from "./problems.ts";

const page = (name: string): string => readFileSync(join(import.meta.dirname, "../../docs", name), "utf8");
const guide = page("configuration.md");
const pages = ["upstreams.md", "routes.md", "checks.md", "balancing.md"];
const text = guide + pages.map(page).join("");
const examples = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map((match) => match[1]!);
/** Where the secret and the certificate of the examples are. */
const path = join(import.meta.dirname, "goldens/files/flotilla.yaml");
const options = {
  env: { SECRET: "s".repeat(32) },
  now: Date.UTC(2030, 0, 1),
  machine: { owns: () => false, anyAddress: "::" as const },
};

for (const [index, text] of examples.entries()) {
  test(`example ${index + 1}`, () => {
    const { problems } = checkClusterText(text, path, options);
    assert.deepEqual(problems.filter(({ severity }) => severity !== "note").map(formatProblem), []);
  });
}

test("there are examples, and the message of the guide is what the checker says", () => {
  assert.equal(examples.length, 11);
  const wrong = `secret: \${env:SECRET}\n\nclusters:\n  app:\n    servers:\n      app-a: { port: 6800, adress: 10.0.0.1 }\n`;
  const { problems } = checkClusterText(wrong, path, options);
  const told = formatProblem({ ...problems.at(-1)!, path: "flotilla.yaml" });
  assert.ok(guide.includes(told), told);
});
