/** `redirectTo: https` and `hsts`: browsers are led to HTTPS and kept there. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { secureClient, tlsSettings } from "../harness/tls.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const hsts = "max-age=600; includeSubDomains";

async function site(
  t: TestContext,
  options: WebSiteOptions,
  answer: string = ok("from the app"),
): Promise<{ web: WebSite; origin: RawOrigin }> {
  const origin = await RawOrigin.start(t, () => answer);
  return { web: await webSite(t, [origin.port], options), origin };
}

/** The answers to these requests on one connection. */
async function ask(web: WebSite, ...requests: string[]): Promise<string[]> {
  const client = await RawClient.open(web.port);
  const answers: string[] = [];
  for (const request of requests) {
    client.send(request);
    const { status, field } = await client.answer(request.split(" ")[0]);
    answers.push(`${status} ${field("location")}`);
  }
  client.destroy();
  return answers;
}

test("every request is sent on with 308, path and query as they are; none reaches an app server", async (t) => {
  const { web, origin } = await site(t, { redirectPort: 443 });
  const answers = await ask(
    web,
    "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    "HEAD /x/y?q=1&r=%0a HTTP/1.1\r\nHost: A.example.:8080\r\n\r\n",
    "GET /a%20b HTTP/1.1\r\nHost: [::1]:80\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
  );
  assert.deepEqual(answers, [
    "308 https://a.example/",
    "308 https://a.example/x/y?q=1&r=%0a",
    "308 https://[::1]/a%20b",
  ]);
  // A path stays a path, and "*" is none.
  assert.deepEqual(
    await ask(
      web,
      "GET //evil.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ),
    ["308 https://a.example/evil.example/", "308 https://a.example/"],
  );
  assert.equal(origin.received, "");
});

test("a port of HTTPS that is not 443 is named", async (t) => {
  const { web } = await site(t, { redirectPort: 8443 });
  assert.deepEqual(await ask(web, "GET /x HTTP/1.1\r\nHost: a.example:8080\r\n\r\n"), [
    "308 https://a.example:8443/x",
  ]);
});

test("A4 the rules of bodies hold: a short one is dropped, any other ends the connection", async (t) => {
  const { web, origin } = await site(t, { redirectPort: 443 });
  const inside = "GET /inside HTTP/1.1\r\nHost: a.example\r\n\r\n";
  const post = "POST /form HTTP/1.1\r\nHost: a.example\r\n";
  assert.deepEqual(
    await ask(
      web,
      `${post}Content-Length: ${inside.length}\r\n\r\n${inside}`,
      `${post}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc`,
    ),
    ["308 https://a.example/form", "400 undefined"],
  );
  const chunk = `${inside.length.toString(16)}\r\n${inside}\r\n0\r\n\r\n`;
  const last = `${post}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`;
  const chunks = await exchange(web.port, last);
  assert.match(chunks, /^HTTP\/1\.1 308 /);
  assert.doesNotMatch(chunks, /inside/);
  assert.equal(origin.received, "");
});

test("nobody is sent to a host that the site does not have", async (t) => {
  const { web } = await site(t, { redirectPort: 443, routes: [{ host: "*.a.example", to: "app" }] });
  assert.deepEqual(
    await ask(
      web,
      "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: www.a.example\r\n\r\n",
    ),
    ["421 undefined", "308 https://www.a.example/"],
  );
  const any = await site(t, { redirectPort: 443 });
  assert.deepEqual(await ask(any.web, "GET / HTTP/1.0\r\n\r\n"), ["400 undefined"]);
});

test("Strict-Transport-Security on every answer over HTTPS, in place of the application's own", async (t) => {
  const own = "strict-transport-security: max-age=1\r\nX-One: 1\r\nStrict-Transport-Security: max-age=2\r\n";
  const { web } = await site(
    t,
    { hsts, tls: tlsSettings("a"), routes: [{ host: "a.example", to: "app" }] },
    ok("x", own),
  );
  const client = new RawClient(await secureClient(t, web.port));
  for (const [request, status] of [
    ["GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", 200],
    ["GET / HTTP/1.1\r\nHost: b.example\r\n\r\n", 421],
    ["GET / HTTP/1.1\r\nHost: a.example\r\nbad field: x\r\n\r\n", 400],
  ] as const) {
    client.send(request);
    const answer = await client.answer();
    assert.equal(answer.status, status);
    assert.equal(answer.field("strict-transport-security"), hsts);
    assert.equal(answer.field("x-one"), status === 200 ? "1" : undefined);
  }
});

test("without hsts: nothing is added, and the application's own goes through", async (t) => {
  const { web } = await site(t, {}, ok("x", "Strict-Transport-Security: max-age=1\r\n"));
  const client = await RawClient.open(web.port);
  client.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  assert.equal((await client.answer()).field("strict-transport-security"), "max-age=1");
});
