/** Where a plain HTTP server may be: names with several addresses, IPv6, Unix sockets, TLS; and the Host it is sent. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { deafPort } from "../harness/deaf-port.ts";
import { FakeClock } from "../harness/link-pair.ts";
import { exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { type WebSiteOptions, webSite } from "../harness/web-site.ts";

const get = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
const files = `${import.meta.dirname}/../../src/config/goldens/files`;
const verified = { caPath: `${files}/site.pem`, serverName: "site.example", verify: true };

/** Answers each request with what it saw. */
async function listening(t: TestContext, server: Server, where: object): Promise<number> {
  server.on("request", (request, response) => {
    request.resume().on("end", () => response.end(`host=${request.headers.host} ${request.url}`));
  });
  server.listen(where);
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address() as AddressInfo | string;
  return typeof address === "string" ? 0 : address.port;
}

/** Knows the addresses that the test says. */
function names(...addresses: string[]) {
  return { addresses, resolve: async () => ({ addresses, validMs: 100 }) };
}

test("Host is what the browser asked for, or what the file says", async (t) => {
  const port = await listening(t, createServer(), { port: 0, host: "127.0.0.1" });
  for (const [host, expected] of [
    [null, "shop.example"],
    ["inner.example:81", "inner.example:81"],
  ] as const) {
    const web = await webSite(t, [port], { plain: { host } });
    assert.match(await exchange(web.port, get), new RegExp(`host=${expected} /$`));
  }
});

test("a Unix socket", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const socketPath = join(folder, "app.sock");
  const clock = new FakeClock();
  const web = await webSite(t, [1], { clock, plain: { socketPath }, timeouts: { recoverTimeMs: 100 } });
  assert.match(await exchange(web.port, get), /^HTTP\/1\.1 503 /);
  assert.match(web.warnings.join("\n"), /ENOENT/);
  await listening(t, createServer(), { path: socketPath });
  clock.advance(100);
  for (let count = 0; count < 3; count++)
    assert.match(await exchange(web.port, get), /host=shop\.example \/$/);
  // HTTP/1.0 may come without Host; the server gets one all the same.
  assert.match(await exchange(web.port, "GET / HTTP/1.0\r\n\r\n"), /host=127\.0\.0\.1:1 \/$/);
});

test("IPv6", async (t) => {
  const port = await listening(t, createServer(), { port: 0, host: "::1" });
  const web = await webSite(t, [port], { name: "::1" });
  assert.match(await exchange(web.port, get), /host=shop\.example \/$/);
});

test("the addresses of a name are used in turn; one that refuses is passed over, and no visitor sees it", async (t) => {
  const first = await RawOrigin.start(t, () => ok("first"));
  await listening(t, createServer(), { port: first.port, host: "127.0.0.2" });
  const web = await webSite(t, [first.port], {
    name: "app.example",
    resolver: names("127.0.0.1", "127.0.0.2", "127.0.0.3"),
    plain: { idleConnectionsMax: 0 },
  });
  await until(() => web.upstreams[0]!.usable);
  const seen: string[] = [];
  for (let count = 0; count < 6; count++) {
    const got = await exchange(web.port, get);
    assert.match(got, /^HTTP\/1\.1 200 /);
    seen.push(got.endsWith("first") ? "first" : "second");
  }
  assert.deepEqual(seen, ["first", "second", "first", "second", "first", "second"]);
  assert.equal((await web.logged(5)).attempts, 1);
});

test("an address that does not answer is left for the next one before the connect timeout", async (t) => {
  const deaf = await deafPort(t);
  await listening(t, createServer(), { port: deaf.port, host: "127.0.0.2" });
  const web = await webSite(t, [deaf.port], {
    name: "app.example",
    resolver: names("127.0.0.1", "127.0.0.2"),
  });
  await until(() => web.upstreams[0]!.usable);
  const begin = performance.now();
  const post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody";
  assert.match(await exchange(web.port, post), /host=a \/$/);
  assert.ok(performance.now() - begin < 4_000);
  const again = performance.now();
  for (let count = 0; count < 5; count++) assert.match(await exchange(web.port, get), /host=shop/);
  assert.ok(performance.now() - again < 1_400, "it was tried again at once");
});

