/** Row A23 of the attack list: clients that send byte by byte, or stop in the middle, on a real socket of a web tier. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { RawClient, RawOrigin } from "../harness/raw.ts";
import { startWebSite, type WebSiteOptions } from "../harness/web-site.ts";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async function site(
  t: TestContext,
  timeouts: NonNullable<WebSiteOptions["timeouts"]>,
): Promise<[RawOrigin, RawClient]> {
  const origin = new RawOrigin(() => ok);
  const web = await startWebSite([await origin.listen()], { timeouts });
  const client = await RawClient.open(web.port);
  t.after(async () => {
    client.destroy();
    origin.close();
    await web.close();
  });
  return [origin, client];
}

test("A23 a head that stops is answered 408 in time, and the origin hears nothing", async (t) => {
  const [origin, client] = await site(t, { headTimeoutMs: 300 });
  client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  assert.match(await client.read(), /^HTTP\/1\.1 408 /);
  assert.equal(origin.received, "");
});

test("A23 more bytes do not give a slow head more time", async (t) => {
  const [origin, client] = await site(t, { headTimeoutMs: 500 });
  const from = performance.now();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  const drip = setInterval(() => client.send("y"), 50);
  t.after(() => clearInterval(drip));
  assert.match(await client.read(/HTTP\/1\.1 408 /), /408/);
  assert.ok(performance.now() - from < 5_000);
  assert.equal(origin.received, "");
});

test("A23 a whole head in single bytes is a request like any other", async (t) => {
  const [origin, client] = await site(t, {});
  const head = `GET /slow HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(500)}\r\nConnection: close\r\n\r\n`;
  for (const byte of head) {
    client.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.match(await client.read(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*ok$/);
  assert.match(origin.received, /^GET \/slow HTTP\/1\.1\r\n/);
});
