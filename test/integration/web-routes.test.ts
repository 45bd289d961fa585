/** Which cluster and which of its servers gets a request: routes, turns, sessions. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { SessionIds } from "../../src/session/id.ts";
import { closedPort, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { secret, webSite } from "../harness/web-site.ts";

/** Origins that answer with their names. */
function named(t: TestContext, ...names: string[]): Promise<RawOrigin[]> {
  return Promise.all(names.map((name) => RawOrigin.start(t, () => ok(name))));
}

async function ask(port: number, path: string, host = "a", fields = ""): Promise<string> {
  const client = await RawClient.open(port);
  client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}Connection: close\r\n\r\n`);
  const answer = await client.answer();
  client.destroy();
  return answer.status === 200 ? answer.body : `${answer.status}`;
}

test("the first route that fits takes the request: host, wildcard, prefix, pattern", async (t) => {
  const [app, foo, legacy, images] = await named(t, "app", "foo", "legacy", "images");
  const web = await webSite(t, [app!.port], {
    clusters: { foo: [foo!.port], legacy: [legacy!.port], images: [images!.port] },
    routes: [
      { path: "*.{png,gif,jpg}", to: "images" },
      { path: "/foo/*", to: "foo" },
      { host: "legacy.example.com", to: "legacy" },
      { host: "*.wild.example", path: "/only", to: "legacy" },
      { host: "a", to: "app" },
      { host: "*.wild.example", to: "app" },
    ],
  });
  const cases: readonly [path: string, host: string, answer: string][] = [
    ["/", "a", "app"],
    ["/x.png", "a", "images"],
    ["/deep/down/x.gif?y", "nobody", "images"],
    ["/x.png/y", "a", "app"],
    ["/x.svg", "a", "app"],
    ["/foo", "a", "foo"],
    ["/foo/", "a", "foo"],
    ["/foo/bar", "a", "foo"],
    ["/foobar", "a", "app"],
    ["/Foo/bar", "a", "app"],
    ["//foo/bar", "a", "foo"],
    ["/%66oo/bar", "a", "foo"],
    ["/x/../foo/bar", "a", "foo"],
    ["/", "legacy.example.com", "legacy"],
    ["/", "LEGACY.example.com:8080", "legacy"],
    ["/", "evillegacy.example.com", "404"],
    ["/", "legacy.example.com.evil", "404"],
    ["/only", "x.wild.example", "legacy"],
    ["/", "x.y.wild.example", "app"],
    ["/", "wild.example", "404"],
    ["/", "evilwild.example", "404"],
    ["/", "A:80", "app"],
    ["/", "b", "404"],
  ];
  for (const [path, host, answer] of cases)
    assert.equal(await ask(web.port, path, host), answer, `${host}${path}`);
});

test("404 where a host is served but the path is not, 421 where the host is not", async (t) => {
  const [app] = await named(t, "app");
  const web = await webSite(t, [app!.port], { routes: [{ host: "a", path: "/app/*", to: "app" }] });
  assert.equal(await ask(web.port, "/app/x", "a"), "app");
  assert.equal(await ask(web.port, "/other", "a"), "404");
  assert.equal(await ask(web.port, "/app/x", "b"), "421");
  assert.equal(app!.requests, 1);
});

test("a page of ours keeps an HTTP/1.0 connection only if it was asked to, and says so", async (t) => {
  const [app] = await named(t, "app");
  const web = await webSite(t, [app!.port], { routes: [{ path: "/app", to: "app" }] });
  const client = await RawClient.open(web.port);
  client.send("GET /none HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const kept = await client.answer();
  assert.deepEqual([kept.status, kept.head.includes("\r\nConnection: keep-alive\r\n")], [404, true]);
  client.send("GET /none HTTP/1.0\r\n\r\n");
  assert.match(await client.read(), /^HTTP\/1\.1 404 [\s\S]*\r\nConnection: close\r\n/);
});

test("an answer of ours behind a body leaves the connection in order", async (t) => {
  const [app] = await named(t, "app");
  const web = await webSite(t, [app!.port], { routes: [{ path: "/app", to: "app" }] });
  const client = await RawClient.open(web.port);
  client.send("POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n");
  client.send("GET /app HTTP/1.1\r\nHost: a\r\n\r\n".padEnd(50, "x"));
  client.send("GET /app HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await client.answer()).status, 404);
  assert.equal((await client.answer()).body, "app");
  assert.equal(app!.requests, 1);
});

test("R6 requests go round, a server that is down is skipped", async (t) => {
  const [a, c] = await named(t, "a", "c");
  const web = await webSite(t, [a!.port, await closedPort(), c!.port]);
  const answers = [];
  for (let count = 0; count < 8; count++) answers.push(await ask(web.port, "/"));
  assert.equal(answers.filter((answer) => answer === "a").length, 4);
  assert.equal(answers.filter((answer) => answer === "c").length, 4);
});

test("R7 a session's requests go to its owner, forged ids go round", async (t) => {
  const [a, b, c] = await named(t, "a", "b", "c");
  const web = await webSite(t, [a!.port, b!.port, c!.port]);
  const id = new SessionIds(secret, null, "app").create("b", "-", 7, 0);
  const cookie = (value: string): string => `Cookie: theme=dark; sid=${value}; x=y\r\n`;
  for (let count = 0; count < 6; count++) assert.equal(await ask(web.port, "/", "a", cookie(id)), "b");
  const others = [
    // A39: the letter was edited.
    `c${id.slice(1)}`,
    // Of another cluster, of another key.
    new SessionIds(secret, null, "other").create("b", "-", 7, 0),
    new SessionIds(Buffer.alloc(32, 8), null, "app").create("b", "-", 7, 0),
    `${id}x`,
    "",
  ];
  for (const other of others) {
    const answers = [];
    for (let count = 0; count < 6; count++) answers.push(await ask(web.port, "/", "a", cookie(other)));
    assert.deepEqual(new Set(answers), new Set(["a", "b", "c"]), other);
  }
});

test("R22 a session whose owner is gone goes to another server", async (t) => {
  const [a] = await named(t, "a");
  const web = await webSite(t, [a!.port, await closedPort()]);
  const id = new SessionIds(secret, null, "app").create("b", "-", 7, 0);
  for (let count = 0; count < 4; count++)
    assert.equal(await ask(web.port, "/", "a", `Cookie: sid=${id}\r\n`), "a");
  assert.equal((await web.logged(0)).attempts, 2);
  assert.equal((await web.logged(3)).attempts, 1);
});
