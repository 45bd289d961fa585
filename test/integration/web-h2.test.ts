/** HTTP/2 from browsers: the same path as HTTP/1.1, and what looks different on the wire. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { connect } from "node:tls";
import {
  ask,
  ErrorCode,
  Flag,
  FrameType,
  frame,
  get,
  hpack,
  http2Session,
  RawHttp2,
  requestFields,
  uint32,
} from "../harness/http2.ts";
import { ok, type RawClient, RawOrigin } from "../harness/raw.ts";
import { tlsSettings } from "../harness/tls.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

type Answer = (connection: RawClient, head: string) => string | null;

async function site(
  t: TestContext,
  answer: Answer,
  options: WebSiteOptions = {},
): Promise<{ web: WebSite; origin: RawOrigin }> {
  const origin = await RawOrigin.start(t, answer);
  return { web: await webSite(t, [origin.port], { tls, ...options }), origin };
}

const tls = tlsSettings("a");
const later: Answer = () => null;

test("a request: its fields for the app server, its line in the access log", async (t) => {
  const { web, origin } = await site(t, () => ok("here", "X-One: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"));
  const session = await http2Session(t, web.port);
  const fields = { ":path": "/a%7Eb?c=d", "user-agent": "test", te: "trailers", cookie: ["a=1", "b=2"] };
  const answer = await ask(session, fields).answer;
  assert.equal(answer.body, "here");
  assert.equal(answer.fields["x-one"], "1");
  assert.deepEqual(answer.fields["set-cookie"], ["a", "b"]);
  assert.equal(answer.fields["content-length"], "4");
  assert.ok(answer.fields.date);
  const authority = `127.0.0.1:${web.port}`;
  assert.match(origin.received, /^GET \/a~b\?c=d HTTP\/1\.1\r\n/);
  assert.match(origin.received, new RegExp(`\r\nHost: ${authority}\r\n`));
  assert.match(origin.received, /\r\ncookie: a=1; b=2\r\n/);
  assert.match(origin.received, /\r\nVia: 2 flotilla\r\n/);
  assert.match(origin.received, /\r\nX-Forwarded-Proto: https\r\n/);
  assert.doesNotMatch(origin.received, /\r\nte:/i);
  const entry = await web.logged(0);
  assert.deepEqual([entry.version, entry.status, entry.sentBytes, entry.host], ["2.0", 200, 4, authority]);
});

test("HTTP/2 is chosen in the handshake; where it is turned off, HTTP/1.1 is", async (t) => {
  const protocolOf = async (port: number): Promise<unknown> => {
    const socket = connect({ port, rejectUnauthorized: false, ALPNProtocols: ["h2", "http/1.1"] });
    t.after(() => void socket.destroy());
    await once(socket, "secureConnect");
    return socket.alpnProtocol;
  };
  const { web } = await site(t, later);
  assert.equal(await protocolOf(web.port), "h2");
  const { web: without } = await site(t, later, { http2: false });
  assert.equal(await protocolOf(without.port), "http/1.1");
});

test("answers without a body: HEAD, 204, 304, and a length that is told all the same", async (t) => {
  const { web } = await site(t, (_connection, head) => {
    if (head.startsWith("HEAD")) return "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    if (head.includes(" /204 ")) return "HTTP/1.1 204 No Content\r\n\r\n";
    return 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 7\r\n\r\n';
  });
  const session = await http2Session(t, web.port);
  const head = await ask(session, { ":path": "/", ":method": "HEAD" }).answer;
  assert.deepEqual([head.status, head.fields["content-length"], head.body], [200, "1000", ""]);
  const none = await get(session, "/204");
  assert.deepEqual([none.status, none.fields["content-length"], none.body], [204, undefined, ""]);
  const same = await get(session, "/304");
  assert.deepEqual([same.status, same.fields.etag, same.body], [304, '"x"', ""]);
});

test("a HEAD that is refused has no body either", async (t) => {
  const { web } = await site(t, later);
  const session = await http2Session(t, web.port);
  const refused = await ask(session, { ":path": "/", ":method": "HEAD", "x-tab": "a\tb" }).answer;
  assert.deepEqual([refused.status, refused.body, refused.resetCode], [400, "", ErrorCode.noError]);
  assert.ok(Number(refused.fields["content-length"]) > 0);
  assert.equal((await web.logged(0)).sentBytes, 0);
});

test("an answer that does not exist in HTTP/2 is reset, and the operator is told", async (t) => {
  const { web } = await site(t, (_connection, head) =>
    head.includes(" /odd ") ? "HTTP/1.1 700 Odd\r\nContent-Length: 2\r\n\r\nok" : ok("fine"),
  );
  const session = await http2Session(t, web.port);
  const odd = await get(session, "/odd");
  assert.deepEqual([odd.status, odd.resetCode], [0, ErrorCode.internal]);
  assert.match(web.warnings.join(), /GET \/odd/);
  assert.equal((await get(session, "/")).body, "fine");
});

test("interim answers come first, and Expect is answered", async (t) => {
  const { web, origin } = await site(t, (_connection, head) =>
    head.startsWith("POST")
      ? null
      : `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n${ok("done")}`,
  );
  const session = await http2Session(t, web.port);
  const hinted = await get(session, "/");
  assert.deepEqual(hinted.interim[0]?.[":status"], 103);
  assert.equal(hinted.interim[0]?.link, "</a>, </b>");
  assert.equal(hinted.body, "done");
  const post = ask(session, { ":path": "/", ":method": "POST", expect: "100-continue" }, null);
  await once(post, "continue");
  post.end("body");
  await origin.arrived(/4\r\nbody\r\n0\r\n\r\n$/);
  origin.connections[0]!.send(ok("got it"));
  assert.equal((await post.answer).body, "got it");
});

test("trailers in both directions; those that steer are dropped", async (t) => {
  const { web, origin } = await site(t, later);
  const session = await http2Session(t, web.port);
  const post = session.request({ ":path": "/", ":method": "POST" }, { waitForTrailers: true });
  post.on("wantTrailers", () => post.sendTrailers({ "x-sum": "1f", "content-type": "text/html", host: "b" }));
  let trailers: unknown;
  post.on("trailers", (found) => {
    trailers = found["x-late"];
  });
  post.resume().end("abc");
  await origin.arrived(/3\r\nabc\r\n0\r\nx-sum: 1f\r\n\r\n$/);
  const chunks = "3\r\ndef\r\n0\r\nX-Late: 2\r\nContent-Length: 9\r\n\r\n";
  origin.connections[0]!.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
  await once(post, "close");
  assert.equal(trailers, "2");
  assert.equal(post.rstCode, 0);
});

test("uploads with and without a length, longer than any window", async (t) => {
  const { web, origin } = await site(t, later);
  const session = await http2Session(t, web.port);
  const body = "0123456789".repeat(150_000);
  for (const [at, length] of [`${body.length}`, undefined].entries()) {
    const fields = { ":path": "/", ":method": "POST", ...(length && { "content-length": length }) };
    const post = ask(session, fields, `${body}end${at}`.slice(-body.length));
    const bytes = length === undefined ? /end1\r\n0\r\n\r\n$/ : /end0$/;
    await origin.arrived(bytes);
    origin.connections[0]!.send(ok("got it"));
    assert.equal((await post.answer).body, "got it");
  }
  assert.match(origin.received, /content-length: 1500000/i);
});

test("an early answer ends the upload: the answer is whole, then NO_ERROR", async (t) => {
  const { web, origin } = await site(t, (_connection, head) =>
    head.startsWith("POST") ? ok("early") : ok("next"),
  );
  const session = await http2Session(t, web.port);
  const post = ask(session, { ":path": "/", ":method": "POST" }, null);
  post.write("some");
  const answer = await post.answer;
  assert.deepEqual([answer.body, answer.resetCode], ["early", ErrorCode.noError]);
  await origin.connections[0]!.ended();
  assert.equal((await get(session, "/")).body, "next");
});

test("an answer that breaks off is reset, never ended, and the connection goes on", async (t) => {
  const begun: Record<string, string> = {
    "/length": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    "/chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
  };
  const { web, origin } = await site(t, (_connection, head) => begun[head.split(" ")[1]!] ?? ok("fine"));
  const session = await http2Session(t, web.port);
  for (const [at, path] of Object.keys(begun).entries()) {
    const short = ask(session, { ":path": path });
    await new Promise((resolve) => short.once("data", resolve));
    origin.connections.at(-1)!.end();
    const answer = await short.answer;
    assert.deepEqual([answer.body, answer.resetCode], ["abc", ErrorCode.internal]);
    assert.equal((await get(session, "/")).body, "fine");
    const entry = await web.logged(2 * at);
    assert.deepEqual([entry.target, entry.status], [path, 200]);
  }
});

test("a client that gives up is told to the app server, whatever it says, and whether it reads or not", async (t) => {
  const { web, origin } = await site(t, (_connection, head) =>
    head.includes(" /long ")
      ? `HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n${"x".repeat(1_000_000)}`
      : null,
  );
  let count = 0;
  for (const path of ["/", "/long"])
    for (const code of [ErrorCode.cancel, ErrorCode.noError])
      for (const method of ["GET", "POST"]) {
        const client = await RawHttp2.open(t, web.port);
        const end = method === "GET" ? Flag.endStream : 0;
        const fields = requestFields(path).map(
          ([name, value]) => [name, name === ":method" ? method : value] as const,
        );
        client.send(frame(FrameType.headers, Flag.endHeaders | end, 1, hpack(fields)));
        if (path === "/long") await client.next(FrameType.data, 1);
        else while (origin.requests === count) await new Promise((resolve) => setImmediate(resolve));
        client.send(frame(FrameType.rstStream, 0, 1, uint32(code)));
        await origin.connections[count]!.ended();
        assert.equal((await web.logged(count++)).status, path === "/" ? 0 : 200);
        client.socket.destroy();
      }
});

test("a hundred requests at once on one connection, each with its own answer", async (t) => {
  const { web } = await site(t, (_connection, head) => ok(head.split(" ")[1]!.repeat(5_000)));
  const session = await http2Session(t, web.port);
  const answers = Array.from({ length: 100 }, (_none, at) => get(session, `/${at}`));
  for (const [at, answer] of answers.entries()) assert.ok((await answer).body === `/${at}`.repeat(5_000));
});

test("an orderly stop: what was asked is answered, then the connection ends", async (t) => {
  const { web, origin } = await site(t, later);
  const session = await http2Session(t, web.port);
  const idle = await http2Session(t, web.port);
  const asked = get(session, "/");
  await origin.arrived(/\r\n\r\n$/);
  const drained = web.drain();
  const gone = once(session, "goaway");
  await once(idle, "close");
  assert.deepEqual((await gone)[0], ErrorCode.noError);
  origin.connections[0]!.send(ok("last"));
  assert.equal((await asked).body, "last");
  await drained;
});

test("deadlines: no answer, no body, no use of the connection", async (t) => {
  const { web } = await site(t, later, {
    timeouts: { requestTimeoutMs: 300, bodySilenceTimeoutMs: 300, keepAliveTimeoutMs: 300 },
  });
  const session = await http2Session(t, web.port);
  assert.equal((await get(session, "/")).status, 504);
  const post = ask(session, { ":path": "/", ":method": "POST" }, null);
  post.write("some");
  assert.equal((await post.answer).status, 408);
  await once(session, "close");
});

test("one upload that the app server does not read leaves room for the others", async (t) => {
  const { web, origin } = await site(t, (connection, head) => {
    if (head.includes(" /stuck ")) connection.socket.pause();
    return head.startsWith("GET") ? ok("fine") : null;
  });
  const session = await http2Session(t, web.port);
  const stuck = ask(session, { ":path": "/stuck", ":method": "POST" }, "x".repeat(16 * 1_048_576));
  await origin.arrived(/ \/stuck /);
  const post = ask(session, { ":path": "/b", ":method": "POST" }, "y".repeat(1_000_000));
  await origin.arrived(/yyy\r\n0\r\n\r\n$/);
  origin.connections.at(-1)!.send(ok("got it"));
  assert.equal((await post.answer).body, "got it");
  assert.equal((await get(session, "/")).body, "fine");
  stuck.destroy();
});
