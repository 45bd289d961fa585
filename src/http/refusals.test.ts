/** Every reason is documented as it is. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { refusals } from "./refusals.ts";

test("docs/errors.md lists the refused requests", () => {
  const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
  const documented = page.split("\n").filter((line) => line.startsWith("| FLOTILLA_HTTP_"));
  const rows = Object.values(refusals).map(
    ({ code, status, message }) => `| ${code} | ${status} | ${message} |`,
  );
  assert.deepEqual(documented, rows);
});
