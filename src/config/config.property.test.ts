/** Whatever is in a file: no crash, no endless work, every problem inside of the file, and nothing of a secret told. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { checkClusterText } from "./load.ts";
import { editDistance, nearest } from "./nearest.ts";
import type { Problem } from "./problems.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "./quantities.ts";
import { settings } from "./settings.ts";

const seed = 20_261;
const folder = join(import.meta.dirname, "goldens");
const secret = "tell-nobody what stands here, tell-nobody / tell-nobody";
const options = { env: { SECRET: secret }, machine: { owns: () => false, anyAddress: "::" as const } };

function check(text: string): readonly Problem[] {
  const { file, problems } = checkClusterText(text, join(folder, "x.yaml"), options);
  const lines = text.split(/\r\n|\n/);
  for (const { line, column, message } of problems) {
    assert.ok(line >= 1 && line <= lines.length, `line ${line} of ${lines.length}: ${message}`);
    assert.ok(column >= 1 && column <= lines[line - 1]!.length + 1, `column ${column}: ${message}`);
    assert.doesNotMatch(message, /[\n\x1b]|tell-nobody/);
  }
  assert.equal(
    file === null,
    problems.some(({ severity }) => severity === "error"),
  );
  return problems;
}

/** Keys and values that get a random tree deep into the checker. */
const keys = settings.map(({ path }) => path.split(/[.[]/).at(-1)!).filter((key) => /^[a-z]/i.test(key));
const key = fc.oneof(fc.constantFrom(...keys, "app", "web", "__proto__", "constructor", "<<"), fc.string());
const scalar = fc.oneof(
  fc.constantFrom(
    "10.0.0.1",
    "6800",
    "5s",
    "1KiB",
    "app",
    "/foo/*",
    "*.{a,b}",
    "http://a:1",
    `\${env:SECRET}`,
    `\${file:files/secret}`,
    `\${`,
    "round-robin",
    null,
  ),
  fc.integer(),
  fc.string(),
  fc.boolean(),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: "medium", maxDepth: 8, withCrossShrink: true },
    scalar,
    tie("map"),
    tie("list"),
  ),
  map: fc.array(fc.tuple(key, tie("tree"))).map((entries) => new Map(entries as [string, unknown][])),
  list: fc.array(tie("tree"), { maxLength: 4 }),
}));

/** JSON is YAML; a Map keeps `__proto__` a key. */
function write(node: unknown): string {
  if (node instanceof Map)
    return `{${[...node].map(([k, v]) => `${JSON.stringify(k)}: ${write(v)}`).join(", ")}}`;
  if (Array.isArray(node)) return `[${node.map(write).join(", ")}]`;
  return JSON.stringify(node);
}

/** A tree in the shape of the table, each key there or not, each value right or random. */
function shaped(path: string): fc.Arbitrary<unknown> {
  const children = settings.filter(
    (row) => row.path.replace(/(\.[^.[\]]+|\[\])$/, "") === path && row.path !== path,
  );
  const top = path === "" ? settings.filter((row) => !/[.[]/.test(row.path)) : children;
  const named = top.find((row) => row.path.endsWith("<name>"));
  const item = top.find((row) => row.path.endsWith("[]"));
  if (named !== undefined) {
    const name = fc.constantFrom("web", "app", "a", "b", "app-a", "X", "__proto__");
    return fc.array(fc.tuple(name, shaped(named.path)), { maxLength: 3 }).map((entries) => new Map(entries));
  }
  if (item !== undefined) return fc.array(shaped(item.path), { maxLength: 3 });
  if (top.length === 0) return scalar;
  const entries = top.map((row) =>
    fc.option(fc.tuple(fc.constant(row.path.split(".").at(-1)!), shaped(row.path))),
  );
  return fc.tuple(...entries).map((parts) => new Map(parts.filter((part) => part !== null)));
}

describe("random files", () => {
  test("random trees", () => {
    fc.assert(
      fc.property(tree, (node) => void check(write(node))),
      { seed, numRuns: 500 },
    );
  });

  test("random trees in the shape of the table", () => {
    fc.assert(
      fc.property(shaped(""), (node) => void check(write(node))),
      { seed, numRuns: 500 },
    );
  });

  test("random text", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "a: ",
        "- ",
        "\n",
        "  ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "!t ",
        '"',
        "'",
        "|",
        ">",
        "? ",
        "---\n",
        "\t",
        "\r\n",
        "\u2028",
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => void check(pieces.join(""))),
      { seed, numRuns: 1_000 },
    );
  });

  test("goldens with one piece cut out, doubled or replaced", () => {
    const texts = readdirSync(folder)
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => readFileSync(join(folder, name), "utf8"));
    const damage = fc.record({
      text: fc.constantFrom(...texts),
      from: fc.nat(),
      length: fc.nat(20),
      put: fc.string(),
    });
    fc.assert(
      fc.property(damage, ({ text, from, length, put }) => {
        const start = from % (text.length + 1);
        check(text.slice(0, start) + put + text.slice(start + length));
      }),
      { seed, numRuns: 1_000 },
    );
  });

  test("large files end quickly: many keys, deep nesting, many mistakes", () => {
    const started = performance.now();
    check(Array.from({ length: 100_000 }, (_, i) => `k${i}: 1\n`).join(""));
    check(`clusters: ${"[".repeat(500_000)}`);
    assert.equal(check(Array.from({ length: 5_000 }, (_, i) => `k${i}: 1\n`).join("")).length, 101);
    assert.ok(performance.now() - started < 20_000);
  });
});

describe("helpers", () => {
  test("an edit distance is a metric: zero only for equals, symmetric, at most the longer length", () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        assert.equal(distance, editDistance(b, a));
        assert.equal(distance === 0, a === b);
        assert.ok(distance <= Math.max(a.length, b.length) && distance >= Math.abs(a.length - b.length));
      }),
      { seed },
    );
    assert.equal(editDistance("adress", "address"), 1);
    assert.equal(editDistance("form", "from"), 1);
    assert.equal(nearest("ADRESS", ["port", "address"]), "address");
    assert.equal(nearest("bar", ["foo"]), null);
  });

  test("durations and sizes are read as they are written", () => {
    const amount = fc.integer({ min: 0, max: 2 ** 40 });
    fc.assert(
      fc.property(amount, (n) => {
        assert.equal(parseDuration(formatDuration(n)), n);
        assert.equal(parseSize(formatSize(n)), n);
      }),
      { seed },
    );
    assert.equal(parseDuration("1.5s"), 1_500);
    for (const text of ["", "5", "5 s", "-5s", "5S", "s", "1e3s", "Infinitys"])
      assert.equal(parseDuration(text), null);
    for (const text of ["256", "256mb", "1 KiB", "KB"]) assert.equal(parseSize(text), null);
  });
});
