/** `flotilla explain`: what it says is what the web tier does. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RouteCookies } from "../../src/web-tier/affinity/route-cookies.ts";
import { runFlotilla, temporaryFolder } from "../harness/process.ts";
import { tlsFile } from "../harness/tls.ts";

const file = `secret: ${"s".repeat(32)}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1 } }
    listen: [{ http: 8080 }]
    routes:
      - { host: old.example, redirect: "https://new.example$path$query" }
      - { path: "/static/*", rewrite: "/$1", files: ./public }
      - path: "/api/*"
        method: [GET, POST]
        header: { x-key: not-to-be-printed }
        rewrite: "/v1/$1"
        to: app
        allow: 10.0.0.0/8
        rateLimit: 10/s
        bodyMax: 1MiB
        timeout: 5s
        headers: { request: { set: { X-Secret: not-to-be-printed } }, response: { remove: [Server] } }
      - { host: "*.example", path: /health, respond: { body: fine } }
  app:
    servers: { app-a: { address: 127.0.0.2 } }
`;

async function explained(
  t: TestContext,
  ...words: string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const folder = temporaryFolder(t, { "flotilla.yaml": file });
  mkdirSync(join(folder, "public"));
  writeFileSync(join(folder, "public/x.css"), "x");
  const { code, stdout, stderr } = await runFlotilla(t, ["explain", ...words], { cwd: folder });
  assert.doesNotMatch(stdout + stderr, /not-to-be-printed/);
  return { code, out: stdout.replaceAll(folder, "."), err: stderr };
}

test("explain: each route and why, then what happens", async (t) => {
  const { code, out } = await explained(
    t,
    "http://www.example:8080/x/..//api/%61?b=1",
    ...["--header", "X-Key: not-to-be-printed", "--from", "10.1.1.1"],
  );
  assert.equal(
    out,
    `GET http://www.example:8080/x/..//api/%61?b=1 from 10.1.1.1
For routes, files and the application it is /api/a?b=1

Routes of web in flotilla.yaml, from the top:
  line 7  no        not host old.example
  line 8  no        not path /static/*
  line 9  takes it  method GET, POST; path /api/*; header x-key with its value

  allow             10.0.0.0/8
  rateLimit         10 in 1s per client, 10 at once; more are answered 429
  rewrite           /v1/a?b=1
  bodyMax           1MiB; a longer body is answered 413
  headers.request   set X-Secret
  to                app: app-a (127.0.0.2:6800)
  balance           least-load; a request with the session cookie sid goes to the session's server
  timeout           the answer must begin within 5s
  headers.response  remove Server
`,
  );
  assert.equal(code, 0);
});

test("explain: redirects, answers and files", async (t) => {
  const moved = await explained(t, "http://old.example:8080/a?b");
  assert.match(moved.out, /\n {2}redirect {2}302 to https:\/\/new.example\/a\?b\n$/);
  const answer = await explained(t, "http://www.example:8080/health");
  assert.match(answer.out, /\n {2}respond {2}200, a body of 4 bytes\n$/);
  const there = await explained(t, "http://a:8080/static/x.css");
  assert.match(there.out, /\n {2}rewrite {2}\/x.css\n {2}files {4}\.\/public\/x.css\n$/);
  const gone = await explained(t, "http://a:8080/static/y.css");
  assert.match(gone.out, /\/public\/y.css \(not there on this machine\)\n$/);
  for (const { code } of [moved, answer, there, gone]) assert.equal(code, 0);
});

test("explain: what is refused ends with 1", async (t) => {
  const cases: readonly [words: readonly string[], says: RegExp][] = [
    [["http://a:8080/%00"], /refused {2}400: /],
    [["http://www.example:8080/nothing"], /refused {2}404: no route takes it/],
    [["http://a:8080/api/x", "--header", "x-key: not-to-be-printed"], /refused {2}403: 127\.0\.0\.1 may not/],
    [["http://a:8080/api/x", "--method", "PUT"], /line 9 +no {2}not method GET, POST/],
  ];
  for (const [words, says] of cases) {
    const { code, out } = await explained(t, ...words);
    assert.match(out, says);
    assert.equal(code, 1, words.join(" "));
  }
});

const siteOfMany = `secret: ${"s".repeat(32)}
sessions: { absoluteTimeout: 12h }
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1 } }
    listen: [{ http: 8080, redirectTo: https }, { http: 8081 }, { https: 8443, tls: { cert: a.pem, key: a.key } }]
    trust: [10.9.9.9]
    sessionIdFrom: [10.0.0.0/8]
    compress: true
    interceptErrors: true
    errorPages: { 404: none.html, 5xx: sorry.html }
    routes:
      - { host: a.example, path: "/cart/*", sessionIdInPath: true, buffer: true, bodyMax: 1MiB, to: app }
      - { host: a.example, path: "/closed/*", to: closed }
      - { host: a.example, path: "/plain/*", compress: false, to: app }
  app:
    servers: { app-a: { address: 127.0.0.2 }, app-b: { address: 127.0.0.3, processes: 2 } }
  closed:
    servers: { old-a: { address: 127.0.0.4 } }
    maintenance: true
    sessions: { cookie: { name: old } }
`;

test("explain: what holds besides the action", async (t) => {
  const folder = temporaryFolder(t, {
    ...{ "flotilla.yaml": siteOfMany, "none.html": "none", "sorry.html": "sorry" },
    ...{ "a.pem": tlsFile("a.pem"), "a.key": tlsFile("a.key") },
  });
  const cases: readonly [url: string, words: readonly string[], says: readonly RegExp[]][] = [
    [
      "https://a.example:8443/cart/x;jsessionid=b",
      ["--from", "10.1.1.1", "--header", "Accept-Encoding: gzip, br"],
      [
        /sessionIdInPath +taken off; chooses app-b\.1, else app-b\.2\n/,
        /bodyMax +1MiB; .*\n +buffer +a body is taken whole/,
        /sessions +durability: backup, save: on-change, idleTimeout: 30m, absoluteTimeout: 12h, memory: 512MiB, cookie sid\n/,
        /compress +br, for text, JSON and the like from 1KiB on\n/,
        /errorPages +404, 5xx, for the application's errors too\n/,
      ],
    ],
    [
      "http://a.example:8081/cart/;jsessionid=b",
      [],
      [/taken off; it chooses nothing for 127\.0\.0\.1 \(sessionIdFrom\)/],
    ],
    [
      "http://a.example:8081/cart/;jsessionid=z",
      ["--from", "10.9.9.9", "--header", "X-Forwarded-For: 10.2.2.2"],
      [/trust +the client is 10\.2\.2\.2, /, /no server has these letters/, /compress +not this answer/],
    ],
    ["http://a.example:8081/plain/;jsessionid=a", [], [/^(?![\s\S]*(?:sessionIdInPath|compress))/]],
    ["http://a.example:8081/closed/", [], [/maintenance +503: closed is closed, with the page for 503/]],
    ["http://a.example:8081/none", [], [/refused +404: .*\n +errorPages +the site's page for 404/]],
    ["http://a.example:8080/x?y", [], [/redirectTo +308 to https:\/\/a\.example:8443\/x\?y/]],
    ["http://b.example:8080/x", [], [/refused +421: no route takes this host/]],
  ];
  for (const [url, words, says] of cases) {
    const { stdout } = await runFlotilla(t, ["explain", url, ...words], { cwd: folder });
    for (const pattern of says) assert.match(stdout, pattern, url);
  }
});

test("explain: JSON, a port on which nobody listens, and no URL", async (t) => {
  const { code, out } = await explained(t, "http://www.example:8080/health?x", "--json");
  const told = JSON.parse(out);
  assert.deepEqual([told.cluster, told.target, told.status, code], ["web", "/health?x", 200, 0]);
  assert.equal(told.routes.at(-1).takes, true);
  assert.match(
    (await explained(t, "http://www.example/health")).err,
    /no web server listens on http port 80/,
  );
  const wrong = await explained(t, "www.example/health");
  assert.deepEqual([wrong.code, wrong.out], [1, ""]);
  assert.match(wrong.err, /FLOTILLA_URL_WRONG/);
});

test("explain: the server that a cookie of affinity names", async (t) => {
  const keeping = file.replace(
    "{ app-a: { address: 127.0.0.2 } }",
    "{ app-a: { address: 127.0.0.2 }, app-b: { address: 127.0.0.3 } }\n    affinity: cookie",
  );
  const secret = Buffer.from("s".repeat(32));
  const servers = ["a", "b"].map((letter) => ({ letter, processIndex: 0 }));
  const keys = { secret, previousSecret: null, name: "app" };
  const line = new RouteCookies({ cookieName: "route" }, servers, keys).line(1, false);
  const folder = temporaryFolder(t, { "flotilla.yaml": keeping });
  const words = [
    "explain",
    "http://www.example/api/a",
    "--from",
    "10.1.1.1",
    "--header",
    "X-Key: not-to-be-printed",
  ];
  const cookie = `Cookie: ${line.slice("Set-Cookie: ".length, line.indexOf(";"))}`;
  for (const [more, names] of [
    [[], "this one has none"],
    [["--header", "Cookie: route=bA.made-up"], "this one has none"],
    [["--header", cookie], "this one names app-b"],
  ] as const) {
    const { stdout } = await runFlotilla(t, [...words, ...more], { cwd: folder });
    assert.match(
      stdout,
      new RegExp(`least-load; a request goes to the server that its cookie route names; ${names}\n`),
    );
  }
});

test("explain: the server of an address", async (t) => {
  const servers =
    "{ app-a: { address: 127.0.0.2 }, app-b: { address: 127.0.0.3 }, app-c: { address: 127.0.0.4, backup: true } }";
  const keeping = file.replace(
    "{ app-a: { address: 127.0.0.2 } }",
    `${servers}\n    affinity: { by: client-address, for: 1h }`,
  );
  const folder = temporaryFolder(t, { "flotilla.yaml": keeping });
  const words = ["explain", "http://www.example/api/a", "--header", "X-Key: not-to-be-printed", "--from"];
  const firstOf = async (address: string): Promise<string> => {
    const { stdout } = await runFlotilla(t, [...words, address], { cwd: folder });
    const told = `least-load; all requests of ${address} go to one server, until 1h after the last; its first one is `;
    assert.ok(stdout.includes(told), stdout);
    return stdout.slice(stdout.indexOf(told) + told.length).split(",")[0]!;
  };
  assert.deepEqual([await firstOf("10.1.1.1"), await firstOf("10.1.1.3")].toSorted(), ["app-a", "app-b"]);
});
