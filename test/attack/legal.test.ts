/**
 * The other side of strictness: requests that look odd and are legal (RFC 9110, RFC 9112, RFC 3986) pass unharmed,
 * over plain HTTP and over the link.
 */
import assert from "node:assert/strict";
import { METHODS } from "node:http";
import { test } from "node:test";
import { RawClient } from "../harness/raw.ts";
import { type Legal, legalRequests } from "./legal-requests.ts";
import { type Reached, startTargets } from "./targets.ts";

const targets = await startTargets();

const end = "Connection: close\r\n\r\n";
const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n${end}`;

for (const [name, { bytes, ...wanted }] of Object.entries(legalRequests)) {
  test(`legal: ${name}`, async () => {
    for (const target of targets) check(await target.passes(bytes), wanted, target.name);
  });
}

function check(seen: Reached, wanted: Omit<Legal, "bytes">, what: string): void {
  for (const key of ["target", "method", "body", "trailer"] as const)
    if (wanted[key] !== undefined) assert.deepEqual(seen[key], wanted[key], what);
  if (wanted.fields === undefined) return;
  const names = new Set(wanted.fields.map((line) => line.slice(0, line.indexOf(":"))));
  const got = seen.fields.filter((line) => names.has(line.slice(0, line.indexOf(":"))));
  assert.deepEqual(got, wanted.fields, what);
}

test("legal: every host that a site may be known by", async () => {
  const hosts = [
    "a:80",
    "A.Example",
    "a.example.",
    "127.0.0.1:8080",
    "[::1]",
    "[2001:DB8::1]:443",
    "xn--bcher-kva",
    "my_host",
  ];
  for (const target of targets) {
    for (const host of [...hosts, "a-b.c:65535", "1", "[::ffff:192.0.2.1]"]) {
      const { fields } = await target.passes(`GET / HTTP/1.1\r\nHost: ${host}\r\n${end}`);
      assert.ok(fields.includes(`host: ${host}`), host);
      assert.ok(fields.includes(`x-forwarded-host: ${host.toLowerCase()}`), host);
    }
  }
});

test("legal: every registered method but CONNECT and TRACE", async () => {
  const unserved = new Set(["CONNECT", "TRACE", "HEAD"]);
  for (const target of targets) {
    for (const method of METHODS.filter((name) => !unserved.has(name))) {
      const length = method === "GET" ? "" : "Content-Length: 0\r\n";
      assert.equal(
        (await target.passes(`${method} / HTTP/1.1\r\nHost: a\r\n${length}${end}`)).method,
        method,
      );
    }
  }
});

test("legal: HEAD has no body, and the connection goes on", async () => {
  for (const target of targets) {
    const client = await RawClient.open(target.web.port);
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal((await client.answer("HEAD")).status, 200);
    client.send(get("/"));
    assert.equal((await client.answer()).body, "ok");
    await client.ended();
  }
});

test("legal: HTTP/1.0 with and without keep-alive", async () => {
  for (const target of targets) {
    const client = await RawClient.open(target.web.port);
    client.send("GET /1 HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n");
    const first = await client.answer();
    assert.deepEqual([first.body, first.field("connection")], ["ok", "keep-alive"]);
    client.send("GET /2 HTTP/1.0\r\nHost: a\r\n\r\n");
    const second = await client.answer();
    assert.deepEqual([second.body, second.field("connection")], ["ok", "close"]);
    await client.ended();
  }
});

test("legal: pipelined requests of all kinds, in one write and in single bytes", async () => {
  const burst = [
    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
    "\r\nPOST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nGET\r\n0\r\nX-T: 1\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://a/5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  ].join("");
  const wanted = [
    ["/1", ""],
    ["/2", "\r\n\r\n"],
    ["/3", "GET"],
    ["*", ""],
    ["/5", ""],
  ];
  for (const target of targets) {
    const { client, reached } = await target.send(burst);
    assert.equal(client.match(/HTTP\/1\.1 200 OK\r\n/g)?.length, 5, target.name);
    assert.deepEqual(
      reached.map((request) => [request.target, request.body]),
      wanted,
      target.name,
    );

    const slow = await RawClient.open(target.web.port);
    for (const byte of burst) {
      slow.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await slow.read()).match(/HTTP\/1\.1 200 OK\r\n/g)?.length, 5, target.name);
  }
});

test("legal: Expect: 100-continue is told to go on before the body is sent", async () => {
  for (const target of targets) {
    const client = await RawClient.open(target.web.port);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert.equal((await client.answer()).status, 100);
    client.send("hi");
    assert.equal((await client.answer()).body, "ok");
    client.destroy();
  }
});
