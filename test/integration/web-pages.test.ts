/** Error pages of the site's own, maintenance, and Proxy-Status: what a visitor sees when no application answers. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { closedPort, ok, type RawAnswer, RawClient, RawOrigin } from "../harness/raw.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const html = "text/html; charset=utf-8";
const errorPages = {
  "404": { type: html, text: "<p>no such page \xc3\xa9</p>" },
  "503": { type: "application/json", text: '{"sorry":true}' },
  "5xx": { type: "text/plain; charset=utf-8", text: "sorry" },
  "4xx": { type: html, text: "<p>no</p>" },
} as const;

async function ask(web: WebSite, request: string, method: string = "GET"): Promise<RawAnswer> {
  const client = await RawClient.open(web.port);
  client.send(request);
  const answer = await client.answer(method);
  client.destroy();
  return answer;
}

function get(path: string, method: string = "GET"): string {
  return `${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

async function site(
  t: TestContext,
  options: WebSiteOptions,
  answer: (connection: RawClient, head: string) => string | null = () => ok("body"),
): Promise<{ web: WebSite; origin: RawOrigin }> {
  const origin = await RawOrigin.start(t, answer);
  return { web: await webSite(t, [origin.port], options), origin };
}

test("the page of a status, else that of its class, else words of ours", async (t) => {
  const routes = [{ path: "/app", to: "app" }];
  const { web } = await site(t, { errorPages, routes }, () => "HTTP/9.9 wrong\r\n\r\n");
  const missing = await ask(web, get("/missing"));
  assert.deepEqual([missing.status, missing.body], [404, errorPages["404"].text]);
  assert.equal(missing.field("content-type"), html);
  assert.equal(missing.field("cache-control"), "no-store");
  assert.equal(missing.field("x-request-id"), (await web.logged(0)).requestId);
  const wrong = await ask(web, get("/app"));
  assert.deepEqual([wrong.status, wrong.body], [502, "sorry"]);
  const refused = await ask(web, "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.deepEqual([refused.status, refused.body], [400, "<p>no</p>"]);
  const { web: plain } = await site(t, { routes });
  assert.match((await ask(plain, get("/missing"))).body, /There is nothing at this address/);
});

test("HEAD is told its length and gets nothing", async (t) => {
  const { web } = await site(t, { errorPages, routes: [{ path: "/app", to: "app" }] });
  const answer = await ask(web, get("/missing", "HEAD"), "HEAD");
  assert.equal(answer.field("content-length"), String(errorPages["404"].text.length));
});

/** An application's error; with "/long" it is more than comes at once. */
function errorOf(connection: RawClient, head: string): string | null {
  const status = /\/(\d+)/.exec(head)?.[1] ?? "500";
  const fields =
    "Set-Cookie: sid=1\r\nSet-Cookie: b=2\r\nWWW-Authenticate: Basic\r\nRetry-After: 9\r\nServer: secret/1.2\r\nETag: x\r\n";
  if (!head.includes("/long/"))
    return `HTTP/1.1 ${status} Own Words\r\n${fields}Content-Length: 5\r\n\r\ntrace`;
  connection.send(`HTTP/1.1 ${status} Own Words\r\n${fields}Content-Length: 500000\r\n\r\ntrace`);
  return null;
}

test("interceptErrors: the application's errors too; its cookies and what belongs to the status stay", async (t) => {
  const { web, origin } = await site(t, { errorPages, interceptErrors: true }, errorOf);
  for (const [path, status, body] of [
    ["/404", 404, errorPages["404"].text],
    ["/500", 500, "sorry"],
    ["/401", 401, "<p>no</p>"],
    ["/long/500", 500, "sorry"],
  ] as const) {
    const answer = await ask(web, get(path));
    assert.deepEqual([answer.status, answer.body], [status, body]);
    assert.equal(answer.field("set-cookie"), "sid=1, b=2");
    assert.equal(answer.field("www-authenticate"), "Basic");
    assert.equal(answer.field("retry-after"), "9");
    for (const name of ["server", "etag"]) assert.equal(answer.field(name), undefined);
  }
  // What was dropped in the middle is not read on.
  await origin.connections.at(-1)!.ended();
  assert.equal(origin.connections.length, 1);
});

test("without it, and for what has no page, the application's errors are its own", async (t) => {
  const { web } = await site(t, { errorPages }, errorOf);
  assert.equal((await ask(web, get("/404"))).body, "trace");
  const some = { errorPages: { "404": errorPages["404"] }, interceptErrors: true };
  const { web: other } = await site(t, some, errorOf);
  assert.equal((await ask(other, get("/500"))).body, "trace");
});

test("maintenance: of an app cluster its routes alone, of the web tier all; nothing reaches an app server", async (t) => {
  const page = { type: html, text: "<p>back soon</p>" };
  const routes = [{ path: "/own", respond: { status: 200, body: "own", type: "text/plain" } }, { to: "app" }];
  const { web, origin } = await site(t, { routes, appMaintenance: { page } });
  const answer = await ask(web, get("/"));
  assert.deepEqual([answer.status, answer.body, answer.field("retry-after")], [503, page.text, "300"]);
  assert.equal((await ask(web, get("/own"))).body, "own");
  assert.equal((await ask(web, get("/", "HEAD"), "HEAD")).field("content-length"), String(page.text.length));
  const { web: all, origin: other } = await site(t, { routes, maintenance: { page: null } });
  const words = await ask(all, get("/own"));
  assert.equal(words.status, 503);
  assert.match(words.body, /being worked on/);
  const { web: fallback } = await site(t, { maintenance: { page: null }, errorPages });
  assert.equal((await ask(fallback, get("/"))).body, errorPages["503"].text);
  const upload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
  assert.equal((await ask(web, upload)).status, 503);
  assert.equal(origin.received + other.received, "");
});

test("Proxy-Status (RFC 9209) says why there is no answer, and of whom it does not", async (t) => {
  const timeouts = { requestTimeoutMs: 50 };
  const { web } = await site(t, { timeouts }, (connection, head) => {
    if (head.startsWith("GET /wrong")) return "HTTP/9.9 wrong\r\n\r\n";
    if (head.startsWith("POST /cut")) connection.destroy();
    return head.startsWith("GET /missing") ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" : null;
  });
  const cut = "POST /cut HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
  for (const [request, status, error] of [
    [get("/wrong"), 502, "flotilla; error=http_protocol_error"],
    [cut, 502, "flotilla; error=connection_terminated"],
    [get("/never"), 504, "flotilla; error=http_response_timeout"],
    [get("/missing"), 404, undefined],
  ] as const) {
    const answer = await ask(web, request);
    assert.deepEqual([answer.status, answer.field("proxy-status")], [status, error]);
  }
  const nobody = await webSite(t, [await closedPort()]);
  const answer = await ask(nobody, get("/"));
  assert.deepEqual(
    [answer.status, answer.field("proxy-status"), answer.field("retry-after")],
    [503, "flotilla; error=destination_unavailable", "2"],
  );
});
