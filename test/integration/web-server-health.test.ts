/** Servers judged by what becomes of real requests: who is passed over, who is put down and when it is back (R11, R46). */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Cluster } from "../../src/config/model.ts";
import type { Waiting } from "../../src/health/waiting-list.ts";
import { linkApp } from "../harness/link-app.ts";
import { ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { type WebSite, webSite } from "../harness/web-site.ts";

interface Site {
  readonly web: WebSite;
  /** Servers app-a, app-b, app-c. */
  readonly origins: readonly RawOrigin[];
  /** What app-a answers; null: nothing, ever. */
  answerA: string | null;
}

async function threeServers(t: TestContext, app: Partial<Cluster> = {}): Promise<Site> {
  const site = { answerA: ok("a") as string | null };
  const origins = [
    await RawOrigin.start(t, () => site.answerA),
    await RawOrigin.start(t, () => ok("b")),
    await RawOrigin.start(t, () => ok("c")),
  ];
  const ports = origins.map(({ port }) => port);
  const web = await webSite(t, ports, { timeouts: { recoverTimeMs: 400 }, app });
  return Object.assign(site, { web, origins });
}

async function ask(web: WebSite, method: string = "GET", path: string = "/"): Promise<number> {
  const client = await RawClient.open(web.port);
  client.send(`${method} ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
  const { status } = await client.answer();
  client.destroy();
  return status;
}

/** Visitors who come one every 5 ms, and wait as long as it takes, until it is so. @returns the statuses that they got. */
async function visitUntil(web: WebSite, isSo: () => boolean): Promise<number[]> {
  const answers: Promise<number>[] = [];
  const giveUpAt = performance.now() + 20_000;
  while (!isSo()) {
    assert.ok(performance.now() < giveUpAt, `${web.upstreams.map(({ health }) => health.state)}`);
    answers.push(ask(web));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return await Promise.all(answers);
}

test("a server that accepts and never answers: its visitors move on, it is tried by one, and it is back when it answers", async (t) => {
  const site = await threeServers(t);
  const [a] = site.web.upstreams;
  const [origin] = site.origins;
  await visitUntil(site.web, () => origin!.requests >= 10);
  site.answerA = null;
  const stalled = await visitUntil(site.web, () => a!.health.state === "down");
  assert.ok(stalled.every((status) => status === 200));
  assert.match(a!.health.reason, /^no answer for \d\.\d s while \d+ requests waited$/);
  assert.match(site.web.warnings.join("\n"), /app-a is down: no answer for/);
  const before = origin!.requests;
  // One request tries it, is not answered, and moves on.
  let tries = 0;
  const tried = await visitUntil(site.web, () => {
    tries = origin!.requests - before;
    return tries > 0 && a!.health.state === "down";
  });
  assert.equal(tries, 1);
  assert.ok(tried.every((status) => status === 200));
  site.answerA = ok("a");
  const back = await visitUntil(site.web, () => a!.health.state === "up");
  assert.ok(back.every((status) => status === 200));
  assert.match(site.web.warnings.join("\n"), /app-a is up again after \d+\.\d s/);
});

for (const policy of ["least-load", "least-connections", "latency"] as const) {
  test(`${policy}: a server that has more waiting than the others is asked all the same whether it answers`, async (t) => {
    const balance = { policy, by: "client-address", name: "", loadBound: 1.25 } as const;
    const site = await threeServers(t, { balance });
    const [a] = site.web.upstreams;
    site.answerA = null;
    const statuses = await visitUntil(site.web, () => a!.health.state === "down");
    assert.ok(statuses.every((status) => status === 200));
    assert.match(a!.health.reason, /^no answer for \d\.\d s while [3-9] requests waited$/);
    site.answerA = ok("a");
    await visitUntil(site.web, () => a!.health.state === "up");
  });
}

test("what can't be sent twice is not what tries a server that stalled", async (t) => {
  const site = await threeServers(t);
  const [a] = site.web.upstreams;
  site.answerA = null;
  await visitUntil(site.web, () => a!.health.state === "down");
  site.answerA = ok("a");
  await until(() => a!.health.state === "recovering");
  const before = site.origins[0]!.requests;
  for (let count = 0; count < 6; count++) assert.equal(await ask(site.web, "POST"), 200);
  assert.equal(site.origins[0]!.requests, before);
  for (let count = 0; count < 3 && a!.health.state !== "up"; count++) assert.equal(await ask(site.web), 200);
  assert.equal(a!.health.state, "up");
  assert.equal(site.origins[0]!.requests, before + 1);
});

for (const [what, wrong] of [
  ["500", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"],
  ["answers that are none", "SSH-2.0-OpenSSH_9.9\r\n\r\n"],
] as const) {
  test(`a server that gives ${what} while the others do not is put down, and back when it is well`, async (t) => {
    const site = await threeServers(t);
    const [a] = site.web.upstreams;
    site.answerA = wrong;
    const statuses = await visitUntil(site.web, () => a!.health.state === "down");
    assert.ok(statuses.filter((status) => status !== 200).length >= 5);
    assert.match(a!.health.reason, /^\d+ of its last \d+ requests failed, more than elsewhere$/);
    // Those that try it meanwhile are answered by others.
    const before = site.origins[0]!.requests;
    const others = await visitUntil(site.web, () => site.origins[0]!.requests >= before + 2);
    assert.ok(others.every((status) => status === 200));
    site.answerA = ok("a");
    assert.ok((await visitUntil(site.web, () => a!.health.state === "up")).every((status) => status === 200));
  });
}

test("who asks for what breaks every server takes none of them out", async (t) => {
  const origins: RawOrigin[] = [];
  const answer = (_connection: RawClient, head: string): string =>
    head.startsWith("GET /poison") ? "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n" : ok("well");
  for (let count = 0; count < 3; count++) origins.push(await RawOrigin.start(t, answer));
  const web = await webSite(
    t,
    origins.map(({ port }) => port),
  );
  for (let count = 0; count < 60; count++) {
    assert.equal(await ask(web, "GET", "/poison"), 500);
    assert.equal(await ask(web), 200);
  }
  assert.deepEqual(
    web.upstreams.map(({ health }) => health.state),
    ["up", "up", "up"],
  );
});

test("uploads that take their time, and event streams, make no server suspect", async (t) => {
  const site = await threeServers(t);
  const uploads = await Promise.all(Array.from({ length: 9 }, () => RawClient.open(site.web.port)));
  site.answerA = null;
  for (const client of uploads)
    client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
  await site.origins[0]!.arrived(/half/);
  const [a] = site.web.upstreams;
  assert.ok(a!.health.answering.waiting.first !== null);
  // No answer is owed for what has not come.
  for (
    let request: Waiting | null = a!.health.answering.waiting.first;
    request !== null;
    request = request.nextWaiting
  )
    assert.equal(request.awaitedSinceMs, 0);
  site.answerA = ok("a");
  for (const client of uploads) client.destroy();
});

test("an app server on the link that stops answering while its link lives is put down like any other", async (t) => {
  let isStuck = false;
  const apps = await Promise.all(
    ["app-a", "app-b", "app-c"].map((name) =>
      linkApp(
        t,
        name,
        (_request, response) => void (name === "app-a" && isStuck ? null : response.end(name)),
      ),
    ),
  );
  const web = await webSite(
    t,
    apps.map(({ port }) => port),
    { link: true, timeouts: { recoverTimeMs: 400 } },
  );
  isStuck = true;
  const [a] = web.upstreams;
  const statuses = await visitUntil(web, () => a!.health.state === "down");
  assert.ok(statuses.every((status) => status === 200));
  isStuck = false;
  assert.ok((await visitUntil(web, () => a!.health.state === "up")).every((status) => status === 200));
});

async function until(isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !isSo(); ) {
    if (performance.now() > end) assert.fail("not in ten seconds");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
