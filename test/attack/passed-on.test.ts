/**
 * Rows of the attack list whose request may pass: what reaches an app server then, over plain HTTP and over the link,
 * holds nothing that the client forged, and nothing of it is taken for another request.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/support/clock.ts";
import { pick } from "../fuzz/heads.ts";
import { ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { parseRaw } from "../harness/request-text.ts";
import { webSite } from "../harness/web-site.ts";
import { answersIn, startTargets } from "./targets.ts";

const targets = await startTargets();
const hosted = await startTargets({
  routes: [
    { host: "a", path: "/app/*", to: "app" },
    { host: "a", path: "/marker", to: "app" },
    { host: "localhost", to: "app" },
    { host: "*.example.com", to: "app" },
  ],
  limits: { bodyBytesMax: 1_000 },
});

const G = "GET / HTTP/1.1\r\nHost: a\r\n";
const smuggled = "GET /app/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const next = "GET /app/next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

test("A4 a body that our own answer left unread is dropped or the connection closed; it is no request", async () => {
  const asIs = `Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`;
  const chunks = `Transfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
  const cases: readonly [status: number, start: string][] = [
    [404, "POST /none HTTP/1.1\r\nHost: a\r\n"],
    [421, "POST / HTTP/1.1\r\nHost: elsewhere\r\n"],
    [417, "POST /app/x HTTP/1.1\r\nHost: a\r\nExpect: y\r\n"],
    [405, "TRACE /app/x HTTP/1.1\r\nHost: a\r\n"],
    [431, `POST /app/x HTTP/1.1\r\nHost: a\r\n${"X: y\r\n".repeat(101)}`],
  ];
  for (const target of hosted) {
    for (const [status, start] of cases) {
      for (const body of [asIs, chunks]) {
        const { client, reached } = await target.send(start + body + next);
        const what = `${target.name} ${status} ${JSON.stringify(body.slice(0, 24))}`;
        assert.equal(client.slice(0, 13), `HTTP/1.1 ${status} `, what);
        assert.ok(answersIn(client) <= 2, what);
        for (const request of reached) assert.equal(request.target, "/app/next", what);
      }
    }
    const tooLong = `POST /app/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n${"x".repeat(2_000)}`;
    const { client, reached } = await target.send(tooLong + next);
    assert.match(client, /^HTTP\/1\.1 413 /);
    for (const request of reached) assert.equal(request.target, "/app/next");
  }
});

test("A4 the same when the body comes behind our answer", async () => {
  for (const target of hosted) {
    const client = await RawClient.open(target.web.port);
    client.send(`POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n`);
    assert.equal((await client.answer()).status, 404);
    client.send(smuggled + next);
    assert.equal((await client.answer()).body, "ok");
    assert.equal(await client.read(), "", "one answer: the body was none");
  }
});

test("A12 trailers that frame, route or authenticate are dropped, and none is merged into the head", async () => {
  const forbidden =
    "Content-Length: 9\r\nHost: b\r\nAuthorization: x\r\nTransfer-Encoding: y\r\nCookie: c=d\r\n";
  const odd = "X-Forwarded-For: 6.6.6.6\r\nX_Y: 1\r\nConnection: close\r\nSet-Cookie: e=f\r\nTrailer: z\r\n";
  for (const target of targets) {
    const { fields, trailer, body } = await target.passes(
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nZ\r\n0\r\n${forbidden}${odd}X-Sum: 1\r\n\r\n`,
    );
    assert.deepEqual([trailer, body], [["x-sum: 1"], "Z"], target.name);
    const names = fields.map((line) => line.slice(0, line.indexOf(":")));
    assert.equal(names.filter((name) => name === "host").length, 1);
    for (const name of ["authorization", "cookie", "set-cookie", "x-sum", "content-length"])
      assert.ok(!names.includes(name), `${target.name}: ${name}`);
  }
});

test("A15 A16 A17 forged fields are replaced, whatever Connection says", async () => {
  const forged =
    "X_Forwarded_For: 6.6.6.6\r\nX-Forwarded_For: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 6.6.6.6\r\n" +
    "Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil\r\n" +
    "X-Forwarded-Port: 666\r\nX-Forwarded-Prefix: /evil\r\nX-Request-Id: evil\r\nProxy: evil\r\nCookie: a=b\r\n" +
    "Authorization: c\r\nX-Hop: evil\r\nKeep-Alive: evil\r\nProxy-Connection: evil\r\nTE: evil\r\n";
  const connections = [
    "",
    "Connection: x-hop, close, keep-alive, te\r\n",
    "Connection: X-Forwarded-Host, X-Forwarded-For, X-Forwarded-Proto, Cookie, Authorization, X-Hop, X-Request-Id, Via, close\r\n",
  ];
  for (const target of targets) {
    for (const connection of connections) {
      const hop = connection === "" ? forged.replace("X-Hop: evil\r\n", "") : forged;
      const { fields } = await target.passes(`${G}${hop}${connection || "Connection: close\r\n"}\r\n`);
      const all = fields.join("\n");
      assert.doesNotMatch(all, /6\.6\.6\.6|gopher|evil|666/, target.name);
      for (const line of [
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-host: a",
        "via: 1.1 flotilla",
        "cookie: a=b",
        "authorization: c",
      ])
        assert.equal(fields.filter((field) => field === line).length, 1, `${target.name}: ${line}`);
      assert.equal(fields.filter((field) => field.startsWith("x-request-id: ")).length, 1);
    }
  }
});

test("A19 absolute form: only the clusters of the file, whatever the URL names", async () => {
  for (const target of hosted) {
    for (const host of ["169.254.169.254", "metadata.google.internal", "127.0.0.1:22"])
      await target.refuses421(`GET http://${host}/app/x HTTP/1.1\r\nHost: ${host}\r\n`);
    const { target: path, fields } = await target.passes(
      "GET http://A/app//x?y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert.equal(path, "/app/x?y");
    assert.ok(fields.includes("host: a"));
  }
});

test("A20 a host fits its rule whole or not at all", async () => {
  const fits = [
    "localhost",
    "LOCALHOST",
    "localhost:8080",
    "localhost.",
    "b.example.com",
    "b.c.Example.com.:80",
  ];
  const strangers = ["evillocalhost", "localhost.evil", "a.localhost", "localhos", "ocalhost", "localhost-"];
  const below = ["example.com", "evilexample.com", "b.example.com.evil", "example.com.b"];
  for (const target of hosted) {
    for (const host of fits)
      await target.passes(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    for (const host of [...strangers, ...below])
      await target.refuses421(`GET / HTTP/1.1\r\nHost: ${host}\r\n`);
  }
});

test("A21 what is not refused has one canonical form for rule, log and app", async () => {
  const forms: readonly [raw: string, canonical: string][] = [
    ["//app//x", "/app/x"],
    ["/%61pp/./x", "/app/x"],
    ["/app/y/%2e%2E/x", "/app/x"],
    ["/app/x;p=1", "/app/x;p=1"],
    ["/app/X", "/app/X"],
    ["/app/a%2fb%5c%3b", "/app/a%2Fb%5C%3B"],
    ["/app/%e4%C3%bc|{}", "/app/%E4%C3%BC%7C%7B%7D"],
    ["/app/x?q=[|]%&//../%2e", "/app/x?q=[|]%&//../%2e"],
  ];
  for (const target of hosted) {
    for (const [raw, canonical] of forms) {
      const logged = target.web.log.length;
      const seen = await target.passes(`GET ${raw} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      assert.deepEqual([seen.target, (await target.web.logged(logged)).target], [canonical, canonical]);
    }
    // What leads out of the folder by its canonical form is not of the route, whatever its bytes begin with.
    for (const raw of ["/app/../x", "/app/%2e%2e/x", "/app//.././x", "//x/app/", "/app%2fx", "/App/x"]) {
      const { client, reached } = await target.send(
        `GET ${raw} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      assert.match(client, /^HTTP\/1\.1 404 /, raw);
      assert.deepEqual(reached, []);
    }
  }
});

test("A21 the rule decides about the very bytes that the app gets", async () => {
  const routes = [
    { path: "/app/*", to: "app" },
    { path: "*.{png,x}", to: "app" },
    { path: "/marker", to: "app" },
  ];
  const pieces = [
    "/",
    "/",
    "app",
    "%61pp",
    "/..",
    "%2e",
    ".",
    ".png",
    ".x",
    "%2F",
    "%5c",
    ";x",
    "|",
    "//",
    "?q=/../",
    "%41",
  ];
  const random = seededRandom(21);
  let passed = 0;
  for (const target of await startTargets({ routes })) {
    for (let run = 0; run < 300; run++) {
      let raw = "/";
      for (let count = Math.floor(random() * 8); count > 0; count--) raw += pick(random, pieces);
      const { client, reached } = await target.send(
        `GET ${raw} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      const head = parseRaw(`GET ${raw} HTTP/1.1\r\nHost: a\r\n\r\n`).head;
      const fits = head.error === null && /^\/app(\/|$)|\.(png|x)$/.test(head.path);
      assert.deepEqual(
        reached.map((request) => request.target),
        fits ? [head.target] : [],
        `${target.name}: ${raw}`,
      );
      assert.match(
        client,
        fits ? /^HTTP\/1\.1 200 / : head.error === null ? /^HTTP\/1\.1 404 / : /^HTTP\/1\.1 400 /,
        raw,
      );
      if (fits) passed++;
    }
  }
  assert.ok(passed > 50, String(passed));
});

test("A22 an escaped line end stays escaped, in targets and values", async () => {
  for (const target of targets) {
    const seen = await target.passes(
      "GET /%0d%0aX:%20y?%0d%0aZ HTTP/1.1\r\nHost: a\r\nX: %0d%0aY: z\r\nConnection: close\r\n\r\n",
    );
    assert.equal(seen.target, "/%0D%0AX:%20y?%0d%0aZ");
    assert.ok(seen.fields.includes("x: %0d%0aY: z"));
  }
});

test("A22 an answer that could split is not passed on", async (t) => {
  const bad = [
    "X: a\rSet-Cookie: b",
    "X: a\nSet-Cookie: b",
    "X: a\r\n Set-Cookie: b",
    "X : y",
    "X: \0",
    "Content-Length: 3",
  ];
  for (const line of [...bad, "Transfer-Encoding: chunked", "X: \x0bSet-Cookie: b"]) {
    const origin = await RawOrigin.start(t, () => ok("ok", `${line}\r\n`));
    const web = await webSite(t, [origin.port]);
    const client = await RawClient.open(web.port);
    client.send(`${G}Connection: close\r\n\r\n`);
    const got = await client.read();
    assert.match(got, /^HTTP\/1\.1 502 /, line);
    assert.doesNotMatch(got, /Set-Cookie/, line);
  }
});

test("A30 what is pipelined behind an upgrade is not tunnelled when the answer is 200", async () => {
  const upgrade = "GET /app/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  for (const target of hosted) {
    const { client, reached } = await target.send(upgrade + smuggled);
    assert.equal(answersIn(client), 1, target.name);
    assert.deepEqual(
      reached.map((request) => [request.target, request.body]),
      [["/app/ws", ""]],
      target.name,
    );
  }
});

test("A30 an upgrade with a body, or over HTTP/1.0, is none", async () => {
  for (const target of targets) {
    for (const start of [
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n",
      "GET / HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n",
    ]) {
      const { fields, body } = await target.passes(
        `${start}Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\nhi`,
      );
      assert.doesNotMatch(fields.join(), /websocket/i);
      assert.equal(body, "hi");
    }
  }
});

test("A31 h2c is stripped, and what is asked for beside it stays", async () => {
  for (const target of targets) {
    for (const [value, left] of [
      ["h2c", ""],
      ["H2C, h2", ""],
      ["TLS/1.3, HTTP/2.0", ""],
      ["h2c, websocket", "websocket"],
    ] as const) {
      const { client, reached } = await target.send(
        `${G}Upgrade: ${value}\r\nHTTP2-Settings: AAMAAABkAAQ\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\r\n`,
      );
      assert.match(client, /^HTTP\/1\.1 200 /);
      // A request's id is chance, and may hold any of these.
      const fields = reached[0]!.fields.filter((field) => !field.startsWith("x-request-id")).join("\n");
      assert.doesNotMatch(fields, /h2|http2|TLS/i);
      assert.equal(/upgrade: (.*)/.exec(fields)?.[1] ?? "", left);
    }
  }
});

test("A37 1,000 ranges reach no app server; a few do", async () => {
  const ranges = (count: number): string => Array.from({ length: count }, (_none, at) => `${at}-`).join();
  for (const target of targets) {
    const get = `${G}Connection: close\r\nRange: bytes=`;
    assert.doesNotMatch((await target.passes(`${get}${ranges(1_000)}\r\n\r\n`)).fields.join(), /range/);
    assert.match((await target.passes(`${get}0-1,5-6\r\n\r\n`)).fields.join(), /range: bytes=0-1,5-6/);
    assert.match((await target.passes(`${get}99999999999999999999-\r\n\r\n`)).fields.join(), /range/);
  }
});
