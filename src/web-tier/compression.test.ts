import assert from "node:assert/strict";
import test from "node:test";
import type { AnswerHead } from "./client.ts";
import { isWorthIt, variedHead } from "./compression.ts";

function head(fields: string, over: Partial<AnswerHead> = {}): AnswerHead {
  return { status: 200, reason: "OK", fields, contentLength: -1, hasDate: true, ...over };
}

test("what deserves it", () => {
  const html = "Content-Type: text/html; charset=utf-8\r\n";
  assert.ok(isWorthIt(head(html)));
  assert.ok(isWorthIt(head("content-type:IMAGE/SVG+XML\r\n")));
  assert.ok(isWorthIt(head(html, { status: 404 })));
  assert.ok(isWorthIt(head(html, { contentLength: 1_024 })));
  for (const [fields, over] of [
    [html, { contentLength: 1_023 }],
    [html, { contentLength: 0 }],
    [html, { status: 204 }],
    [html, { status: 206 }],
    [html, { status: 304 }],
    [`${html}Content-Encoding: br\r\n`, {}],
    [`${html}Content-Range: bytes 0-9/10\r\n`, {}],
    [`${html}Cache-Control: public\r\nCache-Control: No-Transform, max-age=1\r\n`, {}],
    ["Content-Type: text/event-stream\r\n", {}],
    ["Content-Type: image/png\r\n", {}],
    ["X-Content-Type: text/html\r\n", {}],
    ["", {}],
  ] as const)
    assert.ok(!isWorthIt(head(fields, over)), JSON.stringify([fields, over]));
});

test("the head: a weak tag, Vary, nothing that speaks of the bytes before", () => {
  const fields =
    'ETag: "a"\r\nVary: Cookie\r\nAccept-Ranges: bytes\r\nContent-MD5: x\r\nContent-Type: text/css\r\n';
  assert.equal(
    variedHead(head(fields), "br", -1).fields,
    'ETag: W/"a"\r\nVary: Cookie\r\nContent-Type: text/css\r\nVary: Accept-Encoding\r\nContent-Encoding: br\r\n',
  );
  assert.equal(variedHead(head(fields), null, 9).fields, `${fields}Vary: Accept-Encoding\r\n`);
  for (const kept of ['ETag: W/"a"\r\nVary: Cookie, accept-encoding\r\n', "Vary: *\r\n"])
    assert.equal(variedHead(head(kept), "gzip", -1).fields, `${kept}Content-Encoding: gzip\r\n`);
});
