/** What routes do besides passing on: redirects, fixed answers, rewritten paths; and what is left of the request behind them. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Route } from "../../src/config/model.ts";
import { parseTemplate } from "../../src/config/template.ts";
import { ok, type RawAnswer, RawClient, RawOrigin } from "../harness/raw.ts";
import { type WebSite, webSite } from "../harness/web-site.ts";

async function ask(web: WebSite, target: string, method = "GET", fields = "Host: a\r\n"): Promise<RawAnswer> {
  const client = await RawClient.open(web.port);
  client.send(`${method} ${target} HTTP/1.1\r\n${fields}\r\n`);
  const answer = await client.answer(method);
  client.destroy();
  return answer;
}

/** An origin that answers with the target that it was asked for. */
function echo(t: TestContext): Promise<RawOrigin> {
  return RawOrigin.start(t, (_connection, head) => ok(head.split(" ")[1]!));
}

function redirect(to: string, status = 302): Partial<Route> {
  return { redirect: { to: parseTemplate(to), status } };
}

test("redirect: status, groups, path, query and host", async (t) => {
  const origin = await echo(t);
  const web = await webSite(t, [origin.port], {
    routes: [
      { path: "/old/*", ...redirect("https://new.example/$1$query", 301) },
      { pathRegex: "^/([a-z]+)/([0-9]+)$", ...redirect("/$2/$1", 308) },
      { path: "/tls/*", ...redirect("https://$host$path$query", 307) },
      redirect("$path/$$", 303),
    ],
  });
  const cases: readonly [target: string, status: number, location: string][] = [
    ["/old/x/y?a=b", 301, "https://new.example/x/y?a=b"],
    ["/old", 301, "https://new.example/"],
    ["/abc/12", 308, "/12/abc"],
    ["/tls/?", 307, "https://a/tls/?"],
    ["/tls/x", 307, "https://a/tls/x"],
    ["/x", 303, "/x/$"],
  ];
  for (const [target, status, location] of cases) {
    const answer = await ask(web, target);
    assert.deepEqual([answer.status, answer.field("location")], [status, location], target);
  }
  assert.deepEqual((await ask(web, "/old", "HEAD")).field("content-length"), "0");
  assert.equal(origin.requests, 0);
});

test("a redirect within the site never leads to another host", async (t) => {
  const origin = await echo(t);
  const web = await webSite(t, [origin.port], {
    routes: [{ pathRegex: "^/out(.*)$", ...redirect("/$1") }, redirect("$path")],
  });
  const location = async (target: string, method = "GET"): Promise<string | undefined> =>
    (await ask(web, target, method)).field("location");
  assert.equal(await location("/out/evil.example"), "/evil.example");
  assert.equal(await location("/out%2f%2fevil.example"), "/%2F%2Fevil.example");
  assert.equal(await location("//evil.example/x"), "/evil.example/x");
  assert.equal(await location("/%2fevil.example"), "/%2Fevil.example");
  assert.equal(await location("*", "OPTIONS"), "/");
});

test("A22 nothing of a request ends a line of a redirect", async (t) => {
  const origin = await echo(t);
  const web = await webSite(t, [origin.port], { routes: [redirect("https://$host/x$path$query")] });
  for (const target of ["/%0d%0aSet-Cookie:%20x=1", "/?%0d%0aSet-Cookie:%20x=1", "/%e5%98%8d%e5%98%8aX:1"]) {
    const answer = await ask(web, target);
    assert.equal(answer.status, 302);
    assert.equal(answer.field("set-cookie"), undefined);
    assert.equal(answer.head.split("\r\n").filter((line) => /^(location|x:)/i.test(line)).length, 1);
  }
  assert.equal((await ask(web, "/\r\nSet-Cookie: x=1", "GET")).status, 400);
  assert.equal((await ask(web, "/\u00e5", "GET")).status, 400);
});

test("respond: status, body in UTF-8, type; HEAD has the length alone", async (t) => {
  const origin = await echo(t);
  const web = await webSite(t, [origin.port], {
    routes: [
      { path: "/gone", respond: { status: 410, body: "", type: "text/plain" } },
      { path: "/none", respond: { status: 204, body: "", type: "text/plain" } },
      { respond: { status: 200, body: "grüß", type: "text/x" } },
    ],
  });
  const page = await ask(web, "/");
  assert.deepEqual(
    [page.status, page.body, page.field("content-type")],
    [200, "gr\u00c3\u00bc\u00c3\u009f", "text/x"],
  );
  const headOnly = await ask(web, "/", "HEAD");
  assert.deepEqual([headOnly.status, headOnly.field("content-length")], [200, "6"]);
  const gone = await ask(web, "/gone");
  assert.deepEqual(
    [gone.status, gone.field("content-length"), gone.field("content-type")],
    [410, "0", undefined],
  );
  assert.equal((await ask(web, "/none")).field("content-length"), undefined);
  const logged = await web.logged(0);
  assert.deepEqual([logged.status, logged.sentBytes, logged.server], [200, 6, ""]);
});

