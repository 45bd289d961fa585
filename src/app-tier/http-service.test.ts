/** What has no counterpart in a trace: many requests of one read, their contexts, their ends, and the server's own methods. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import http, { type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { MemoryLink } from "../../test/harness/memory-link.ts";
import { type LinkStream, ResetCode } from "../link/api.ts";
import type { HttpService } from "./http-service.ts";
import { attachServer } from "./virtual-listener.ts";

interface Setting {
  readonly server: http.Server;
  readonly service: HttpService;
  readonly counter: { requests: number };
  request(target: string, options?: { body?: string; fields?: string[]; window?: number }): Exchange;
}

interface Exchange {
  readonly stream: LinkStream;
  /** The answer's bytes, or "reset N". */
  readonly answer: Promise<string>;
}

function setting(handler: RequestListener, compat: boolean = false): Setting {
  const server = http.createServer(handler);
  const counter = { requests: 0 };
  const service = attachServer(server, { address: "127.0.0.1", port: 6800, counter, compat, onClose() {} });
  const link = new MemoryLink(service);
  return {
    server,
    service,
    counter,
    request(target, { body, fields = [] } = {}) {
      const framing = body === undefined ? [] : ["Content-Length", String(body.length)];
      const meta = [
        "POST",
        target,
        "1.1",
        "https",
        "192.0.2.7",
        "5",
        "192.0.2.1",
        "443",
        "",
        "Host",
        "a.test",
      ];
      const { promise, resolve } = Promise.withResolvers<string>();
      let text = "";
      const stream = link.open([...meta, ...fields, ...framing].join("\n"), body === undefined, {
        onData(own, bytes) {
          text += bytes.toString("latin1");
          own.consumed(bytes.length);
        },
        onEnd: () => resolve(text),
        onReset: (_stream, code) => resolve(`reset ${code}`),
        onDrain() {},
      });
      if (body !== undefined) {
        stream.write(body);
        stream.end();
      }
      return { stream, answer: promise };
    },
  };
}

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

test("A50: enterWith in one request is never seen in another one of the same read, nor in its later events", async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: string[] = [];
  const { request } = setting((req, res) => {
    seen.push(`${req.url} starts in ${storage.getStore()}`);
    storage.enterWith(`context of ${req.url}`);
    req.on("data", () => storage.enterWith(`data of ${req.url}`));
    req.on("end", () => setImmediate(() => res.end(storage.getStore())));
  });
  const exchanges = ["/1", "/2", "/3"].map((target) => request(target, { body: "x" }));
  const answers = await Promise.all(exchanges.map(({ answer }) => answer));
  assert.deepEqual(
    seen,
    ["/1", "/2", "/3"].map((target) => `${target} starts in undefined`),
  );
  for (const [index, answer] of answers.entries()) {
    const other = /of (\/\d)/.exec(bodyOf(answer))?.[1];
    assert.ok(other === undefined || other === `/${index + 1}`, answer);
  }
});

test("a throw in one handler is an uncaught exception and loses nothing of the same read", async () => {
  const thrown: string[] = [];
  const { request } = setting((req, res) => {
    if (req.url === "/throws") throw new Error("boom");
    if (req.url === "/throws-later") req.on("data", () => assert.fail("later"));
    else res.end(req.url);
  });
  // The test runner listens for uncaught exceptions too, and would take them for failures of a test.
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => thrown.push(error.message));
  try {
    request("/throws");
    request("/throws-later", { body: "x" });
    const after = request("/after", { body: "y" });
    assert.equal(bodyOf(await after.answer), "/after");
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(thrown, ["boom", "later"]);
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of others) process.on("uncaughtException", listener as (error: Error) => void);
  }
});

test("the end of a short answer follows its bytes in the same turn", () => {
  const { service } = setting((_req, res) => res.end("short"));
  const calls: string[] = [];
  const stream: LinkStream = {
    id: 1,
    link: null as never,
    handler: null,
    closed: false,
    pendingBytes: 0,
    write: () => calls.push("write") > 0,
    end: () => void calls.push("end"),
    reset() {},
    consumed() {},
  };
  service.onStream(
    stream,
    ["GET", "/", "1.1", "http", "::1", "1", "::1", "80", "", "Host", "a"].join("\n"),
    true,
  );
  assert.deepEqual(calls, ["write", "end"]);
});

