import assert from "node:assert/strict";
import test from "node:test";
import { type Coding, preferredCoding } from "./accept-encoding.ts";

test("RFC 9110, 12.5.3: weights decide, then our own order", () => {
  const all = ["zstd", "br", "gzip"] as const;
  const rows: readonly [accepted: string, ours: readonly Coding[], coding: Coding | null][] = [
    ["gzip, deflate, br, zstd", all, "zstd"],
    ["gzip, deflate, br", all, "br"],
    ["gzip, br", ["gzip"], "gzip"],
    ["gzip;q=1, br;q=0.9", all, "gzip"],
    ["GZip", all, "gzip"],
    ["x-gzip", all, "gzip"],
    ["br;q=0, zstd;q=0.000, gzip ; q=0.001", all, "gzip"],
    ["*", all, "zstd"],
    ["*;q=0.5, zstd;q=0", all, "br"],
    ["gzip;q=0, *;q=0", all, null],
    ["*;q=0", all, null],
    ["br;q=0", all, null],
    ["identity", all, null],
    ["identity, br;q=0.5", all, null],
    ["identity;q=0.5, br", all, "br"],
    ["", all, null],
    ["br", [], null],
    ["brr, gzi", all, null],
    ["gzip;q=2", all, null],
    ["gzip;q=0.5555", all, null],
    ["deflate", all, null],
    [`${"a,".repeat(16)}gzip`, all, null],
  ];
  for (const [accepted, ours, coding] of rows)
    assert.equal(preferredCoding(accepted, ours), coding, accepted);
});
