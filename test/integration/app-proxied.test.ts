/** `attach: false`: a program in any language behind its server's cluster port, reached over plain HTTP on PORT. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { processState } from "../../src/support/processes.ts";
import { repository } from "../harness/attached-program.ts";
import { clusterFolder } from "../harness/cluster-folder.ts";
import {
  processesIn,
  runFlotilla,
  startFlotilla,
  statusOf,
  type TestProcess,
  until,
} from "../harness/process.ts";

const program = `
const http = require("node:http");
const { WebSocketServer } = require(${JSON.stringify(`${repository}/node_modules/ws`)});
const { PORT, HOST, FLOTILLA_SERVER, NODE_OPTIONS } = process.env;
const server = http.createServer(async (req, res) => {
  if (req.url === "/crash") process.exit(3);
  if (req.url === "/slow") { console.log("slow begun"); setTimeout(() => res.end("slow done"), 300); return; }
  if (req.url === "/forever") { console.log("forever begun"); res.write("..."); res.on("close", () => console.log("left")); return; }
  if (req.url === "/cut") { res.writeHead(200, { "Content-Length": 10 }); res.write("123"); setTimeout(() => res.destroy(), 20); return; }
  let size = 0;
  for await (const piece of req) size += piece.length;
  res.setHeader("Trailer", "X-Size");
  res.setHeader("Set-Cookie", ["a=1", "b=2"]);
  res.write(JSON.stringify({ method: req.method, url: req.url, size, host: req.headers.host, forwarded: req.headers["x-forwarded-for"] }));
  res.addTrailers({ "X-Size": String(size) });
  res.end();
});
new WebSocketServer({ server }).on("connection", (socket) => socket.on("message", (text) => socket.send("echo " + text)));
setTimeout(() => server.listen(PORT, HOST, () => console.log("listening", HOST, [FLOTILLA_SERVER, NODE_OPTIONS])), 100);
process.on("SIGTERM", () => { console.log("told to end"); process.exit(0); });
`;

interface Site {
  readonly running: TestProcess;
  readonly folder: string;
  readonly port: number;
}

async function site(t: TestContext): Promise<Site> {
  const { folder, httpPort } = await clusterFolder(t, {
    ...{ web: true, attach: false, run: "exec node server.cjs", files: { "server.cjs": program } },
  });
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  await Promise.all([running.line(/link to app-a .* is up/), running.line(/web-a.*up at http/)]);
  return { running, folder, port: httpPort };
}

test("requests, uploads, trailers and WebSockets reach it; it knows nothing of the cluster; status knows it", async (t) => {
  const { running, folder, port } = await site(t);
  await running.line(/listening 127\.0\.0\.1 \[ '', undefined \]/);
  await running.line(/its program listens on 127\.0\.0\.1:\d+/);
  const answer = await fetch(`http://127.0.0.1:${port}/a?b=c`);
  const { method, url, size, host, forwarded } = (await answer.json()) as Record<string, unknown>;
  assert.deepEqual(
    [method, url, size, host, forwarded],
    ["GET", "/a?b=c", 0, `127.0.0.1:${port}`, "127.0.0.1"],
  );
  assert.deepEqual(answer.headers.getSetCookie(), ["a=1", "b=2"]);
  for (const chunked of [false, true]) {
    const request = http.request({ port, method: "POST", path: "/up" });
    if (!chunked) request.setHeader("Content-Length", 300_000);
    for (let piece = 0; piece < 3; piece++) request.write(Buffer.alloc(100_000, "x"));
    request.end();
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    response.resume();
    await once(response, "end");
    assert.equal(response.trailers["x-size"], "300000");
  }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(socket, "open");
  socket.send("hello");
  assert.equal(String(((await once(socket, "message")) as [Buffer])[0]), "echo hello");
  socket.close();
  await once(socket, "close");
  const [, app] = await statusOf(folder);
  assert.deepEqual([app!.name, app!.state, (app as { requests?: number }).requests], ["app-a", "up", 4]);
});

test("TERM: what is open is answered before the program is told to end; nothing stays behind", async (t) => {
  const { running, folder, port } = await site(t);
  const slow = fetch(`http://127.0.0.1:${port}/slow`);
  await running.line(/slow begun/);
  const stopped = runFlotilla(t, ["stop", "app-a"], { cwd: folder });
  assert.equal(await (await slow).text(), "slow done");
  assert.equal((await stopped).code, 0);
  await running.line(/told to end/);
  await running.line(/app-a stopped/);
});

test("a client that leaves is noticed, a cut answer is cut; a program that ends is started again", async (t) => {
  const { running, port } = await site(t);
  const client = connect(port, "127.0.0.1");
  client.write("GET /forever HTTP/1.1\r\nHost: a.test\r\n\r\n");
  await running.line(/forever begun/);
  client.resetAndDestroy();
  await running.line(/left/);
  await assert.rejects((await fetch(`http://127.0.0.1:${port}/cut`)).text());
  const seen = running.output.length;
  await (await fetch(`http://127.0.0.1:${port}/crash`)).text();
  await running.line(/app-a ended with code 3; it is started again/, seen);
  await running.line(/its program listens on/, seen);
  await until("it answers", async () => (await fetch(`http://127.0.0.1:${port}/`)).status === 200);
});

test("kill -9 of its server, or of the supervisor: the program ends too", async (t) => {
  const { running, folder } = await site(t);
  const [, app] = await statusOf(folder);
  const pid = Number(/process (\d+)/.exec(await running.line(/its program listens on/))![1]);
  const seen = running.output.length;
  process.kill((app as unknown as { pid: number }).pid, "SIGKILL");
  await until("its program is gone", () => processState(pid) === null);
  await running.line(/its program listens on/, seen);
  running.signal("SIGKILL");
  await running.exit;
  await until("all are gone", () => processesIn(folder).length === 0);
});
