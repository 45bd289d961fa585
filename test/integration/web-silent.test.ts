/** What becomes of requests whose server answers nobody any more: they stay with it, and where that is safe they go to another one. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type HeldServers, heldServers, type Kind, until } from "../harness/held-servers.ts";
import { ask, type Http2Answer, http2Session } from "../harness/http2.ts";
import { type LinkApp, linkApp } from "../harness/link-app.ts";
import { RawClient } from "../harness/raw.ts";
import { tlsSettings } from "../harness/tls.ts";
import type { WebSite } from "../harness/web-site.ts";
import { webSite } from "../harness/web-site.ts";

const text = (method: string, path: string, body = ""): string =>
  `${method} ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** As its link says, or as its answers show. */
const fallSilent: Record<Kind, (web: WebSite) => void> = {
  link: ({ upstreams }) => upstreams[0]!.health.fellSilent(700),
  plain: ({ upstreams }) => upstreams[0]!.health.judge("stalled", "no answer"),
};

/** Two servers; the first one has the first request. */
async function pair(
  t: TestContext,
  kind: Kind,
  request: string,
): Promise<HeldServers & { client: RawClient }> {
  const servers = await heldServers(t, kind, 2);
  const client = await RawClient.open(servers.web.port);
  client.send(request);
  return { ...servers, client };
}

for (const kind of ["link", "plain"] as const) {
  for (const [method, body] of [
    ["GET", ""],
    ["PUT", "put"],
    ["DELETE", "delete"],
  ] as const) {
    test(`${kind}: ${method} goes to the other server with its body; a late first answer is heard by nobody`, async (t) => {
      const { web, seen, has, answer, client } = await pair(t, kind, text(method, "/one", body));
      await has(0, 1);
      fallSilent[kind](web);
      await has(1, 1);
      assert.deepEqual(seen[1], seen[0]);
      answer(0, "late");
      answer(1, "here");
      assert.equal((await client.answer()).body, "here");
      assert.equal((await web.logged(0)).attempts, 2);
      client.send(text("GET", "/next"));
      await has(1, 2);
      answer(1, "next");
      assert.equal((await client.answer()).body, "next");
    });
  }

  test(`${kind}: POST stays with its server, and is answered when that one comes back`, async (t) => {
    const { web, seen, has, answer, client } = await pair(t, kind, text("POST", "/", "once"));
    await has(0, 1);
    fallSilent[kind](web);
    answer(0, "back");
    assert.equal((await client.answer()).body, "back");
    assert.deepEqual(seen, [["POST / once"], []]);
  });

  test(`${kind}: a body that was too long to be kept stays too`, async (t) => {
    const { web, seen, has, answer, client } = await pair(t, kind, text("PUT", "/", "x".repeat(70_000)));
    await has(0, 1);
    fallSilent[kind](web);
    answer(0, "back");
    assert.equal((await client.answer()).body, "back");
    assert.deepEqual(seen[1], []);
  });

  test(`${kind}: a request that has got an interim answer stays too`, async (t) => {
    const { web, seen, has, answer, client } = await pair(t, kind, text("GET", "/hints"));
    assert.equal((await client.answer()).status, 103);
    await has(0, 1);
    fallSilent[kind](web);
    answer(0, "back");
    assert.equal((await client.answer()).body, "back");
    assert.deepEqual(seen[1], []);
  });

  test(`${kind}: an upgraded connection is not touched`, async (t) => {
    const { web, seen, client } = await pair(
      t,
      kind,
      "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    );
    assert.equal((await client.answer()).status, 101);
    fallSilent[kind](web);
    assert.deepEqual(seen, [["GET /up"], []]);
    assert.equal(client.closed, false);
    client.socket.resetAndDestroy();
  });

  test(`A49 ${kind}: what a silent server was sent first follows the others only when they have been answered`, async (t) => {
    const { web, seen, has, answer, client } = await pair(t, kind, text("GET", "/poison"));
    await has(0, 1);
    const others: RawClient[] = [];
    for (let at = 1; at <= 6; at++) {
      others.push(await RawClient.open(web.port));
      others.at(-1)!.send(text("GET", `/${at}`));
      await until(() => seen[0]!.length + seen[1]!.length === at + 1);
    }
    const moving = seen[0]!.slice(1);
    const there = seen[1]!.length;
    fallSilent[kind](web);
    await has(1, there + moving.length);
    assert.deepEqual(seen[1]!.slice(there).sort(), [...moving].sort());
    for (const path of seen[1]!) answer(1, path);
    for (const other of others) assert.equal((await other.answer()).status, 200);
    await has(1, there + moving.length + 1);
    assert.equal(seen[1]!.at(-1), "GET /poison");
    // It is sent to no third server, and not back to the first one.
    web.upstreams[1]!.health.judge("stalled", "no answer");
    answer(1, "poisoned");
    assert.equal((await client.answer()).body, "poisoned");
    assert.equal((await web.logged(6)).attempts, 2);
  });

  test(`${kind}: streams of HTTP/2 move too, as many as the budget allows; the others stay, and the log says so`, async (t) => {
    const { web, seen, has, answer } = await heldServers(t, kind, 2, {
      ...{ tls: tlsSettings("a"), app: { retryBudget: 0 } },
    });
    const answers: Promise<Http2Answer>[] = [];
    for (let sessions = 0; sessions < 3; sessions++) {
      const session = await http2Session(t, web.port);
      for (let streams = 0; streams < 80; streams++) answers.push(ask(session, { ":path": "/" }).answer);
    }
    await until(() => seen[0]!.length + seen[1]!.length === 240);
    // Half of them, unless the machine was so slow that one server seemed quiet beside the other.
    const [stuck, others] = [seen[0]!.length, seen[1]!.length];
    fallSilent[kind](web);
    await has(1, others + 100);
    await until(() => web.warnings.some((line) => /retryBudget is spent/.test(line)));
    assert.equal(seen[1]!.length, others + 100);
    for (let at = 0; at < others + 100; at++) answer(1, "");
    for (let at = 0; at < stuck; at++) answer(0, "");
    for (const { status } of await Promise.all(answers)) assert.equal(status, 200);
  });
}

test("one of three servers dies with 100 requests in flight: each of them is answered by another one", async (t) => {
  const held: (() => void)[] = [];
  let isReleased = false;
  const apps: LinkApp[] = [];
  for (const name of ["app-a", "app-b", "app-c"]) {
    const app = await linkApp(t, name, (_request, response) => {
      if (isReleased) response.end(name);
      else held.push(() => response.end(name));
    });
    apps.push(app);
  }
  const ports = apps.map(({ port }) => port);
  const web = await webSite(t, ports, { link: true, tls: tlsSettings("a") });
  const answers: Promise<Http2Answer>[] = [];
  for (let sessions = 0; sessions < 4; sessions++) {
    const session = await http2Session(t, web.port);
    for (let streams = 0; streams < 75; streams++) answers.push(ask(session, { ":path": "/" }).answer);
  }
  await until(() => held.length === 300);
  isReleased = true;
  await apps[0]!.close();
  for (const end of held) end();
  const found = new Set((await Promise.all(answers)).map(({ status, body }) => `${status} ${body}`));
  assert.deepEqual([...found].sort(), ["200 app-b", "200 app-c"]);
});
