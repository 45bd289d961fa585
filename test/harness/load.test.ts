import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { answerLength, type LoadResult, type LoadSettings, runLoad } from "./load.ts";

const request = Buffer.from("GET / HTTP/1.1\r\nHost: load.test\r\n\r\n");

async function loaded(
  context: TestContext,
  listener: RequestListener,
  settings: Pick<LoadSettings, "connections" | "ratePerSecond" | "durationMs">,
): Promise<LoadResult> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return runLoad({ address: "127.0.0.1", port, request, ...settings });
}

test("open loop: exactly the requests that fell due, in the time they were due in", async (context) => {
  let asked = 0;
  const listener: RequestListener = (_req, res) => {
    asked++;
    res.end("hello");
  };
  const result = await loaded(context, listener, { connections: 8, ratePerSecond: 500, durationMs: 600 });
  assert.deepEqual([result.answered, result.failed, asked], [300, 0, 300]);
  // The last request is due after 598 ms; never earlier, and later only by what the machine is late.
  assert.ok(result.elapsedMs >= 598, `${result.elapsedMs} ms`);
});

test("open loop: a stall counts for all requests that fell due in it", async (context) => {
  const stallMs = 200;
  let asked = 0;
  const listener: RequestListener = (_req, res) => {
    if (asked++ === 50) setTimeout(() => res.end(), stallMs);
    else res.end();
  };
  const result = await loaded(context, listener, { connections: 1, ratePerSecond: 500, durationMs: 600 });
  assert.deepEqual([result.answered, result.failed], [300, 0]);
  // About 100 fell due meanwhile; in a closed loop a single one would have been late.
  const late = result.latenciesMs.filter((latencyMs) => latencyMs > stallMs / 4).length;
  assert.ok(late >= 50, `${late} were late`);
});

test("closed loop: each connection asks again when it was answered", async (context) => {
  let open = 0;
  let openMax = 0;
  const listener: RequestListener = (_req, res) => {
    openMax = Math.max(openMax, ++open);
    setTimeout(() => {
      open--;
      res.end("x");
    }, 5);
  };
  const result = await loaded(context, listener, { connections: 4, ratePerSecond: null, durationMs: 200 });
  assert.equal(result.failed, 0);
  assert.equal(openMax, 4);
  assert.ok(result.answered >= 8 && result.answered <= 4 * (200 / 5 + 2), `${result.answered}`);
});

test("other answers and closed connections are failures", async (context) => {
  const settings = { connections: 2, ratePerSecond: 200, durationMs: 100 };
  const refused = await loaded(context, (_req, res) => res.writeHead(502).end(), settings);
  assert.deepEqual([refused.answered, refused.failed], [0, 20]);
  const closed = await loaded(context, (req) => req.socket.destroy(), settings);
  assert.deepEqual([closed.answered, closed.failed], [0, 20]);
});

test("answers are whole by length, by chunks, or without a body", () => {
  const whole = [
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
  ];
  for (const text of whole) {
    for (let end = 0; end < text.length; end++)
      assert.equal(answerLength(text.slice(0, end)), 0, text.slice(0, end));
    assert.equal(answerLength(`${text}HTTP/1.1`), text.length);
  }
});
