/** R21: `;jsessionid=` at the end of a path chooses a server where it may, and is never more than that. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { SessionIds } from "../../src/session/id.ts";
import { exchange, ok, RawOrigin } from "../harness/raw.ts";
import { secret, type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const routes = [
  { path: "/shop/*", to: "app", sessionIdInPath: true },
  { path: "/other/*", to: "app" },
];

async function site(
  t: TestContext,
  options: WebSiteOptions = {},
): Promise<{ web: WebSite; origins: readonly RawOrigin[] }> {
  const origins = await Promise.all(["a", "b", "c"].map((letter) => RawOrigin.start(t, () => ok(letter))));
  const ports = origins.map(({ port }) => port);
  return { web: await webSite(t, ports, { routes, sessionIdFrom: ["127.0.0.1"], ...options }), origins };
}

/** Which server answers, several times in a row. */
async function answering(web: WebSite, target: string, fields: string = ""): Promise<string> {
  let letters = "";
  for (let times = 0; times < 3; times++) {
    const text = await exchange(
      web.port,
      `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}Connection: close\r\n\r\n`,
    );
    letters += text.startsWith("HTTP/1.1 200") ? text.at(-1) : text.slice(9, 12);
  }
  return letters;
}

test("R21 by a letter, two letters, or an id of ours; against the cookie too", async (t) => {
  const { web } = await site(t);
  const ids = new SessionIds(secret, null, "app");
  assert.equal(await answering(web, "/shop/x;jsessionid=b"), "bbb");
  assert.equal(await answering(web, "/shop/x;jsessionid=bcd"), "bbb");
  assert.equal(await answering(web, "/shop/;jsessionid=c?q=1"), "ccc");
  assert.equal(await answering(web, "/shop;jsessionid=c"), "ccc");
  assert.equal(await answering(web, `/shop/x;jsessionid=${ids.create("b", "c", 7, 0)}`), "bbb");
  const cookie = `Cookie: sid=${ids.create("a", "-", 7, 0)}\r\n`;
  assert.equal(await answering(web, "/shop/x", cookie), "aaa");
  assert.equal(await answering(web, "/shop/x;jsessionid=b", cookie), "bbb");
  // No such server: as without it.
  assert.equal(await answering(web, "/shop/x;jsessionid=z", cookie), "aaa");
  assert.equal(await answering(web, "/shop/x;jsessionid=", cookie), "aaa");
});

test("neither application nor log see it, other parameters they do", async (t) => {
  const { web, origins } = await site(t);
  await answering(web, "/shop/x;v=1;jsessionid=bSECRET;w=2?q=;jsessionid=3");
  assert.equal(web.log[0]!.target, "/shop/x;v=1;w=2?q=;jsessionid=3");
  assert.match(origins[1]!.received, /^GET \/shop\/x;v=1;w=2\?q=;jsessionid=3 HTTP/);
  assert.doesNotMatch(JSON.stringify(web.log) + origins.map(({ received }) => received).join(), /SECRET/);
});

test("A39 from elsewhere it chooses nothing, and ends here all the same", async (t) => {
  const { web } = await site(t, { sessionIdFrom: ["10.0.0.0/8"] });
  assert.equal([...(await answering(web, "/shop/x;jsessionid=b"))].sort().join(""), "abc");
  assert.equal(web.log[0]!.target, "/shop/x");
});

test("A21 on other routes, and elsewhere in a path, it is data; no dot segment hides behind it", async (t) => {
  const { web } = await site(t);
  assert.equal([...(await answering(web, "/other/x;jsessionid=b"))].sort().join(""), "abc");
  assert.equal(web.log[0]!.target, "/other/x;jsessionid=b");
  await answering(web, "/shop/x;jsessionid=b/y");
  assert.equal(web.log[3]!.target, "/shop/x;jsessionid=b/y");
  await answering(web, "/shop/x%3Bjsessionid=b");
  assert.equal(web.log[6]!.target, "/shop/x%3Bjsessionid=b");
  for (const target of ["/shop/..;jsessionid=b", "/shop/..;jsessionid=b/x", "/shop/.;jsessionid=b"]) {
    const before = web.log.length;
    await answering(web, target);
    for (const { target: logged, status } of web.log.slice(before))
      assert.ok(status === 400 || logged === target, `${status} ${logged}`);
  }
});