test("https from the browser: encrypted, authorized, IPv4 and IPv6 addresses", async () => {
  const { request } = setting((req, res) => {
    const { encrypted, authorized } = req.socket as { encrypted?: boolean; authorized?: boolean };
    res.end(
      JSON.stringify([
        encrypted,
        authorized,
        req.socket.remoteAddress,
        req.socket.remotePort,
        req.socket.localPort,
        req.socket.address(),
      ]),
    );
  });
  assert.deepEqual(JSON.parse(bodyOf(await request("/").answer)), [
    true,
    false,
    "192.0.2.7",
    5,
    443,
    { address: "192.0.2.1", family: "IPv4", port: 443 },
  ]);
});

test("listening, address, getConnections; close refuses what comes and waits for what is open", async () => {
  let answer!: () => void;
  const { server, request, counter } = setting((_req, res) => {
    answer = () => res.end("late");
  });
  assert.equal(server.listening, true);
  assert.deepEqual(server.address() as AddressInfo, { address: "127.0.0.1", family: "IPv4", port: 6800 });
  assert.throws(() => server.listen(0), { code: "ERR_SERVER_ALREADY_LISTEN" });
  const open = request("/open");
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  assert.equal(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count))), 1);
  let closed = false;
  const closing = new Promise<void>((resolve) =>
    server.close(() => {
      closed = true;
      resolve();
    }),
  );
  assert.equal(server.listening, false);
  assert.equal(await request("/refused").answer, `reset ${ResetCode.refused}`);
  assert.equal(closed, false);
  answer();
  assert.equal(bodyOf(await open.answer), "late");
  await closing;
  assert.equal(counter.requests, 1);
});

test("closeAllConnections ends every request; closeIdleConnections none", async () => {
  const { server, request } = setting((_req, res) => res.write("begun"));
  const open = request("/");
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  server.closeIdleConnections();
  server.closeAllConnections();
  assert.equal(await open.answer, `reset ${ResetCode.internal}`);
});

test("tracers: the request event is emitted on the server, and Node's channels publish", async () => {
  const told: string[] = [];
  const start = (message: unknown): void =>
    void told.push(`start ${(message as { request: http.IncomingMessage }).request.url}`);
  const finish = (message: unknown): void =>
    void told.push(`finish ${(message as { response: http.ServerResponse }).response.statusCode}`);
  subscribe("http.server.request.start", start);
  subscribe("http.server.response.finish", finish);
  const { server, request } = setting((_req, res) => res.writeHead(201).end());
  const { emit } = server;
  server.emit = function patched(this: http.Server, event: string, ...args: unknown[]) {
    told.push(`emit ${event}`);
    return emit.apply(this, [event, ...args] as never);
  } as never;
  await request("/traced").answer;
  await new Promise((resolve) => setImmediate(resolve));
  unsubscribe("http.server.request.start", start);
  unsubscribe("http.server.response.finish", finish);
  assert.deepEqual(told, ["emit connection", "start /traced", "emit request", "finish 201"]);
});

test("incomplete metadata is refused as a protocol error", async () => {
  const { service } = setting((_req, res) => res.end());
  const link = new MemoryLink(service);
  for (const meta of ["", "GET\n/", "GET\n/\n1.1\nhttp\na\n1\nb\n2\n\nname-without-value"]) {
    const code = await new Promise((resolve) =>
      link.open(meta, true, {
        onData() {},
        onEnd() {},
        onDrain() {},
        onReset: (_stream, reason) => resolve(reason),
      }),
    );
    assert.equal(code, ResetCode.protocol);
  }
});

test("compat: Node's own parser, bodies of both framings, trailers", async () => {
  const { request } = setting((req, res) => {
    let body = "";
    req.on("data", (bytes) => (body += bytes));
    req.on("end", () => res.end(`${req.url} ${body} ${JSON.stringify(req.trailers)}`));
  }, true);
  assert.equal(bodyOf(await request("/sized", { body: "12345" }).answer), "/sized 12345 {}");
  assert.equal(bodyOf(await request("/none").answer), "/none  {}");
});
