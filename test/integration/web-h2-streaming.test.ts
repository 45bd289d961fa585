/** Streams of HTTP/2 side by side, over the link: long bodies, slow readers, endless answers; none holds up another. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import type { ClientHttp2Session } from "node:http2";
import { type TestContext, test } from "node:test";
import { http2 as limits } from "../../src/support/limits.ts";
import { Gate } from "../harness/gate.ts";
import { ask, ErrorCode, get, http2Session } from "../harness/http2.ts";
import { linkApp } from "../harness/link-app.ts";
import { tlsSettings } from "../harness/tls.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const piece = "0123456789abcdef".repeat(1_024);

async function site(
  t: TestContext,
  handler: RequestListener,
  options: WebSiteOptions = {},
): Promise<{ web: WebSite; session: ClientHttp2Session }> {
  const app = await linkApp(t, "app-a", handler);
  t.after(() => app.close());
  const web = await webSite(t, [app.port], { link: true, tls: tlsSettings("a"), ...options });
  return { web, session: await http2Session(t, web.port) };
}

test("what the app sees: HTTP/1.1 in every way", async (t) => {
  const { session } = await site(t, (request, response) => {
    response.end(JSON.stringify([request.httpVersion, request.rawHeaders, request.socket.remoteAddress]));
  });
  const fields = { ":path": "/", ":authority": "shop.example:8443", "x-a": "1" };
  const [version, raw, address] = JSON.parse((await ask(session, fields).answer).body) as [
    string,
    string[],
    string,
  ];
  assert.equal(version, "1.1");
  assert.deepEqual(raw.slice(0, 4), ["Host", "shop.example:8443", "x-a", "1"]);
  assert.equal(address, "127.0.0.1");
});

test("a download that is read slowly: the app waits, others on the connection do not", async (t) => {
  let written = 0;
  const { session } = await site(t, (request, response) => {
    if (request.url !== "/long") return void response.end("quick");
    const write = (): void => {
      while (written < 1_000) {
        written++;
        if (!response.write(piece)) return void response.once("drain", write);
      }
      response.end();
    };
    write();
  });
  const long = session.request({ ":path": "/long" });
  long.on("error", () => {});
  await once(long, "response");
  // Not read: Node's client takes one window full, and its own buffer.
  for (let before = -1; before !== written; ) {
    before = written;
    for (let at = 0; at < 20; at++) assert.equal((await get(session, "/")).body, "quick");
  }
  assert.ok(written < 500, `${written} pieces`);
  let got = 0;
  long.on("data", (bytes: Buffer) => {
    got += bytes.length;
  });
  await once(long, "end");
  assert.equal(got, 1_000 * piece.length);
});

test("an upload that the app reads slowly, beside quick requests", async (t) => {
  const gate = new Gate();
  let got = 0;
  const { session } = await site(t, async (request, response) => {
    if (request.url !== "/up") return void response.end("quick");
    await gate.pass();
    for await (const bytes of request as AsyncIterable<Buffer>) got += bytes.length;
    response.end(`${got}`);
  });
  const up = ask(session, { ":path": "/up", ":method": "POST" }, "x".repeat(3_000_000));
  await gate.reached;
  for (let at = 0; at < 50; at++) assert.equal((await get(session, "/")).body, "quick");
  assert.equal(got, 0);
  gate.open();
  assert.equal((await up.answer).body, "3000000");
});

test("events leave at once, and the app is told when the reader has gone", async (t) => {
  const gone = Promise.withResolvers<void>();
  let send: (text: string) => void = () => {};
  const { session } = await site(t, (request, response) => {
    if (request.url !== "/events") return void response.end("quick");
    response.writeHead(200, { "content-type": "text/event-stream" });
    send = (text) => void response.write(text);
    response.once("close", gone.resolve);
    send("data: 0\n\n");
  });
  const events = session.request({ ":path": "/events" });
  events.on("error", () => {});
  let text = "";
  const arrived = async (wanted: string): Promise<void> => {
    while (text !== wanted) await new Promise((resolve) => events.once("data", resolve));
  };
  events.setEncoding("utf8").on("data", (bytes: string) => {
    text += bytes;
  });
  await arrived("data: 0\n\n");
  for (let at = 1; at < 5; at++) {
    send(`data: ${at}\n\n`);
    await arrived(Array.from({ length: at + 1 }, (_none, number) => `data: ${number}\n\n`).join(""));
  }
  assert.equal((await get(session, "/")).body, "quick");
  events.close(ErrorCode.cancel);
  await gone.promise;
  assert.equal((await get(session, "/")).body, "quick");
});

test("what belongs to a request is used again: no answer, body or trailer of the one before", async (t) => {
  const { session, web } = await site(
    t,
    (request, response) => {
      let body = "";
      request.on("data", (bytes) => {
        body += bytes;
      });
      request.on("end", () => {
        const told = JSON.stringify([request.method, request.url, body, request.trailers]);
        if (request.url === "/chunks") response.write(told);
        response.end(request.url === "/chunks" ? "" : told);
      });
    },
    { limits: { streamsMax: 1 } },
  );
  for (let round = 0; round < 30; round++) {
    const post = session.request({ ":path": `/${round}`, ":method": "POST" }, { waitForTrailers: true });
    post.on("wantTrailers", () => post.sendTrailers({ "x-round": `${round}` }));
    let text = "";
    post.setEncoding("utf8").on("data", (bytes: string) => {
      text += bytes;
    });
    post.end(`body ${round}`);
    await once(post, "close");
    assert.deepEqual(JSON.parse(text), ["POST", `/${round}`, `body ${round}`, { "x-round": `${round}` }]);
    const given = session.request({ ":path": "/given-up", ":method": "POST" });
    given.on("error", () => {});
    given.write("lost");
    await new Promise((resolve) => setImmediate(resolve));
    given.close(ErrorCode.cancel);
    await once(given, "close");
    assert.deepEqual(JSON.parse((await get(session, "/chunks")).body), ["GET", "/chunks", "", {}]);
    assert.equal((await ask(session, { ":path": "/h", ":method": "HEAD" }).answer).body, "");
  }
  assert.ok(web.log.length <= 4 * 30);
});

test("random uploads, downloads, cancellations on one connection: each answer is its own", async (t) => {
  const { session } = await site(t, (request, response) => {
    const [, size = "0", mark = ""] = request.url!.split("/");
    let got = 0;
    request.on("data", (bytes: Buffer) => {
      got += bytes.length;
    });
    request.on("end", () => {
      if (got % 3 === 0) response.write(`${got}:`);
      else response.setHeader("x-got", got);
      response.end(mark.repeat(Number(size)));
    });
  });
  // The same numbers in every run.
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % below;
  };
  const one = async (at: number): Promise<void> => {
    const [size, sent, mark] = [random(40_000), random(100_000), String.fromCharCode(97 + (at % 26))];
    const asked = ask(session, { ":path": `/${size}/${mark}`, ":method": "POST" }, "u".repeat(sent));
    if (random(5) === 0) {
      asked.close(ErrorCode.cancel);
      return void (await asked.answer);
    }
    const answer = await asked.answer;
    const head = sent % 3 === 0 ? `${sent}:` : "";
    assert.ok(answer.body === head + mark.repeat(size), `${at}: ${answer.status} ${answer.body.length}`);
    if (sent % 3 !== 0) assert.equal(answer.fields["x-got"], `${sent}`);
  };
  for (let round = 0; round < 8; round++)
    await Promise.all(Array.from({ length: limits.streamsMax / 4 }, (_none, at) => one(at)));
});
