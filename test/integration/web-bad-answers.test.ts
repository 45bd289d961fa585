/** Answers that can't be trusted: the visitor gets 502 or a cut connection, never a repaired answer, nor another's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { http as limits } from "../../src/support/limits.ts";
import { ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { webSite } from "../harness/web-site.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const head = "HTTP/1.1 200 OK\r\n";

const wrongHeads: Readonly<Record<string, string>> = {
  "two lengths": `${head}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`,
  "a list of lengths": `${head}Content-Length: 2, 2\r\n\r\nok`,
  "length and coding": `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  "a coding of its own": `${head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  "bytes behind the end": `${head}Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`,
  "bytes behind a 204": "HTTP/1.1 204 No Content\r\n\r\nbody",
  "bare LF": "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
  "a CR in a value": `${head}X: a\rb\r\nContent-Length: 2\r\n\r\nok`,
  "a NUL in a value": `${head}X: a\0b\r\nContent-Length: 2\r\n\r\nok`,
  "a folded field": `${head}X: a\r\n b\r\nContent-Length: 2\r\n\r\nok`,
  "a space before the colon": `${head}X : a\r\nContent-Length: 2\r\n\r\nok`,
  "another protocol": "SSH-2.0-OpenSSH_9.6\r\n\r\n",
  "HTTP/2": "HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok",
  "a status of two digits": "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
  "too many fields": `${head}${"X: y\r\n".repeat(limits.responseFieldsMax + 1)}Content-Length: 2\r\n\r\nok`,
  "a head without end": `${head}X: ${"y".repeat(limits.responseHeadBytesMax)}`,
};

for (const [what, bytes] of Object.entries(wrongHeads)) {
  test(`${what}: 502, and the connection to the server is dropped`, async (t) => {
    const origin = await RawOrigin.start(t, (_connection, _head, count) =>
      count === 1 ? bytes : ok("next"),
    );
    const web = await webSite(t, [origin.port]);
    const client = await RawClient.open(web.port);
    client.send(get);
    const answer = await client.answer();
    assert.equal(answer.status, 502);
    assert.doesNotMatch(answer.head + answer.body, /poison|chunk|Content-Length: 2/);
    await origin.connections[0]!.ended();
    client.send(get);
    assert.equal((await client.answer()).body, "next");
    assert.match(web.warnings[0]!, /^app-a gave a wrong answer to GET \/: /);
  });
}

const wrongBodies: Readonly<Record<string, readonly [begin: string, rest: string]>> = {
  "a wrong chunk": [`${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`, "xyz\r\n"],
  "a chunk without its end": [`${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc`, "abc\r\n0\r\n\r\n"],
  "bytes behind the last chunk": [`${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`, "0\r\n\r\npoison"],
  "bytes behind the length": [`${head}Content-Length: 4\r\n\r\nabc`, "dpoison"],
  "a wrong trailer": [`${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`, "0\r\nX\r\n\r\n"],
};

for (const [what, [begin, rest]] of Object.entries(wrongBodies)) {
  test(`${what} once the head is gone: the client sees that the answer broke off`, async (t) => {
    const origin = await RawOrigin.start(t, () => begin);
    const web = await webSite(t, [origin.port]);
    const client = await RawClient.open(web.port);
    client.send(get + get);
    await client.read(/abc/);
    origin.connections[0]!.send(rest);
    const got = await client.read();
    assert.doesNotMatch(got, /0\r\n\r\n|poison/);
    await origin.connections[0]!.ended();
    assert.equal(web.warnings.length, 1);
  });
}

test("a wrong first chunk that comes with the head: nothing that could be taken for an answer", async (t) => {
  const origin = await RawOrigin.start(t, () => `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\npoison`);
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(get);
  assert.doesNotMatch(await client.read(), /poison|zz|0\r\n/);
  await origin.connections[0]!.ended();
});

test("an answer that ends early breaks off for the client too", async (t) => {
  for (const begin of [
    `${head}Content-Length: 10\r\n\r\nabc`,
    `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`,
    `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nabc`,
    `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n`,
  ]) {
    for (const leave of ["end", "resetAndDestroy"] as const) {
      const origin = await RawOrigin.start(t, () => begin);
      const web = await webSite(t, [origin.port]);
      const client = await RawClient.open(web.port);
      client.send(get);
      const before = await client.read(/abc/);
      origin.connections[0]!.socket[leave]();
      const all = before + (await client.read());
      assert.doesNotMatch(all, /\r\n0\r\n/);
      assert.equal((await web.logged(0)).sentBytes, 3);
    }
  }
});

test("an HTTP/1.0 client, which has no framing to see it by, gets a reset", async (t) => {
  const origin = await RawOrigin.start(t, () => `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  const failed = new Promise<Error>((resolve) => client.socket.once("error", resolve));
  client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  await client.read(/abc/);
  origin.connections[0]!.socket.end();
  assert.match((await failed).message, /ECONNRESET/);
});

test("bytes that come when nobody asked are nobody's answer", async (t) => {
  const origin = await RawOrigin.start(t, (_connection, _head, count) => ok(`${count}`));
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send(get);
  assert.equal((await client.answer()).body, "1");
  origin.connections[0]!.send(ok("poison"));
  await origin.connections[0]!.ended();
  client.send(get);
  assert.equal((await client.answer()).body, "2");
  assert.equal(origin.connections.length, 2);
});
