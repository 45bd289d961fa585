/** The same requests over HTTP/1.1 and HTTP/2: the same answers, the same access lines, and the app server sees the same. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { type TestContext, test } from "node:test";
import { parseTemplate } from "../../src/config/template.ts";
import type { AccessEntry } from "../../src/web-tier/access-log.ts";
import { BrowserPage, chromiumPath } from "../harness/browser.ts";
import { ask, http2Session } from "../harness/http2.ts";
import { closedPort, ok, type RawClient, RawOrigin } from "../harness/raw.ts";
import { tlsSettings } from "../harness/tls.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Outcome {
  readonly status: number;
  readonly body: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly trailer: Readonly<Record<string, unknown>>;
}

type Answer = (connection: RawClient, head: string) => string | null;

/** What differs by its nature: framing, and what changes by the second or by the connection. */
const ofVersion = new Set(["connection", "keep-alive", "transfer-encoding", "date", ":status"]);

function endToEnd(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !ofVersion.has(name)));
}

async function overHttp1(web: WebSite, { method = "GET", path, fields, body }: Asked): Promise<Outcome> {
  const headers = { host: "a", ...fields };
  const sent = request({ port: web.port, rejectUnauthorized: false, agent: false, method, path, headers });
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  let text = "";
  for await (const piece of answer.setEncoding("latin1")) text += piece;
  return {
    status: answer.statusCode!,
    body: text,
    fields: endToEnd(answer.headers),
    trailer: answer.trailers,
  };
}

async function overHttp2(
  t: TestContext,
  web: WebSite,
  { method = "GET", path, fields, body }: Asked,
): Promise<Outcome> {
  const session = await http2Session(t, web.port);
  const pseudo = { ":method": method, ":path": path, ":authority": "a" };
  const answer = await ask(session, { ...pseudo, ...fields }, body).answer;
  session.destroy();
  return {
    status: answer.status,
    body: answer.body,
    fields: endToEnd(answer.fields),
    trailer: Object.fromEntries(Object.entries(answer.trailer)),
  };
}

/** Requests as the origin got them, without what a version or a request has of its own. */
function received({ received }: RawOrigin): string {
  return received
    .replace(/X-Request-Id: \S+/g, "X-Request-Id: -")
    .replace(/(1\.1|2) flotilla/g, "- flotilla")
    .replace(/\r\nconnection: [^\r]*/gi, "")
    .replace(/^[\w-]+: /gm, (name) => name.toLowerCase());
}

function comparable(entry: AccessEntry): object {
  const { version: _version, requestId: _id, durationMs: _ms, clientPort: _port, ...rest } = entry;
  const { headMs: _head, connectMs: _connect, answerMs: _answer, receivedBytes: _bytes, ...same } = rest;
  return same;
}

/** Asks two sites that are alike, and compares all that can be seen. */
async function same(
  t: TestContext,
  asked: Asked,
  answer: Answer,
  options: WebSiteOptions = {},
  ports: readonly number[] = [],
): Promise<Outcome> {
  const site = async (): Promise<{ origin: RawOrigin; web: WebSite }> => {
    const origin = await RawOrigin.start(t, answer);
    return { origin, web: await webSite(t, [...ports, origin.port], { tls: tlsSettings("a"), ...options }) };
  };
  const [one, two] = [await site(), await site()];
  const [first, second] = [await overHttp1(one.web, asked), await overHttp2(t, two.web, asked)];
  const withoutId = (outcome: Outcome): Outcome => ({
    ...outcome,
    body: outcome.body.replace(/Request \S+</, "Request -<"),
    fields: { ...outcome.fields, "x-request-id": outcome.fields["x-request-id"] === undefined },
  });
  assert.deepEqual(withoutId(second), withoutId(first));
  assert.equal(received(two.origin), received(one.origin));
  assert.deepEqual(comparable(await two.web.logged(0)), comparable(await one.web.logged(0)));
  assert.deepEqual(two.web.warnings.length, one.web.warnings.length);
  return second;
}

