import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import test from "node:test";
import { pino } from "pino";
import { listenOn, urlOf } from "./listen.ts";

const host = "127.0.0.1";

test("a port in use is told; what goes wrong after the port is open is logged and ends nothing", async (t) => {
  const lines: string[] = [];
  const log = pino(
    {},
    { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const server = createServer();
  t.after(() => void server.close());
  await listenOn(server, "the test's port", { host, port: 0 }, log);
  const { port } = server.address() as AddressInfo;
  await assert.rejects(listenOn(createServer(), "the test's port", { host, port }, log), {
    code: "FLOTILLA_PORT_IN_USE",
    message: new RegExp(`^the test's port ${host}:${port} is in use`),
  });
  assert.deepEqual(lines, []);
  server.emit("error", new Error("accept EMFILE"));
  assert.deepEqual(lines, [`the test's port ${host}:0: accept EMFILE`]);
});

test("an IPv6 address stands in brackets in a URL", () => {
  assert.equal(urlOf("https", "::1", 443), "https://[::1]:443");
  assert.equal(urlOf("http", host, 80), "http://127.0.0.1:80");
});
