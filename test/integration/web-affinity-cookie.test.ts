/** `affinity: cookie` (R55): a visitor stays at his server, moves without an error when it goes, and nobody can choose one. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { AffinitySettings } from "../../src/config/model.ts";
import { noNews, type ServerNews } from "../../src/health/server-news.ts";
import { get as http2Get, http2Session } from "../harness/http2.ts";
import { exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { secureClient, tlsSettings } from "../harness/tls.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const affinity: AffinitySettings = { by: "cookie", cookieName: "route", keptMs: 0 };

interface Site {
  readonly web: WebSite;
  readonly origins: readonly RawOrigin[];
}

type Answer = (letter: string, head: string) => string;

async function siteOf(
  t: TestContext,
  options: WebSiteOptions = {},
  answer: Answer = (letter) => ok(letter),
): Promise<Site> {
  const origins = await Promise.all(
    ["a", "b", "c"].map((letter) => RawOrigin.start(t, (_connection, head) => answer(letter, head))),
  );
  const ports = origins.map(({ port }) => port);
  return { web: await webSite(t, ports, { app: { affinity }, ...options }), origins };
}

interface Visit {
  readonly text: string;
  /** Of the server that answered. */
  readonly letter: string;
  /** "route=...", as set by the answer, or "". */
  readonly cookie: string;
}

/** One request on a connection of its own. @param cookie the whole field, or "". */
async function visit({ web }: Site, cookie = "", begin = "GET /", fields = ""): Promise<Visit> {
  const line = cookie === "" ? "" : `Cookie: ${cookie}\r\n`;
  const text = await exchange(
    web.port,
    `${begin} HTTP/1.1\r\nHost: a\r\n${line}${fields}Connection: close\r\n\r\n`,
  );
  return { text, letter: text.at(-1)!, cookie: /^Set-Cookie: (route=[^;]*);/m.exec(text)?.[1] ?? "" };
}

/** What an operator wants of a server. */
function order({ web }: Site, at: number, news: Partial<ServerNews>): void {
  const { name, health } = web.upstreams[at]!;
  health.hear({ ...noNews(name), ...news });
}

test("new visitors are spread, each stays where he came to, and is told so once", async (t) => {
  const site = await siteOf(t);
  const letters: string[] = [];
  for (let visitor = 0; visitor < 6; visitor++) {
    const first = await visit(site);
    letters.push(first.letter);
    assert.match(
      first.text,
      /^Cache-Control: private\r\nSet-Cookie: route=\S+; Path=\/; HttpOnly; SameSite=Lax\r\n/m,
    );
    for (let times = 0; times < 4; times++) {
      const again = await visit(site, `x=1; ${first.cookie}`);
      assert.deepEqual([again.letter, again.cookie], [first.letter, ""]);
      assert.doesNotMatch(again.text, /Cache-Control/);
    }
  }
  assert.deepEqual(letters, ["a", "b", "c", "a", "b", "c"]);
});

test("the application sees its own cookies, and not this one", async (t) => {
  const site = await siteOf(t);
  const { cookie } = await visit(site);
  await visit(site, `one=1; ${cookie}; route=own`);
  await visit(site, cookie);
  const [origin] = site.origins;
  assert.match(origin!.received, /\r\nCookie: one=1; route=own\r\n/);
  assert.equal(origin!.requests, 3);
  assert.equal(origin!.received.includes(cookie), false);
  assert.equal(origin!.received.match(/Cookie:/g)?.length, 1);
});

test("A39 an edited or made-up cookie chooses nothing, and a good one takes its place", async (t) => {
  const site = await siteOf(t);
  const { cookie } = await visit(site);
  const edited = cookie.replace("route=a", "route=c");
  for (const wrong of [edited, cookie.slice(0, -1), `${cookie}A`, "route=c", "route=app-c"]) {
    const letters = [];
    for (let times = 0; times < 3; times++) {
      const { letter, cookie: set } = await visit(site, wrong);
      letters.push(letter);
      assert.match(set, new RegExp(`^route=${letter}A\\.`));
    }
    assert.deepEqual(letters.toSorted(), ["a", "b", "c"]);
  }
});

test("draining and without weight a server keeps its own and gets nobody new; in maintenance they move", async (t) => {
  const site = await siteOf(t);
  const { cookie } = await visit(site);
  for (const news of [{ order: "drain" }, { weight: 0 }] as const) {
    order(site, 0, news);
    const kept = await visit(site, cookie);
    assert.deepEqual([kept.letter, kept.cookie], ["a", ""]);
    for (let visitor = 0; visitor < 4; visitor++) assert.notEqual((await visit(site)).letter, "a");
  }
  order(site, 0, { order: "maint" });
  const moved = await visit(site, cookie);
  assert.match(moved.cookie, new RegExp(`^route=${moved.letter}A\\.`));
  assert.notEqual(moved.letter, "a");
  order(site, 0, {});
  assert.equal((await visit(site, moved.cookie)).letter, moved.letter, "he stays where he is now");
  assert.equal((await visit(site, cookie)).letter, "a");
});

test("a server that is gone costs its visitors no error, and they get the cookie of another one", async (t) => {
  const site = await siteOf(t);
  const { cookie } = await visit(site);
  const { port } = site.origins[0]!;
  site.origins[0]!.close();
  const moved = await visit(site, cookie);
  assert.match(moved.text, /^HTTP\/1\.1 200 /);
  assert.match(moved.cookie, new RegExp(`^route=${moved.letter}A\\.`));
  // It comes back: who was moved stays, who comes with its cookie finds it.
  await RawOrigin.start(t, () => ok("a"), port);
  assert.equal((await visit(site, moved.cookie)).letter, moved.letter);
});

