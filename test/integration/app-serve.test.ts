/** serve() in real processes: alone, as a server of a cluster, with `listen:`, and everything that keeps it from starting. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { type Link, StreamKind } from "../../src/link/api.ts";
import { dialOnce } from "../../src/link/dialer.ts";
import { linkKeys } from "../../src/link/keys.ts";
import { silentLog } from "../../src/support/log.ts";
import { freePorts } from "../harness/free-ports.ts";
import { runFlotilla, start, type TestProcess, temporaryFolder } from "../harness/process.ts";

const secret = "0123456789abcdef0123456789abcdef";
const application = join(import.meta.dirname, "fixtures", "served-app.ts");

function startApplication(t: TestContext, env: Record<string, string>): TestProcess {
  return start(t, process.execPath, [application], { env: { FLOTILLA_SERVER: "", ...env } });
}

interface Cluster {
  readonly config: string;
  readonly port: number;
  readonly httpPort: number;
  readonly env: Record<string, string>;
}

async function cluster(t: TestContext, drain = "1s"): Promise<Cluster> {
  const [port, httpPort, webPort, browserPort] = (await freePorts(4)) as [number, number, number, number];
  const folder = temporaryFolder(t, {
    "flotilla.yaml": `secret: ${secret}
clusters:
  web:
    servers:
      web-a: { address: 127.0.0.1, port: ${webPort} }
    listen:
      - { http: 127.0.0.1:${browserPort} }
    routes:
      - { to: app }
  app:
    servers:
      app-a: { address: 127.0.0.1, port: ${port} }
    listen:
      - { http: 127.0.0.1:${httpPort} }
    timeouts: { drain: ${drain}, appKeepAlive: 20s }
`,
  });
  const config = join(folder, "flotilla.yaml");
  return { config, port, httpPort, env: { FLOTILLA_SERVER: "app-a", FLOTILLA_CONFIG: config } };
}

async function dial(t: TestContext, port: number): Promise<Link> {
  const link = await dialOnce({
    self: { name: "web-a", incarnation: "test" },
    expected: "app-a",
    address: "127.0.0.1",
    port,
    keys: linkKeys(Buffer.from(secret), null),
    services: new Map(),
    log: silentLog,
    timeoutMs: 10_000,
  });
  t.after(() => link.destroy("the test is over"));
  return link;
}

function ask(link: Link, target: string): Promise<string> {
  const head = ["GET", target, "1.1", "http", "192.0.2.9", "1", "127.0.0.1", "80", "", "Host", "a.test"];
  return new Promise((resolve) => {
    let text = "";
    const stream = link.open(StreamKind.http, head.join("\n"), true, {
      onData(own, bytes) {
        text += bytes.toString("latin1");
        own.consumed(bytes.length);
      },
      onEnd: () => resolve(text.slice(text.indexOf("\r\n\r\n") + 4)),
      onReset: (_stream, code) => resolve(`reset ${code}`),
      onDrain() {},
    });
    if (stream === null) resolve("not opened");
  });
}

for (const [kind, expected] of [
  ["handler", "GET /a from 127.0.0.1"],
  ["server", "GET /a from 127.0.0.1"],
  ["fetch", "fetched GET"],
  ["object", "fetched GET"],
] as const) {
  test(`outside a cluster: ${kind} listens on PORT`, async (t) => {
    const app = startApplication(t, { KIND: kind, PORT: "0" });
    const line = await app.line(/serving on port \d+, keep-alive 15000/);
    const port = /port (\d+)/.exec(line)![1];
    const answer = await fetch(`http://127.0.0.1:${port}/a`);
    assert.match(await answer.text(), new RegExp(`^${expected}`));
    if (kind === "fetch") {
      assert.equal(answer.headers.get("x-kind"), "fetch");
      assert.equal((await fetch(`http://127.0.0.1:${port}/throws`)).status, 500);
    }
  });
}

test("in a cluster: the link and listen: reach the same application; requests of both are counted", async (t) => {
  const { port, httpPort, env } = await cluster(t);
  const app = startApplication(t, env);
  await app.line(/serving on port \d+, keep-alive 20000/);
  const link = await dial(t, port);
  assert.equal(await ask(link, "/over-the-link"), "GET /over-the-link from 192.0.2.9");
  const answer = await fetch(`http://127.0.0.1:${httpPort}/direct`);
  assert.equal(await answer.text(), "GET /direct from 127.0.0.1");
  assert.equal(answer.headers.get("keep-alive"), "timeout=20");
  const socket = new WebSocket(`ws://127.0.0.1:${httpPort}/`);
  await once(socket, "open");
  socket.send("echo");
  assert.equal(String(((await once(socket, "message")) as [Buffer])[0]), "echo");
  socket.terminate();
  const status = await new Promise<string>((resolve) => {
    let text = "";
    link.open(StreamKind.admin, '{"ask":"status"}', true, {
      onData: (_stream, bytes) => (text += bytes.toString()),
      onEnd: () => resolve(text),
      onReset: () => resolve("reset"),
      onDrain() {},
    });
  });
  const { name, state, requests, pid } = JSON.parse(status) as Record<string, unknown>;
  assert.deepEqual({ name, state, requests, pid }, { name: "app-a", state: "up", requests: 2, pid: app.pid });
});

test("TERM: what is open is answered, nothing new is opened, the process ends with 0", async (t) => {
  const { port, env } = await cluster(t);
  const app = startApplication(t, env);
  await app.line(/serving on port/);
  const link = await dial(t, port);
  const slow = ask(link, "/slow");
  await app.line(/slow begun/);
  app.signal("SIGTERM");
  assert.equal(await slow, "slow done");
  assert.equal((await app.exit).code, 0);
  assert.match(app.output, /the server's close event/);
});

test("TERM: an answer that does not end is cut at the drain timeout", async (t) => {
  const { port, env } = await cluster(t);
  const app = startApplication(t, env);
  await app.line(/serving on port/);
  const forever = ask(await dial(t, port), "/forever");
  await app.line(/forever begun/);
  app.signal("SIGTERM");
  assert.match(await forever, /^reset/);
  assert.equal((await app.exit).code, 0);
});

for (const [target, code] of [
  ["/last", 3],
  ["/crash", 1],
] as const) {
  test(`${target}: an answer given in the process's last turn is sent`, async (t) => {
    const { port, env } = await cluster(t);
    const app = startApplication(t, env);
    await app.line(/serving on port/);
    assert.equal(await ask(await dial(t, port), target), "last words");
    assert.equal((await app.exit).code, code);
  });
}

test("told to stop again, it cuts what is open and ends in order", async (t) => {
  const { port, env } = await cluster(t, "60s");
  const app = startApplication(t, env);
  await app.line(/serving on port/);
  const forever = ask(await dial(t, port), "/forever");
  await app.line(/forever begun/);
  app.signal("SIGINT");
  await app.line(/SIGINT: stopping, for at most 60 s: 1 request under way; \^C or TERM again/);
  app.signal("SIGTERM");
  assert.match(await forever, /^reset/);
  await app.line(/SIGTERM again: cutting requests/);
  assert.deepEqual(await app.exit, { code: 0, signal: null });
  assert.match(app.output, /the server's close event/);
});

test("flotilla stop, and once more: open answers have their whole time", async (t) => {
  const { port, env, config } = await cluster(t);
  const app = startApplication(t, env);
  await app.line(/serving on port/);
  const forever = ask(await dial(t, port), "/forever");
  await app.line(/forever begun/);
  const stop = (): Promise<{ code: number | null }> => runFlotilla(t, ["-c", config, "stop"]);
  const first = stop();
  await app.line(/flotilla stop: stopping, for at most 1 s: 1 request under way/);
  assert.equal((await stop()).code, 0);
  assert.equal((await first).code, 0);
  assert.match(await forever, /^reset/);
  assert.doesNotMatch(app.output, /cutting/);
});

test("what keeps it from starting is said in one line, without a stack; the exit code is 1", async (t) => {
  const { port, env } = await cluster(t);
  const taken = createServer().listen(port, "127.0.0.1");
  t.after(() => taken.close());
  await once(taken, "listening");
  const cases: [Record<string, string>, RegExp][] = [
    [env, new RegExp(`^the cluster port 127\\.0\\.0\\.1:${port} is in use`)],
    [{ PORT: String(port) }, /^the HTTP port 127\.0\.0\.1:\d+ is in use/],
    [{ PORT: "eighty" }, /^PORT in the environment is "eighty"/],
    [
      { ...env, FLOTILLA_SERVER: "app-x" },
      /^FLOTILLA_SERVER is "app-x", but .* has no such server; it has .*app-a/,
    ],
    [{ ...env, FLOTILLA_SERVER: "web-a" }, /^FLOTILLA_SERVER is "web-a", a web server/],
    [
      { ...env, FLOTILLA_CONFIG: "/nowhere/flotilla.yaml" },
      /^\/nowhere\/flotilla\.yaml:1:1: error: cannot read/,
    ],
    [
      { ...env, FLOTILLA_CONFIG: "/nowhere/flotilla.yaml", SESSION: "1" },
      /^\/nowhere\/flotilla\.yaml:1:1: error: cannot read/,
    ],
    [{ PORT: "0", KIND: "listening" }, /^serve\(\) was given an http.Server that listens already/],
  ];
  for (const [given, expected] of cases) {
    const app = startApplication(t, given);
    assert.equal((await app.exit).code, 1, app.output);
    assert.match(app.stderr, expected);
    assert.doesNotMatch(app.stderr, /\n./, app.stderr);
  }
});

test("serve() twice in one process of a cluster is an error to catch, and the first goes on", async (t) => {
  const { env, port } = await cluster(t);
  const app = startApplication(t, { ...env, TWICE: "1" });
  await app.line(/^caught FLOTILLA_SERVED_TWICE: serve\(\) was called twice in the process of "app-a"/);
  assert.match(await ask(await dial(t, port), "/still"), /GET \/still from/);
});
