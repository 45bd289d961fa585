/** Answers that must be refused, and what goes on of those that are accepted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HeadLimits } from "./request-head.ts";
import { parseResponseHead, ResponseHead, responseBodyKind } from "./response-head.ts";

const limits: HeadLimits = { headBytesMax: 16_384, fieldsMax: 100, targetBytesMax: 0 };

function parseRaw(text: string): { head: ResponseHead; length: number } {
  const bytes = Buffer.from(text, "latin1");
  const head = new ResponseHead();
  return { head, length: parseResponseHead(bytes, 0, bytes.length, limits, head) };
}

function accepted(text: string): ResponseHead {
  const raw = text.replaceAll("\n", "\r\n");
  const { head, length } = parseRaw(raw);
  assert.equal(head.error, "", raw);
  assert.equal(length, raw.length);
  return head;
}

function refused(raw: string, error: RegExp): void {
  const { head, length } = parseRaw(raw);
  assert.equal(length, -1, JSON.stringify(raw));
  assert.match(head.error, error, JSON.stringify(raw));
}

const OK = "HTTP/1.1 200 OK\r\n";

test("an Express answer", () => {
  const head = accepted(
    "HTTP/1.1 200 OK\nX-Powered-By: Express\nContent-Type: text/html; charset=utf-8\nContent-Length: 5\nServer:x\nVia: y\n" +
      "Set-Cookie: a=b\nSet-Cookie: c=d\nDate: Thu, 01 Jan 2026 00:00:00 GMT\nConnection: keep-alive\nKeep-Alive: timeout=15\n\n",
  );
  assert.equal(head.status, 200);
  assert.equal(head.reason, "OK");
  assert.equal(head.contentLength, 5);
  assert.equal(head.keepAlive, true);
  assert.equal(head.hasDate, true);
  assert.equal(
    head.fields,
    "X-Powered-By: Express\r\nContent-Type: text/html; charset=utf-8\r\nServer: x\r\nVia: y\r\n" +
      "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n",
  );
});

test("a head used again keeps nothing of the answer before", () => {
  const head = new ResponseHead();
  const first = Buffer.from(
    `HTTP/1.0 404 No\r\nDate: x\r\nServer: y\r\nVia: z\r\nContent-Type: t\r\nConnection: upgrade, Foo\r\nUpgrade: a\r\nContent-Length: 2\r\n\r\n`,
  );
  assert.equal(parseResponseHead(first, 0, first.length, limits, head), first.length);
  const second = Buffer.from(`${OK}\r\n`);
  parseResponseHead(second, 0, second.length, limits, head);
  const fresh = new ResponseHead();
  parseResponseHead(second, 0, second.length, limits, fresh);
  assert.deepEqual(head, fresh);
});

test("A1 A2 A6 answers whose length is in doubt", () => {
  refused(`${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`, /more than one Content-Length/);
  refused(`${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, /and Transfer-Encoding/);
  refused(`${OK}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n`, /and Transfer-Encoding/);
  refused(
    `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
    /more than one Transfer-Encoding/,
  );
  refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", /HTTP\/1\.0/);
  for (const value of ["", "1,1", "+1", "0x1", "1 1", "99999999999999999"])
    refused(`${OK}Content-Length: ${value}\r\n\r\n`, /decimal/);
  for (const value of ["gzip, chunked", "identity", ",chunked", "chunked, identity", ""])
    refused(`${OK}Transfer-Encoding: ${value}\r\n\r\n`, /only transfer coding/);
});

test("A7 A8 A13 A14 A22 lines that could be read in two ways", () => {
  refused("HTTP/1.1 200 OK\nX: y\r\n\r\n", /LF alone/);
  refused(`${OK}X: a\nSet-Cookie: b\r\n\r\n`, /LF alone/);
  refused(`${OK}X: a\rb\r\n\r\n`, /CR stands/);
  refused(`${OK}X: a\r\n b\r\n\r\n`, /does not begin with a name/);
  refused(`${OK}Content-Length : 5\r\n\r\n`, /does not begin with a name/);
  refused(`${OK}: 5\r\n\r\n`, /does not begin with a name/);
  refused(`${OK}X: a\0b\r\n\r\n`, /control byte/);
  refused("HTTP/1.1 200 O\x07K\r\n\r\n", /control byte/);
});

test("status lines", () => {
  for (const line of [
    "HTTP/2 200 OK",
    "HTTP/1.2 200 OK",
    "http/1.1 200 OK",
    "HTTP/1.1 20 OK",
    "HTTP/1.1 2000 OK",
    "HTTP/1.1  200 OK",
  ])
    refused(`${line}\r\n\r\n`, /status line/);
  refused("HTTP/1.1 099 OK\r\n\r\n", /below 100/);
  refused("<html>no http</html>", /status line/);
  assert.equal(accepted("HTTP/1.1 200\n\n").reason, "");
  assert.equal(accepted("HTTP/1.1 200 \n\n").reason, "");
  assert.equal(accepted("HTTP/1.1 404 Not  Here\xe4\n\n").reason, "Not  Here\xe4");
  assert.equal(accepted("HTTP/1.1 999 Odd\n\n").status, 999);
  const old = accepted("HTTP/1.0 200 OK\nConnection: Keep-Alive\n\n");
  assert.deepEqual([old.versionMinor, old.keepAlive], [0, true]);
  assert.equal(accepted("HTTP/1.0 200 OK\n\n").keepAlive, false);
  assert.equal(accepted("HTTP/1.1 200 OK\nConnection: close\n\n").keepAlive, false);
});

test("A16 Connection in answers", () => {
  const head = accepted(
    "HTTP/1.1 200 OK\nX-Hop: 1\nSet-Cookie: a=b\nConnection: x-hop,, Set-Cookie\nX-A: 2\n\n",
  );
  assert.equal(head.fields, "Set-Cookie: a=b\r\nX-A: 2\r\n");
  assert.equal(accepted("HTTP/1.1 200 OK\nX-Hop: 1\nConnection: x-hop\n\n").fields, "");
  refused(`${OK}Connection: Content-Length\r\n\r\n`, /framing/);
  refused(`${OK}Connection: a b\r\n\r\n`, /list of tokens/);
});

test("A30 upgrade", () => {
  const head = accepted(
    "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: x\n\n",
  );
  assert.equal(head.upgrade, "websocket");
  assert.equal(head.fields, "Sec-WebSocket-Accept: x\r\n");
  assert.equal(accepted("HTTP/1.1 200 OK\nUpgrade: h2\n\n").upgrade, "");
});

test("A24 limits", () => {
  refused(`${OK}${"X: y\r\n".repeat(101)}\r\n`, /too many/);
  refused(`${OK}X: ${"y".repeat(17_000)}`, /too large/);
  assert.ok(parseRaw(`${OK}${"X:y\r\n".repeat(100)}\r\n`).length > 0);
});

test("incomplete heads wait", () => {
  const text = `${OK}Content-Type: x\r\nConnection: keep-alive\r\n\r\n`;
  for (let length = 0; length < text.length; length++)
    assert.equal(parseRaw(text.slice(0, length)).length, 0);
});

test("how a body ends (RFC 9112 section 6.3)", () => {
  const kind = (method: string, text: string) => responseBodyKind(method, accepted(text));
  assert.equal(kind("HEAD", "HTTP/1.1 200 OK\nContent-Length: 5\n\n"), "none");
  assert.equal(kind("GET", "HTTP/1.1 204 No Content\nTransfer-Encoding: chunked\n\n"), "none");
  assert.equal(kind("GET", "HTTP/1.1 304 Not Modified\nContent-Length: 5\n\n"), "none");
  assert.equal(kind("GET", "HTTP/1.1 103 Early Hints\n\n"), "none");
  assert.equal(kind("GET", "HTTP/1.1 200 OK\nContent-Length: 5\n\n"), "length");
  assert.equal(kind("GET", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"), "none");
  assert.equal(kind("GET", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"), "chunked");
  assert.equal(kind("GET", "HTTP/1.1 200 OK\n\n"), "close");
});
