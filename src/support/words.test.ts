import assert from "node:assert/strict";
import { test } from "node:test";
import { grouped, sizeInWords, visible, visibleJson } from "./words.ts";

test("sizes and amounts as a person reads them", () => {
  const sizes = [0, 999, 1_000, 9_949, 9_950, 999_499, 999_500, 1_500_000_000, 2e16].map(sizeInWords);
  assert.deepEqual(sizes, [
    ...["0 bytes", "999 bytes", "1.0 KB", "9.9 KB", "10 KB", "999 KB", "1.0 MB", "1.5 GB", "20000 TB"],
  ]);
  assert.equal(grouped(1_234_567), "1,234,567");
});

test("A47 what comes from outside moves no cursor and hides nothing", () => {
  assert.equal(
    visible("a\u001b[31m\r\n\u0085\u202e\u200b\u2028é🛒"),
    "a\\u001b[31m\\u000d\\u000a\\u0085\\u202e\\u200b\\u2028é🛒",
  );
  assert.equal(visible("\u{e0041}"), "\\u{e0041}");
  const value = { "\u001b[2J": ["\u009b31m\u007f\u202e\u2028\u{e0041}é🛒\n"] };
  assert.equal(
    visibleJson(value),
    String.raw`{"\u001b[2J":["\u009b31m\u007f\u202e\u2028\udb40\udc41é🛒\n"]}`,
  );
  assert.deepEqual(JSON.parse(visibleJson(value)), value);
});