test("A4 a body that an action does not want leaves the connection in order, or ends it", async (t) => {
  const origin = await echo(t);
  const web = await webSite(t, [origin.port], {
    routes: [{ path: "/fixed", respond: { status: 200, body: "fixed", type: "text/plain" } }, { to: "app" }],
  });
  const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  const client = await RawClient.open(web.port);
  client.send(`POST /fixed HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`);
  client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await client.answer()).body, "fixed");
  assert.equal((await client.answer()).body, "/next");
  client.send(`POST /fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n${smuggled}`);
  const last = await client.answer();
  assert.deepEqual([last.body, last.field("connection")], ["fixed", "close"]);
  await client.ended();
  assert.equal(client.text, "");
  assert.doesNotMatch(origin.received, /smuggled/);
});

test("rewrite: what the app is asked for is canonical again, and keeps its query", async (t) => {
  const origin = await echo(t);
  const rewrite = parseTemplate;
  const web = await webSite(t, [origin.port], {
    limits: { targetBytesMax: 300 },
    routes: [
      { path: "/api/*", rewrite: rewrite("/v1/$1"), to: "app" },
      { path: "/q/*", rewrite: rewrite("/search?in=$1"), to: "app" },
      { pathRegex: "^/up(.*)$", rewrite: rewrite("/..$1"), to: "app" },
      { pathRegex: "^/(.*)/long$", rewrite: rewrite("/$1$1$1"), to: "app" },
      { pathRegex: "^/split/(..)(.*)$", rewrite: rewrite("/%$1$2"), to: "app" },
      { to: "app" },
    ],
  });
  const cases: readonly [target: string, to: string][] = [
    ["/api/a/b?x=%zz", "/v1/a/b?x=%zz"],
    ["/api", "/v1/"],
    ["/api//a/./b/../c", "/v1/a/c"],
    ["/q/shoes?x=1", "/search?in=shoes"],
    ["/up/x", "400"],
    ["/upx", "/..x"],
    ["/%2e%2e/x", "400"],
    [`/${"x".repeat(120)}/long`, "414"],
    // Put together from two parts, it must be the same as if it had come so.
    ["/split/41b", "/Ab"],
    ["/split/00b", "400"],
    ["/split/zzb", "400"],
  ];
  for (const [target, to] of cases) {
    const answer = await ask(web, target);
    assert.equal(answer.status === 200 ? answer.body : `${answer.status}`, to, target);
  }
});

test("header, query, method and client network choose the route", async (t) => {
  const origin = await echo(t);
  const respond = (body: string) => ({ respond: { status: 200, body, type: "text/plain" } });
  const web = await webSite(t, [origin.port], {
    routes: [
      { methods: ["POST"], ...respond("post") },
      { fields: [{ name: "x-beta", value: "1" }], ...respond("beta") },
      { query: [{ name: "v", value: "2" }], ...respond("v2") },
      { from: ["10.0.0.0/8"], ...respond("from ten") },
      { from: ["127.0.0.0/8"], path: "/local", ...respond("local") },
      { to: "app" },
    ],
  });
  assert.equal((await ask(web, "/x", "POST", "Host: a\r\nContent-Length: 0\r\n")).body, "post");
  assert.equal((await ask(web, "/x", "GET", "Host: a\r\nX-BETA: 1\r\n")).body, "beta");
  assert.equal((await ask(web, "/x?v=2")).body, "v2");
  assert.equal((await ask(web, "/local")).body, "local");
  assert.equal((await ask(web, "/x?v=1")).body, "/x?v=1");
});

const field = (name: string, value: string) => ({ name, value: parseTemplate(value) });
const none = { set: [], add: [], remove: [] };

test("headers: of requests, Host too; of answers, whoever makes them", async (t) => {
  const origin = await RawOrigin.start(t, () =>
    ok("x", "Server: secret/1\r\nX-Powered-By: y\r\nVary: a\r\n"),
  );
  const web = await webSite(t, [origin.port], {
    routes: [
      {
        path: "/app/*",
        to: "app",
        requestFields: {
          set: [
            field("Host", "internal"),
            field("X-Real-IP", "$client"),
            field("x-forwarded-proto", "https"),
          ],
          add: [field("X-Route", "$1")],
          remove: ["Authorization"],
        },
        answerFields: {
          set: [field("Server", "web"), field("X-Frame-Options", "DENY")],
          add: [field("Vary", "b")],
          remove: ["x-powered-by"],
        },
      },
      {
        path: "/own",
        respond: { status: 200, body: "own", type: "text/plain" },
        answerFields: { ...none, set: [field("X-Frame-Options", "DENY")] },
      },
      { path: "/down", to: "down", answerFields: { ...none, set: [field("X-Frame-Options", "DENY")] } },
    ],
    clusters: { down: [] },
  });
  const answer = await ask(web, "/app/one", "GET", "Host: a\r\nauthorization: x\r\nX-Route: 0\r\n");
  assert.deepEqual(
    ["server", "x-frame-options", "vary", "x-powered-by"].map((name) => answer.field(name)),
    ["web", "DENY", "a, b", undefined],
  );
  const head = origin.received;
  assert.match(head, /^GET \/app\/one HTTP\/1.1\r\n/);
  assert.match(head, /\r\nhost: internal\r\n/i);
  assert.match(head, /\r\nX-Real-IP: 127.0.0.1\r\n/);
  assert.match(head, /\r\nx-forwarded-proto: https\r\n/);
  assert.match(head, /\r\nX-Route: 0\r\n[\s\S]*X-Route: one\r\n/);
  assert.equal(head.match(/\r\n(host|x-forwarded-proto):/gi)?.length, 2);
  assert.doesNotMatch(head, /authorization/i);
  assert.equal((await ask(web, "/own")).field("x-frame-options"), "DENY");
  const down = await ask(web, "/down");
  assert.deepEqual([down.status, down.field("x-frame-options")], [503, "DENY"]);
});