test("answers with a length, in chunks with trailers, until the end, empty", async (t) => {
  const answers: readonly string[] = [
    ok("hello", "ETag: x\r\nVary: a\r\nVary: b\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"),
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
    ok("x".repeat(300_000)),
    `HTTP/1.1 200 OK\r\nConnection: x-hop, close\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nok`,
  ];
  for (const answer of answers) await same(t, { path: "/" }, () => answer);
  await same(t, { path: "/", method: "HEAD" }, () => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
  const closing = await same(t, { path: "/" }, (connection) => {
    connection.send("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    connection.end();
    return null;
  });
  assert.equal(closing.body, "until the end");
});

test("requests: fields, targets, bodies", async (t) => {
  const fine: Answer = () => ok("fine");
  const fields = { "user-agent": "test", referer: "https://a/", "x-forwarded-for": "6.6.6.6", accept: "*/*" };
  await same(t, { path: "/a/./b/%7e?x=%zz&[y]", fields }, fine);
  await same(t, { path: "/", method: "DELETE", fields: { cookie: "a=1; b=2; sid=x" } }, fine);
  await same(t, { path: "/", method: "POST", fields: { "content-length": "5" }, body: "hello" }, fine);
  const trusted = { trusted: ["127.0.0.0/8"] };
  await same(t, { path: "/", fields: { ...fields, "x-request-id": "known", via: "1.1 x" } }, fine, trusted);
  for (const path of ["/../x", "/%00", "/%", "/a\\b"]) {
    const refused = await same(t, { path }, fine);
    assert.equal(refused.status, 400);
  }
  await same(t, { path: `/${"x".repeat(9_000)}` }, fine);
  await same(t, { path: "/", method: "TRACE" }, fine);
  await same(t, { path: "*", method: "OPTIONS" }, fine);
  await same(t, { path: "/", fields: { "x-long": "y".repeat(17_000) } }, fine);
});

test("routes: found, not found, redirects, answers of the web server, bodies that are too long", async (t) => {
  const options: WebSiteOptions = {
    routes: [
      { host: "b", to: "app" },
      { host: "a", path: "/app/*", to: "app" },
      { host: "a", path: "/moved", redirect: { to: parseTemplate("https://$host/new$query"), status: 301 } },
      { host: "a", path: "/fixed", respond: { status: 410, body: "gone", type: "text/plain" } },
      { host: "a", path: "/small", to: "app", bodyBytesMax: 3 },
    ],
  };
  const fine: Answer = () => ok("fine");
  for (const path of ["/app/x", "/none", "/moved?x", "/fixed"]) await same(t, { path }, fine, options);
  const tooLong = { path: "/small", method: "POST", fields: { "content-length": "5" }, body: "hello" };
  assert.equal((await same(t, tooLong, fine, options)).status, 413);
});

test("servers that fail: the next one, or the page that says so", async (t) => {
  const dead = await closedPort();
  await same(t, { path: "/" }, () => ok("from the next"), {}, [dead]);
  const unsure = await same(t, { path: "/", method: "POST" }, (connection) => {
    connection.socket.resetAndDestroy();
    return null;
  });
  assert.equal(unsure.status, 502);
  const wrong = await same(t, { path: "/" }, () => "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n");
  assert.equal(wrong.status, 502);
  const upgraded = await same(t, { path: "/" }, () => "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n");
  assert.equal(upgraded.status, 502);
  const late = await same(t, { path: "/" }, () => null, { timeouts: { requestTimeoutMs: 200 } });
  assert.equal(late.status, 504);
});

const curl = "/usr/bin/curl";
const skipCurl = existsSync(curl) ? false : "curl is not installed";

test("curl: a download and an upload over HTTP/2", { skip: skipCurl }, async (t) => {
  const body = "0123456789".repeat(50_000);
  const origin = await RawOrigin.start(t, (_connection, head) => (head.startsWith("GET") ? ok(body) : null));
  const web = await webSite(t, [origin.port], { tls: tlsSettings("a") });
  const run = (...args: readonly string[]): Promise<string> =>
    new Promise((resolve, reject) => {
      const all = ["--http2", "-sSk", "-w", " %{http_version}", ...args, `https://127.0.0.1:${web.port}/`];
      const child = execFile(curl, all, { maxBuffer: 2_000_000 }, (error, stdout) =>
        error === null ? resolve(stdout) : reject(error),
      );
      child.stdin!.end(args.includes("@-") ? body : "");
    });
  assert.ok((await run()) === `${body} 2`);
  const upload = run("--data-binary", "@-");
  await origin.arrived(/content-length: 500000[\s\S]*\r\n\r\n(\d{10}){50000}$/i);
  origin.connections.at(-1)!.send(ok("got it"));
  assert.equal(await upload, "got it 2");
});

const skipBrowser = chromiumPath === undefined ? "chromium is not installed" : false;

test("a browser: a page, its parts and a form over HTTP/2", { skip: skipBrowser }, async (t) => {
  const parts = Array.from({ length: 60 }, (_none, at) => `<script src="/part-${at}.js"></script>`).join("");
  const page = `<!doctype html><title>x</title><link rel="icon" href="data:,">${parts}`;
  const origin = await RawOrigin.start(t, (_connection, head) => {
    if (head.includes(".js "))
      return ok("window.count = (window.count ?? 0) + 1;", "Content-Type: text/javascript\r\n");
    return head.startsWith("POST") ? ok("posted") : ok(page, "Content-Type: text/html\r\n");
  });
  const web = await webSite(t, [origin.port], { tls: tlsSettings("a") });
  const browser = await BrowserPage.open(t, ["--ignore-certificate-errors"]);
  await browser.goto(`https://127.0.0.1:${web.port}/`);
  assert.equal(await browser.evaluate("window.count"), 60);
  const protocols =
    "[...new Set(performance.getEntries().map((e) => e.nextHopProtocol).filter(Boolean))].join()";
  assert.equal(await browser.evaluate(protocols), "h2");
  const post =
    "fetch('/form', { method: 'POST', body: 'x'.repeat(100000) }).then((r) => r.text()).then((s) => { window.answer = s; })";
  await browser.evaluate(post);
  await web.logged(61);
  for (let tries = 0; tries < 100 && (await browser.evaluate("window.answer ?? null")) === null; tries++);
  assert.equal(await browser.evaluate("window.answer"), "posted");
  assert.ok(web.log.every(({ version, status }) => version === "2.0" && status === 200));
  assert.deepEqual(browser.complaints, []);
});
