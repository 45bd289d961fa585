/** The opening metadata of a request on the link. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeLinkRequest, linkRequestLines } from "./link-request.ts";

const client = "https\n192.0.2.1\n5000\n192.0.2.2\n443";

test("nine lines, then names and values", () => {
  const meta = encodeLinkRequest("GET", "/a?b", 1, client, true, "Host\na\nX\n");
  const lines = meta.split("\n");
  assert.deepEqual(lines.slice(0, linkRequestLines), ["GET", "/a?b", "1.1", ...client.split("\n"), "u"]);
  assert.deepEqual(lines.slice(linkRequestLines), ["Host", "a", "X", ""]);
});

test("no fields, and fields with an LF in front", () => {
  assert.equal(encodeLinkRequest("GET", "/", 0, client, false, "").split("\n").length, linkRequestLines);
  const fields = encodeLinkRequest("GET", "/", 0, client, false, "\nHost\na")
    .split("\n")
    .slice(linkRequestLines);
  assert.deepEqual(fields, ["Host", "a"]);
});
