/** Fields that tell an app server who asked (A17): written by us, or continued from a proxy that the file trusts. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { exchange, ok, RawOrigin } from "../harness/raw.ts";
import { type WebSite, webSite } from "../harness/web-site.ts";

const forged =
  "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Request-Id: abc-1.2_3\r\nVia: 1.0 elsewhere\r\n";

/** What the app server gets, as "name: value" lines in lower case. */
async function fieldsOf(
  t: TestContext,
  trusted: readonly string[],
  fields: string,
): Promise<{ got: Map<string, string>; web: WebSite }> {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port], { trusted });
  await exchange(web.port, `GET / HTTP/1.1\r\nHost: Shop.Example:8080\r\n${fields}Connection: close\r\n\r\n`);
  const got = new Map<string, string>();
  for (const line of origin.received.split("\r\n").slice(1)) {
    const [name = "", value = ""] = line.split(/: (.*)/);
    if (name === "") break;
    assert.ok(!got.has(name.toLowerCase()), `${name} twice`);
    got.set(name.toLowerCase(), value);
  }
  return { got, web };
}

test("a stranger's claims are replaced", async (t) => {
  const { got, web } = await fieldsOf(t, [], forged);
  assert.equal(got.get("x-forwarded-for"), "127.0.0.1");
  assert.equal(got.get("x-forwarded-proto"), "http");
  assert.equal(got.get("x-forwarded-host"), "shop.example:8080");
  assert.equal(got.get("via"), "1.0 elsewhere, 1.1 flotilla");
  assert.equal(got.get("host"), "Shop.Example:8080");
  assert.equal(got.get("forwarded"), 'for=127.0.0.1;proto=http;host="shop.example:8080"');
  for (const name of ["x-forwarded-port", "x-real-ip"]) assert.equal(got.get(name), undefined);
  const id = got.get("x-request-id")!;
  assert.match(id, /^[\w-]{10,40}$/);
  assert.equal((await web.logged(0)).requestId, id);
});

test("a trusted proxy's claims are continued", async (t) => {
  const { got, web } = await fieldsOf(t, ["127.0.0.0/8"], forged);
  assert.equal(got.get("x-forwarded-for"), "6.6.6.6, 127.0.0.1");
  assert.equal(got.get("x-forwarded-proto"), "https");
  assert.equal(got.get("x-forwarded-host"), "evil");
  assert.equal(got.get("x-request-id"), "abc-1.2_3");
  assert.equal((await web.logged(0)).requestId, "abc-1.2_3");
});

const ours = 'for=127.0.0.1;proto=http;host="shop.example:8080"';

test("RFC 7239: what a trusted proxy forwarded goes before our own element", async (t) => {
  for (const [fields, before] of [
    ["Forwarded: for=6.6.6.6\r\n", "for=6.6.6.6, "],
    [
      'Forwarded: for="[2001:db8::1]:80";proto=https, for=_hidden\r\n',
      'for="[2001:db8::1]:80";proto=https, for=_hidden, ',
    ],
    ["Forwarded: for=1.1.1.1\r\nForwarded: for=2.2.2.2\r\n", "for=1.1.1.1, for=2.2.2.2, "],
    // It knows the older fields alone.
    [
      "X-Forwarded-For: 6.6.6.6, 2001:db8::1, what\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: Shop.example\r\n",
      'for=6.6.6.6;proto=https;host="shop.example", for="[2001:db8::1]", for=unknown, ',
    ],
    ['X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: ht"tp\r\nX-Forwarded-Host: a"b\r\n', "for=6.6.6.6, "],
    // What is no list of elements could hide where ours begins.
    ['Forwarded: for="6.6.6.6\r\n', ""],
    ["Forwarded: for=6.6.6.6;\r\n", ""],
    ["Forwarded: 6.6.6.6\r\n", ""],
    ["", ""],
  ] as const) {
    const { got } = await fieldsOf(t, ["127.0.0.1"], fields);
    assert.equal(got.get("forwarded"), `${before}${ours}`);
  }
});

test("W3C trace context is passed on as it is", async (t) => {
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const { got } = await fieldsOf(t, [], `traceparent: ${traceparent}\r\ntracestate: a=1,b=2\r\n`);
  assert.deepEqual([got.get("traceparent"), got.get("tracestate")], [traceparent, "a=1,b=2"]);
});

test("a trusted proxy that claims nothing", async (t) => {
  const { got } = await fieldsOf(t, ["127.0.0.1"], "");
  assert.equal(got.get("x-forwarded-for"), "127.0.0.1");
  assert.equal(got.get("x-forwarded-proto"), "http");
  assert.match(got.get("x-request-id")!, /^[\w-]{10,40}$/);
});

test("a request id that is no id is replaced, also when a trusted proxy passed it on", async (t) => {
  for (const id of ["<script>", "a b", '"', "x".repeat(129), "a, b"]) {
    const { got } = await fieldsOf(t, ["127.0.0.1"], `X-Request-Id: ${id}\r\n`);
    assert.match(got.get("x-request-id")!, /^[\w-]{10,40}$/);
  }
});

test("every request has an id of its own", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port]);
  const get = "GET / HTTP/1.1\r\nHost: a\r\n";
  await exchange(web.port, `${`${get}\r\n`.repeat(99)}${get}Connection: close\r\n\r\n`);
  const ids = [...origin.received.matchAll(/X-Request-Id: (\S+)/g)].map((found) => found[1]);
  assert.equal(new Set(ids).size, 100);
});