test("a server that closed a kept connection is asked again on a new one: its visitors stay", async (t) => {
  const site = await siteOf(t);
  const { cookie } = await visit(site);
  const [origin] = site.origins;
  // The keep-alive race: the connection breaks just when the next request is on it.
  let broken = 0;
  const [connection] = origin!.connections;
  connection!.socket.removeAllListeners("data").on("data", () => {
    broken++;
    connection!.socket.resetAndDestroy();
  });
  const again = await visit(site, cookie);
  assert.deepEqual([again.letter, again.cookie, broken], ["a", "", 1]);
});

test("a visitor rather waits for his busy server than be sent to another one", async (t) => {
  const site = await siteOf(t, { server: { requestsMax: 1 } }, (letter, head) =>
    head.startsWith("GET /slow") ? "" : ok(letter),
  );
  const { cookie } = await visit(site);
  const [origin] = site.origins;
  const slow = visit(site, cookie, "GET /slow");
  await origin!.arrived(/GET \/slow/);
  const waiting = visit(site, cookie);
  while (site.web.upstreams[0]!.waiting < 1) await new Promise((resolve) => setImmediate(resolve));
  origin!.connections[0]!.send(ok("a"));
  const letters = (await Promise.all([slow, waiting])).map(({ letter }) => letter);
  assert.deepEqual(letters, ["a", "a"]);
});

test("whatever the answer: HEAD, 304, errors, the site's own page for them, and a WebSocket's handshake", async (t) => {
  const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
  const answer: Answer = (letter, head) => {
    if (head.startsWith("HEAD")) return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    if (head.includes("/same")) return "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n";
    if (head.includes("/chat")) return switching;
    if (head.includes("/early")) return `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${ok(letter)}`;
    return "HTTP/1.1 500 Oops\r\nContent-Length: 1\r\n\r\nx";
  };
  const errorPages = { "500": { text: "sorry", type: "text/plain" } };
  for (const options of [{}, { errorPages, interceptErrors: true }]) {
    const site = await siteOf(t, options, answer);
    for (const begin of ["HEAD /", "GET /same", "GET /oops", "GET /early"]) {
      const { text, cookie } = await visit(site, "", begin);
      assert.notEqual(cookie, "", text);
      assert.doesNotMatch(text.split("\r\n\r\n")[0]!, /103[\s\S]*Set-Cookie/);
    }
    const client = await RawClient.open(site.web.port);
    client.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n");
    const { status, head } = await client.answer();
    assert.equal(status, 101);
    assert.match(head, /\r\nSet-Cookie: route=\w+\./);
    assert.doesNotMatch(head, /Cache-Control/);
    client.socket.resetAndDestroy();
  }
});

test("answers of the web server itself carry none; without affinity nobody does", async (t) => {
  const site = await siteOf(t);
  for (const at of [0, 1, 2]) order(site, at, { order: "maint" });
  const { text } = await visit(site);
  assert.match(text, /^HTTP\/1\.1 503 /);
  assert.doesNotMatch(text, /Set-Cookie/);
  assert.equal((await visit(await siteOf(t, { app: {} }))).cookie, "");
});

test("the route's rules for answers leave it alone", async (t) => {
  const answerFields = { set: [], add: [], remove: ["Set-Cookie"] };
  const site = await siteOf(t, { routes: [{ to: "app", answerFields }] }, (letter) =>
    ok(letter, "Set-Cookie: theirs=1\r\n"),
  );
  const { text, cookie } = await visit(site);
  assert.notEqual(cookie, "");
  assert.doesNotMatch(text, /theirs/);
});

test("whoever may choose a server by a path chooses it for that request alone", async (t) => {
  const site = await siteOf(t, {
    routes: [{ to: "app", sessionIdInPath: true }],
    sessionIdFrom: ["127.0.0.1"],
  });
  const { cookie } = await visit(site);
  const chosen = await visit(site, cookie, "GET /;jsessionid=c");
  assert.deepEqual([chosen.letter, chosen.cookie], ["c", ""]);
});

test("over https it is Secure, in HTTP/2 too, and where a trusted balancer says so", async (t) => {
  const site = await siteOf(t, { tls: tlsSettings("a") });
  const socket = await secureClient(t, site.web.port);
  const client = new RawClient(socket);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(
    (await client.answer()).head,
    /Set-Cookie: route=\S+; Path=\/; HttpOnly; SameSite=Lax; Secure\r\n/,
  );
  const session = await http2Session(t, site.web.port);
  const { fields, body } = await http2Get(session, "/");
  const [set] = fields["set-cookie"]!;
  assert.match(set!, /^route=\S+; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
  const cookie = set!.slice(0, set!.indexOf(";"));
  const stream = session.request({ ":path": "/", cookie: ["x=1", cookie] });
  stream.setEncoding("utf8");
  let again = "";
  for await (const text of stream) again += text;
  assert.equal(again, body);
  session.destroy();

  const trusting = await siteOf(t, { trusted: ["127.0.0.1"] });
  const over = (scheme: string): Promise<Visit> =>
    visit(trusting, "", "GET /", `X-Forwarded-Proto: ${scheme}\r\n`);
  assert.match((await over("https")).text, /; Secure\r\n/);
  assert.doesNotMatch((await over("http")).text, /; Secure\r\n/);
  assert.doesNotMatch(
    (await visit(await siteOf(t), "", "GET /", "X-Forwarded-Proto: https\r\n")).text,
    /Secure/,
  );
});
