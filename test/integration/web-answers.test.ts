/** Answers of app servers, framed anew for HTTP/1.1 and HTTP/1.0 clients: lengths, chunks, ends, trailers, 1xx. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { http as limits } from "../../src/support/limits.ts";
import { ok, type RawAnswer, RawClient, RawOrigin } from "../harness/raw.ts";
import { webSite } from "../harness/web-site.ts";

const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/** A client of a site whose app server answers each request with this, and ends the connection if asked to. */
async function clientOf(t: TestContext, answer: string, end = false): Promise<RawClient> {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.send(answer);
    if (end) connection.end();
    return null;
  });
  const web = await webSite(t, [origin.port]);
  return RawClient.open(web.port);
}

/** Asks twice on one connection: the second answer proves that the first one ended where it said. */
async function twice(client: RawClient, method = "GET", fields = ""): Promise<[RawAnswer, RawAnswer]> {
  const request = `${method} / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
  client.send(request);
  const first = await client.answer(method);
  client.send(request);
  return [first, await client.answer(method)];
}

test("an answer with a length keeps it", async (t) => {
  const client = await clientOf(t, ok("hello"));
  for (const answer of await twice(client)) {
    assert.equal(answer.framing, "length");
    assert.equal(answer.body, "hello");
    assert.equal(answer.field("connection"), undefined);
    assert.match(answer.field("date") ?? "", / GMT$/);
  }
});

test("a long answer with a length keeps it", async (t) => {
  const body = "0123456789abcdef".repeat(20_000);
  for (const answer of await twice(await clientOf(t, ok(body)))) {
    assert.equal(answer.framing, "length");
    assert.ok(answer.body === body);
  }
});

test("a chunked answer is chunked anew, extensions are gone", async (t) => {
  const client = await clientOf(t, `${chunked}1;x=y\r\na\r\n00002\r\nbc\r\n0;z\r\n\r\n`);
  for (const answer of await twice(client)) {
    assert.equal(answer.framing, "chunked");
    assert.equal(answer.body, "abc");
    assert.equal(answer.trailer, "");
  }
});

test("an answer that ends with its connection is chunked for HTTP/1.1, and the client may go on", async (t) => {
  const client = await clientOf(t, "HTTP/1.0 200 OK\r\nX: y\r\n\r\nuntil the end", true);
  for (const answer of await twice(client)) {
    assert.equal(answer.framing, "chunked");
    assert.equal(answer.body, "until the end");
  }
});

test("an empty answer that ends with its connection", async (t) => {
  const client = await clientOf(t, "HTTP/1.1 200 OK\r\n\r\n", true);
  for (const answer of await twice(client)) assert.deepEqual([answer.framing, answer.body], ["chunked", ""]);
});

test("trailers of an answer go on, those that rule a message do not", async (t) => {
  const trailers = "Server-Timing: db;dur=53\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\nX-Sum: 1f\r\n";
  const client = await clientOf(t, `${chunked}3\r\nabc\r\n0\r\n${trailers}\r\n`);
  for (const answer of await twice(client)) {
    assert.equal(answer.body, "abc");
    assert.equal(answer.trailer, "Server-Timing: db;dur=53\r\nX-Sum: 1f\r\n");
  }
});

test("HTTP/1.0 without keep-alive: every framing ends with the connection", async (t) => {
  for (const [answer, end] of [
    [ok("hello"), false],
    [`${chunked}5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`, false],
    ["HTTP/1.1 200 OK\r\n\r\nhello", true],
  ] as const) {
    const client = await clientOf(t, answer, end);
    client.send("GET / HTTP/1.0\r\n\r\n");
    const got = await client.read();
    assert.match(got, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(got, /\r\nConnection: close\r\n/);
    assert.doesNotMatch(got, /Transfer-Encoding|X-Sum/i);
    assert.match(got, /\r\n\r\nhello$/);
  }
});

test("HTTP/1.0 with keep-alive goes on after an answer with a length, and ends after one without", async (t) => {
  const origin = await RawOrigin.start(t, (_connection, head) =>
    head.startsWith("GET /chunked") ? `${chunked}5\r\nhello\r\n0\r\n\r\n` : ok("hello"),
  );
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  for (let count = 0; count < 3; count++) {
    client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n");
    const answer = await client.answer();
    assert.equal(answer.body, "hello");
    assert.equal(answer.field("connection"), "keep-alive");
  }
  client.send("GET /chunked HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n");
  const last = await client.answer();
  assert.deepEqual([last.framing, last.body], ["close", "hello"]);
  assert.equal(last.field("connection"), "close");
});

test("HTTP/1.0 without Host: a plain server is asked in valid HTTP/1.1 all the same", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("hello"));
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send("GET / HTTP/1.0\r\n\r\n");
  await client.read();
  assert.equal(origin.received.match(/\r\nHost: /gi)?.length, 1);
});

test("HEAD: the head of the answer to GET, whatever its framing, and no body", async (t) => {
  const client = await clientOf(t, "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n");
  for (const answer of await twice(client, "HEAD")) assert.equal(answer.field("content-length"), "1234");
  const other = await clientOf(t, chunked);
  for (const answer of await twice(other, "HEAD")) {
    assert.equal(answer.status, 200);
    assert.equal(answer.field("content-length"), undefined);
  }
});

test("204 and 304 have no body, whatever they say of its length", async (t) => {
  const without = await clientOf(t, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
  for (const answer of await twice(without)) {
    assert.equal(answer.status, 204);
    assert.equal(answer.field("content-length"), undefined);
    assert.equal(answer.field("transfer-encoding"), undefined);
  }
  const unchanged = await clientOf(
    t,
    'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 500\r\n\r\n',
  );
  for (const answer of await twice(unchanged)) {
    assert.equal(answer.status, 304);
    assert.equal(answer.field("content-length"), "500");
    assert.equal(answer.field("etag"), '"x"');
  }
});

test("interim answers pass at once, each before the final one", async (t) => {
  const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
  const origin = await RawOrigin.start(t, () => hints);
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const interim = await client.answer();
  assert.equal(interim.status, 103);
  assert.equal(interim.field("link"), "</a.css>; rel=preload");
  assert.equal(interim.field("content-length"), undefined);
  origin.connections[0]!.send(`${hints}HTTP/1.1 102 Processing\r\n\r\n${ok("done")}`);
  assert.equal((await client.answer()).status, 103);
  assert.equal((await client.answer()).status, 102);
  assert.equal((await client.answer()).body, "done");
});

test("an HTTP/1.0 client never sees an interim answer", async (t) => {
  const client = await clientOf(t, `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok("done")}`);
  client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  assert.match(await client.read(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*done$/);
});

test("interim answers without end are a wrong answer", async (t) => {
  const many = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(limits.interimAnswersMax + 1);
  const client = await clientOf(t, many);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const got = await client.read(/502 [\s\S]*<\/html>/);
  assert.ok(got.split("HTTP/1.1 103 ").length - 1 <= limits.interimAnswersMax);
});

test("hop-by-hop fields end here, fields of one name stay apart and in order", async (t) => {
  const client = await clientOf(
    t,
    "HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nsEt-CoOkIe: b=2\r\nContent-Length: 2\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\nok",
  );
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const { head } = await client.answer();
  assert.match(head, /^HTTP\/1\.1 200 Fine\r\nSet-Cookie: a=1\r\nsEt-CoOkIe: b=2\r\n/);
  assert.doesNotMatch(head, /hop|keep-alive/i);
  assert.equal(head.match(/date:/gi)?.length, 1);
});

test("an answer that comes byte by byte is the same answer", async (t) => {
  const text = `HTTP/1.1 103 Early Hints\r\n\r\n${chunked}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`;
  const origin = await RawOrigin.start(t, (connection) => {
    let at = 0;
    const next = (): void => {
      connection.send(text.charAt(at++));
      if (at < text.length) setImmediate(next);
    };
    next();
    return null;
  });
  const web = await webSite(t, [origin.port]);
  const client = await RawClient.open(web.port);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await client.answer()).status, 103);
  const answer = await client.answer();
  assert.equal(answer.body, "abc");
  assert.equal(answer.trailer, "X-Sum: 1\r\n");
});

test("405 says what is allowed", async (t) => {
  for (const request of ["TRACE / HTTP/1.1", "CONNECT a:1 HTTP/1.1"]) {
    const client = await clientOf(t, ok("never"));
    client.send(`${request}\r\nHost: a\r\n\r\n`);
    const answer = await client.answer();
    assert.equal(answer.status, 405);
    assert.match(answer.field("allow") ?? "", /^GET, HEAD, POST, /);
    await client.ended();
  }
});
