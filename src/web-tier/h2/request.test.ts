/** Fields of HTTP/2 as a head: what goes on, and that nothing can be smuggled in, even if nghttp2 let everything through. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RequestHead } from "../../http/request-head.ts";
import { http as limits } from "../../support/limits.ts";
import { readHead, trailerBytes } from "./request.ts";

const usual = [":method", "GET", ":scheme", "https", ":authority", "a.example", ":path", "/x?y"];

function read(raw: readonly string[], bodyFollows = false): RequestHead | string {
  const head = new RequestHead();
  return readHead(raw, bodyFollows, limits, head)?.code ?? head;
}

test("fields go on as they are, cookies as one, a body without a length in chunks", () => {
  const raw = [...usual, "cookie", "a=1", "x", "1", "cookie", "b=2", "te", "trailers", "x", "2"];
  const head = read(raw, true) as RequestHead;
  assert.equal(head.target, "/x?y");
  assert.equal(head.host, "a.example");
  assert.equal(head.fields, "Host\na.example\nx\n1\nx\n2\ncookie\na=1; b=2");
  assert.equal(head.cookie, "a=1; b=2");
  assert.deepEqual([head.chunked, head.contentLength, head.upgrade], [true, -1, ""]);
  const sized = read([...usual, "content-length", "5"], true) as RequestHead;
  assert.deepEqual([sized.chunked, sized.contentLength], [false, 5]);
});

test("host stands in for :authority, and must not differ from it", () => {
  const without = usual.filter((_text, at) => at !== 4 && at !== 5);
  assert.equal((read([...without, "host", "B.example"]) as RequestHead).host, "b.example");
  assert.equal((read([...usual, "host", "A.example"]) as RequestHead).host, "a.example");
  assert.equal(read([...usual, "host", "b.example"]), "FLOTILLA_HTTP_HOST_MISMATCH");
  assert.equal(read(without), "FLOTILLA_HTTP_NO_HOST");
});

test("a head that is too long is refused before it is written down", () => {
  const long = [...usual, "x", "y".repeat(limits.headBytesMax)];
  assert.equal(read(long), "FLOTILLA_HTTP_HEAD_TOO_LARGE");
  assert.equal(read([...usual, "x", "y".repeat(1_000_000)]), "FLOTILLA_HTTP_HEAD_TOO_LARGE");
});

const bytes = fc.string({
  unit: fc.oneof(
    fc.constantFrom("\r", "\n", "\t", " ", ":", "\0", "/", "a", "A", "_", "\x7f", "\xff", "\r\n", "\r\n\r\n"),
    fc.constantFrom("host: b", "HTTP/1.1", "content-length: 1", "transfer-encoding: chunked"),
  ),
  maxLength: 8,
});

test("whatever names and values say, the head has no field, length or target that was not one of them", () => {
  const field = fc.tuple(fc.oneof(bytes, fc.constantFrom("x", "cookie", "te", "content-length")), bytes);
  const parts = fc.record({
    method: fc.oneof(bytes, fc.constant("GET")),
    path: fc.oneof(bytes, fc.constant("/")),
    authority: fc.oneof(bytes, fc.constant("a")),
    fields: fc.array(field, { maxLength: 4 }),
  });
  fc.assert(
    fc.property(parts, fc.boolean(), ({ method, path, authority, fields }, bodyFollows) => {
      const raw = [":method", method, ":scheme", "https", ":authority", authority, ":path", path];
      const head = read([...raw, ...fields.flat()], bodyFollows);
      if (typeof head === "string") return;
      const sent = new Set(["Host", ...fields.map(([name]) => name)]);
      const found = head.fields.split("\n").filter((_text, at) => at % 2 === 0);
      for (const name of found) assert.ok(sent.has(name), name);
      const lengthSent = fields.some(([name]) => name === "content-length");
      assert.equal(head.contentLength >= 0, lengthSent);
      assert.equal(head.chunked, bodyFollows && !lengthSent);
      assert.equal(head.method, method);
      assert.equal(head.authority, authority.toLowerCase());
    }),
    { seed: 25, numRuns: 5_000 },
  );
});

test("trailers become lines, or nothing", () => {
  assert.equal(trailerBytes(["x-sum", "1", "y", ""])?.toString("latin1"), "x-sum: 1\r\ny: \r\n");
  assert.equal(trailerBytes(["x", "a\r\nb: c"]), null);
  assert.equal(trailerBytes(["x: y", "a"]), null);
  assert.equal(trailerBytes(["x", "y".repeat(limits.trailerBytesMax)]), null);
});
