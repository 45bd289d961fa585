/** `affinity: { by: client-address }` (R53): all connections of an address reach one server. In two workers and more: web-affinity.test.ts. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { AffinitySettings } from "../../src/config/model.ts";
import { exchange, ok, RawOrigin } from "../harness/raw.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const affinity: AffinitySettings = { by: "client-address", cookieName: "", keptMs: 60_000 };

async function siteOf(
  t: TestContext,
  options: WebSiteOptions = {},
): Promise<{ web: WebSite; origins: readonly RawOrigin[] }> {
  const origins = await Promise.all(["a", "b", "c"].map((letter) => RawOrigin.start(t, () => ok(letter))));
  const ports = origins.map(({ port }) => port);
  return { web: await webSite(t, ports, { trusted: ["127.0.0.1"], app: { affinity }, ...options }), origins };
}

/** The letter of the server that answers. */
async function visit(web: WebSite, address: string, fields = ""): Promise<string> {
  const text = await exchange(
    web.port,
    `GET / HTTP/1.1\r\nHost: a\r\n${fields}X-Forwarded-For: ${address}\r\nConnection: close\r\n\r\n`,
  );
  assert.match(text, /^HTTP\/1\.1 200 /);
  assert.doesNotMatch(text, /Set-Cookie/);
  return text.at(-1)!;
}

const addresses = Array.from({ length: 30 }, (_, at) => `192.0.2.${at}`);

test("the client's address counts, as a trusted balancer names it; of IPv6 its network", async (t) => {
  const { web } = await siteOf(t);
  const letters = [];
  for (const address of addresses) letters.push(await visit(web, address));
  assert.equal(new Set(letters).size, 3);
  for (const [at, address] of addresses.entries()) assert.equal(await visit(web, address), letters[at]);
  const network = await visit(web, "2001:db8:1:2::1");
  for (let host = 2; host < 12; host++) assert.equal(await visit(web, `2001:db8:1:2::${host}`), network);
  // Of a balancer that is not trusted, the address is its own.
  const { web: strict } = await siteOf(t, { trusted: [] });
  const found = new Set<string>();
  for (const address of addresses.slice(0, 8)) found.add(await visit(strict, address));
  assert.equal(found.size, 1);
});

test("when its server goes, it moves without an error and stays with the new one", async (t) => {
  const { web, origins } = await siteOf(t);
  const letter = await visit(web, "192.0.2.1");
  const at = "abc".indexOf(letter);
  const { port } = origins[at]!;
  origins[at]!.close();
  const moved = await visit(web, "192.0.2.1");
  assert.notEqual(moved, letter);
  await RawOrigin.start(t, () => ok(letter), port);
  for (let times = 0; times < 5; times++) assert.equal(await visit(web, "192.0.2.1"), moved);
});

test("requests of one connection for several clients go to the server of each", async (t) => {
  const { web } = await siteOf(t);
  const letters = [];
  for (const address of addresses) letters.push(await visit(web, address));
  const requests = addresses.map(
    (address, at) =>
      `GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${address}\r\n${at === 29 ? "Connection: close\r\n" : ""}\r\n`,
  );
  const text = await exchange(web.port, requests.join(""));
  const found = [...text.matchAll(/\r\n\r\n([abc])/g)].map((match) => match[1]);
  assert.deepEqual(found, letters);
});