test("allow and deny: 403, and nothing reaches the application", async (t) => {
  const origin = await echo(t);
  const web = await webSite(t, [origin.port], {
    routes: [
      { path: "/ten", to: "app", allow: ["10.0.0.0/8"] },
      { path: "/here", to: "app", allow: ["127.0.0.0/8"] },
      { path: "/not-here", to: "app", allow: ["127.0.0.0/8"], deny: ["127.0.0.1"] },
      { to: "app", deny: ["10.0.0.0/8"] },
    ],
  });
  assert.equal((await ask(web, "/ten")).status, 403);
  assert.equal((await ask(web, "/not-here")).status, 403);
  assert.equal(origin.requests, 0);
  assert.equal((await ask(web, "/here")).status, 200);
  assert.equal((await ask(web, "/other")).status, 200);
});

test("rateLimit: 429 with Retry-After, and nothing reaches the application", async (t) => {
  const origin = await echo(t);
  const web = await webSite(t, [origin.port], {
    routes: [{ path: "/slow", to: "app", rateLimit: { count: 1, perMs: 60_000, burst: 2 } }, { to: "app" }],
  });
  const statuses = [];
  for (let count = 0; count < 4; count++) statuses.push((await ask(web, "/slow")).status);
  assert.deepEqual(statuses, [200, 200, 429, 429]);
  const wait = Number((await ask(web, "/slow")).field("retry-after"));
  assert.ok(wait >= 58 && wait <= 60, `${wait}`);
  assert.equal(origin.requests, 2);
  assert.equal((await ask(web, "/other")).status, 200);
});

test("bodyMax: 413 before anything is sent, where the length is known; cut where it is not", async (t) => {
  const origin = await echo(t);
  const web = await webSite(t, [origin.port], {
    limits: { bodyBytesMax: 100 },
    routes: [
      { path: "/small", to: "app", bodyBytesMax: 5 },
      { path: "/large", to: "app", bodyBytesMax: 1_000 },
      { to: "app" },
    ],
  });
  const post = (target: string, bytes: number): Promise<RawAnswer> =>
    ask(web, target, "POST", `Host: a\r\nContent-Length: ${bytes}\r\nConnection: close\r\n`);
  assert.equal((await post("/small", 6)).status, 413);
  assert.equal((await post("/x", 101)).status, 413);
  assert.equal((await post("/large", 1_001)).status, 413);
  assert.equal(origin.requests, 0);
  const client = await RawClient.open(web.port);
  client.send("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345");
  assert.equal((await client.answer()).status, 200);
  const origin2 = await RawOrigin.start(t, () => null);
  const web2 = await webSite(t, [origin2.port], { routes: [{ to: "app", bodyBytesMax: 5 }] });
  const chunked = await RawClient.open(web2.port);
  chunked.send("POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  await origin2.arrived(/abc/);
  chunked.send("3\r\ndef\r\n");
  assert.equal((await chunked.answer()).status, 413);
  assert.doesNotMatch(origin2.received, /def|0\r\n\r\n/);
});

test("timeout: an answer that does not begin in the route's time is 504", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], {
    routes: [{ path: "/quick/*", to: "app", timeoutMs: 200 }, { to: "app" }],
  });
  const from = performance.now();
  assert.equal((await ask(web, "/quick/x")).status, 504);
  const client = await RawClient.open(web.port);
  client.send("POST /quick/y HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
  await origin.arrived(/quick\/y/);
  client.send("xx");
  assert.equal((await client.answer()).status, 504);
  assert.ok(performance.now() - from < 5_000);
});

test("A17 behind a trusted balancer its client counts; a stranger can't name one", async (t) => {
  const origin = await echo(t);
  const routes = [{ path: "/ten", to: "app", allow: ["192.0.2.0/24"] }];
  const behind = await webSite(t, [origin.port], { routes, trusted: ["127.0.0.0/8"] });
  const open = await webSite(t, [origin.port], { routes });
  const forwarded = (value: string): string => `Host: a\r\nX-Forwarded-For: ${value}\r\n`;
  assert.equal((await ask(behind, "/ten", "GET", forwarded("192.0.2.7"))).status, 200);
  assert.equal((await ask(behind, "/ten", "GET", forwarded("192.0.2.7, 198.51.100.1"))).status, 403);
  assert.equal((await ask(open, "/ten", "GET", forwarded("192.0.2.7"))).status, 403);
});
