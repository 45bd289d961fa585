/** Preconditions, ranges and names, row by row. */
import assert from "node:assert/strict";
import test from "node:test";
import { fileFieldsOf, verdictOn } from "./conditions.ts";
import { contentTypeOf, fileNameOf } from "./file-names.ts";

const modifiedAt = Date.UTC(2026, 10, 21, 10, 0, 0) / 1_000;
const same = "Sat, 21 Nov 2026 10:00:00 GMT";
const before = "Sat, 21 Nov 2026 09:59:59 GMT";
const after = "Sat, 21 Nov 2026 10:00:01 GMT";
const file = { etag: '"abc"', modifiedAt, size: 100 };

/** @param fields "name: value; name: value". */
function verdict(fields: string, isGet = true, size = 100): string {
  const text = fields.replaceAll("; ", "\n").replaceAll(": ", "\n");
  const { status, from, to } = verdictOn(fileFieldsOf(text), { ...file, size }, isGet);
  return status === 206 ? `206 ${from}-${to}` : `${status}`;
}

test("preconditions, in the order of RFC 9110, 13.2.2", () => {
  const rows: readonly [fields: string, verdict: string][] = [
    ["Host: a", "200"],
    ['If-None-Match: "abc"', "304"],
    ['IF-NONE-MATCH: "x", W/"abc"', "304"],
    ["If-None-Match: *", "304"],
    ['If-None-Match: "abcd"', "200"],
    [`If-Modified-Since: ${same}`, "304"],
    [`If-Modified-Since: ${after}`, "304"],
    [`If-Modified-Since: ${before}`, "200"],
    ["If-Modified-Since: yesterday", "200"],
    // An entity tag is the better answer to the same question.
    [`If-None-Match: "x"; If-Modified-Since: ${after}`, "200"],
    ['If-Match: "abc"', "200"],
    ["If-Match: *", "200"],
    ['If-Match: W/"abc"', "412"],
    ['If-Match: "x"', "412"],
    ['If-Match: "x"; If-None-Match: "abc"', "412"],
    [`If-Unmodified-Since: ${before}`, "412"],
    [`If-Unmodified-Since: ${same}`, "200"],
    [`If-Match: "abc"; If-Unmodified-Since: ${before}`, "200"],
  ];
  for (const [fields, expected] of rows) assert.equal(verdict(fields), expected, fields);
});

test("A37 one range is sent, several are the whole, impossible ones are refused", () => {
  const rows: readonly [range: string, verdict: string][] = [
    ["bytes=0-0", "206 0-1"],
    ["bytes=10-19", "206 10-20"],
    ["bytes=10-", "206 10-100"],
    ["bytes=-10", "206 90-100"],
    ["bytes=-1000", "206 0-100"],
    ["bytes=0-99999999999999999999999999", "206 0-100"],
    ["Bytes= 5-6 ", "206 5-7"],
    ["bytes=99-", "206 99-100"],
    ["bytes=100-", "416"],
    ["bytes=99999999999999999999999999-", "416"],
    ["bytes=-0", "416"],
    ["bytes=0-0,2-2", "200"],
    [`bytes=${Array.from({ length: 1_000 }, (_, at) => `${at}-${at}`).join(",")}`, "200"],
    [`bytes=${"0-,".repeat(1_000)}`, "200"],
    // Not understood: as if it were not there.
    ["bytes=5-4", "200"],
    ["bytes=-", "200"],
    ["bytes=", "200"],
    ["bytes=a-b", "200"],
    ["bytes=0x1-", "200"],
    ["bytes=-5-", "200"],
    ["bytes=1.5-", "200"],
    ["items=0-1", "200"],
  ];
  for (const [range, expected] of rows)
    assert.equal(verdict(`Range: ${range}`), expected, range.slice(0, 60));
  assert.equal(verdict("Range: bytes=0-0", false), "200", "HEAD has no ranges");
  assert.equal(verdict("Range: bytes=0-", true, 0), "416");
  assert.equal(verdict("Range: bytes=-1", true, 0), "416");
});

test("If-Range: the range only of what the client has a part of", () => {
  assert.equal(verdict('Range: bytes=0-0; If-Range: "abc"'), "206 0-1");
  assert.equal(verdict('Range: bytes=0-0; If-Range: W/"abc"'), "200");
  assert.equal(verdict('Range: bytes=0-0; If-Range: "x"'), "200");
  assert.equal(verdict(`Range: bytes=0-0; If-Range: ${same}`), "206 0-1");
  assert.equal(verdict(`Range: bytes=0-0; If-Range: ${after}`), "200");
  assert.equal(verdict("Range: bytes=0-0; If-Range: x"), "200");
  assert.equal(verdict('Range: bytes=500-; If-None-Match: "abc"'), "304");
});

test("A21 the name of a file, and what has none", () => {
  const rows: readonly [path: string, name: string | null][] = [
    ["/a/b.txt", "/a/b.txt"],
    ["/a%20b", "/a b"],
    ["/%C3%A4", "/ä"],
    ["/a/", "/a/"],
    ["/a;x", "/a;x"],
    ["/.well-known/acme-challenge/x", "/.well-known/acme-challenge/x"],
    ["/a..b", "/a..b"],
    ["/.env", null],
    ["/a/.git/config", null],
    ["/.well-known", null],
    ["/.well-known/.x", null],
    ["/a/.well-known/x", null],
    ["/..%2Fetc/passwd", null],
    ["/a%2Fb", null],
    ["/a%5C..%5Cb", null],
    ["/%FF", null],
    ["/a%0Ab", null],
    ["*", null],
    [`/${"a".repeat(5_000)}`, null],
  ];
  for (const [path, name] of rows) assert.equal(fileNameOf(path), name, path.slice(0, 60));
});

test("types by the ending", () => {
  assert.equal(contentTypeOf("/x.HTML"), "text/html; charset=utf-8");
  assert.equal(contentTypeOf("/x.js"), "text/javascript; charset=utf-8");
  assert.equal(contentTypeOf("/x.png"), "image/png");
  assert.equal(contentTypeOf("/x.webmanifest"), "application/manifest+json");
  assert.equal(contentTypeOf("/x"), "application/octet-stream");
  assert.equal(contentTypeOf("/x.constructor"), "application/octet-stream");
});