test("a name moves: idle connections to where it was are closed, a request under way comes to its end", async (t) => {
  const old = await RawOrigin.start(t, (_connection, _head, count) => (count === 3 ? null : ok("old")));
  const resolver = names("127.0.0.1");
  const web = await webSite(t, [old.port], { name: "app.example", resolver });
  await until(() => web.upstreams[0]!.usable);
  const both = [await RawClient.open(web.port), await RawClient.open(web.port)];
  for (const client of both) client.send(get.replace("/ HTTP", "/warm HTTP"));
  for (const client of both) assert.equal((await client.answer()).body, "old");
  const busy = await RawClient.open(web.port);
  busy.send(get);
  await old.arrived(/GET \/ /);
  await listening(t, createServer(), { port: old.port, host: "127.0.0.2" });
  resolver.addresses.splice(0, 1, "127.0.0.2");
  const idle = old.connections.length - 1;
  await until(() => old.connections.filter(({ closed }) => closed).length >= idle);
  assert.match(web.warnings.join("\n"), /app-a: app\.example is now 127\.0\.0\.2/);
  assert.match(await exchange(web.port, get), /host=shop\.example \/$/);
  const last = old.connections.find(({ closed }) => !closed)!;
  last.send(ok("old to the end"));
  assert.equal((await busy.answer()).body, "old to the end");
  await last.ended();
});

test("a name that does not resolve: 503 at once, and the operator reads why; it serves as soon as it does", async (t) => {
  let known = false;
  const port = await listening(t, createServer(), { port: 0, host: "127.0.0.1" });
  const resolver = {
    resolve: async () => {
      if (!known) throw new Error("getaddrinfo ENOTFOUND app.example");
      return { addresses: ["127.0.0.1"], validMs: 1_000 };
    },
  };
  const web = await webSite(t, [port], { name: "app.example", resolver });
  assert.match(await exchange(web.port, get), /^HTTP\/1\.1 503 /);
  assert.match(
    web.warnings.join("\n"),
    /app-a \(its name can't be resolved: getaddrinfo ENOTFOUND app\.example\)/,
  );
  known = true;
  await until(() => web.upstreams[0]!.usable);
  assert.match(await exchange(web.port, get), /host=shop\.example \/$/);
});

async function tlsSite(t: TestContext, options: WebSiteOptions) {
  const server = createTlsServer({
    cert: readFileSync(`${files}/site.pem`),
    key: readFileSync(`${files}/site.key`),
    ALPNProtocols: ["h2", "http/1.1"],
  });
  const handshakes: { name: unknown; alpn: unknown; reused: boolean }[] = [];
  server.on("secureConnection", (socket) => {
    handshakes.push({ name: socket.servername, alpn: socket.alpnProtocol, reused: socket.isSessionReused() });
  });
  const port = await listening(t, server as unknown as Server, { port: 0, host: "127.0.0.1" });
  return { web: await webSite(t, [port], options), handshakes };
}

test("https: the certificate is checked, the name is sent, one handshake serves the next ones", async (t) => {
  const { web, handshakes } = await tlsSite(t, { plain: { tls: verified, idleConnectionsMax: 0 } });
  for (let count = 0; count < 3; count++)
    assert.match(await exchange(web.port, get), /host=shop\.example \/$/);
  assert.deepEqual(
    handshakes.map(({ name, alpn }) => [name, alpn]),
    Array(3).fill(["site.example", "http/1.1"]),
  );
  assert.deepEqual(
    handshakes.map(({ reused }) => reused),
    [false, true, true],
  );
});

test("https: connections are kept, bodies go both ways", async (t) => {
  const { web, handshakes } = await tlsSite(t, { plain: { tls: verified } });
  const body = "x".repeat(3 * 1_048_576);
  for (let count = 0; count < 3; count++) {
    const client = await RawClient.open(web.port);
    client.send(`PUT /${count} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`);
    client.send(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
    assert.equal((await client.answer()).body, `host=a /${count}`);
  }
  assert.equal(handshakes.length, 1);
});

const untrusted: Readonly<Record<string, [Partial<typeof verified>, RegExp]>> = {
  "of an unknown authority": [{ caPath: `${files}/ended.pem` }, /self-signed|unable to verify/],
  "of another name": [{ serverName: "other.example" }, /other\.example/],
};
for (const [what, [tls, reason]] of Object.entries(untrusted)) {
  test(`https: a certificate ${what} gets no request`, async (t) => {
    const { web, handshakes } = await tlsSite(t, { plain: { tls: { ...verified, ...tls } } });
    assert.match(await exchange(web.port, get), /^HTTP\/1\.1 503 /);
    assert.match(web.warnings.join("\n"), reason);
    assert.ok(handshakes.length <= 1);
    const unchecked = await tlsSite(t, { plain: { tls: { ...verified, ...tls, verify: false } } });
    assert.match(await exchange(unchecked.web.port, get), /host=shop\.example \/$/);
  });
}

test("https: what speaks no TLS, or nothing, gets no request", async (t) => {
  const silent = await RawOrigin.start(t, () => null);
  const plain = await listening(t, createServer(), { port: 0, host: "127.0.0.1" });
  for (const port of [plain, silent.port]) {
    const web = await webSite(t, [port], {
      plain: { tls: verified },
      timeouts: { connectTimeoutMs: 300 },
    });
    assert.match(await exchange(web.port, get), /^HTTP\/1\.1 503 /);
  }
  assert.doesNotMatch(silent.received, /GET|shop/);
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}
