/** What is generated from the table of settings is up to date, and the table itself is in order. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { scalars } from "../src/config/scalars.ts";
import { settings } from "../src/config/settings.ts";
import { generatedFiles } from "./generate.ts";

for (const { path, content } of generatedFiles) {
  test(`${path} is what "npm run generate" writes`, () => {
    assert.equal(readFileSync(new URL(`../${path}`, import.meta.url), "utf8"), content());
  });
}

test("every row has its own path, a sentence, and bounds around its default", () => {
  assert.equal(new Set(settings.map(({ path }) => path)).size, settings.length);
  for (const { path, type, description, minimum, maximum, default: value, choices } of settings) {
    assert.match(description, /^[A-Z`].*\.$/, path);
    if (/^(integer|duration|size|secret|named|list)/.test(type)) assert.ok(maximum !== undefined, path);
    if (typeof value === "number" && Number.isFinite(value)) {
      assert.ok(value >= minimum! && value <= maximum!, path);
    }
    if (type === "choice") assert.ok(value === undefined || choices!.includes(String(value)), path);
    else if (typeof value === "string" && !value.startsWith("<data>")) {
      assert.notEqual(scalars[type as "folder"].parse(value, settings[0]!), null, path);
    }
  }
});
