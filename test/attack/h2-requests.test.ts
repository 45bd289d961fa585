/** Row A29 of the attack list: requests of HTTP/2 that would be something else in HTTP/1.1. None reaches the origin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ErrorCode,
  Flag,
  FrameType,
  frame,
  get,
  hpack,
  http2Session,
  RawHttp2,
  requestFields,
} from "../harness/http2.ts";
import { ok, RawOrigin } from "../harness/raw.ts";
import { tlsSettings } from "../harness/tls.ts";
import { webSite } from "../harness/web-site.ts";

type Fields = readonly (readonly [string, string])[];

/** The usual pseudo-fields with some replaced; null takes one out. */
function pseudo(changes: Readonly<Record<string, string | null>>): Fields {
  return requestFields("/").flatMap(([name, value]) => {
    const changed = changes[name];
    return changed === null ? [] : [[name, changed ?? value] as const];
  });
}

function and(name: string, value: string): Fields {
  return requestFields("/", [[name, value]]);
}

/** "reset", or the status of the answer. */
const refused: readonly (readonly [string, Fields, "reset" | number])[] = [
  ["a space in :path", pseudo({ ":path": "/a b" }), "reset"],
  ["a version in :path", pseudo({ ":path": "/ HTTP/1.1\r\nX: y\r\nZ: " }), "reset"],
  ["a tab in :path", pseudo({ ":path": "/a\tb" }), "reset"],
  ["bytes above 0x7f in :path", pseudo({ ":path": "/\xe4" }), 400],
  ["# in :path", pseudo({ ":path": "/a#b" }), 400],
  ["\\ in :path", pseudo({ ":path": "/a\\b" }), 400],
  ["a wrong % in :path", pseudo({ ":path": "/%zz" }), 400],
  ["%00 in :path", pseudo({ ":path": "/%00" }), 400],
  ["dot segments above the root", pseudo({ ":path": "/../x" }), 400],
  [":path without /", pseudo({ ":path": "a" }), "reset"],
  ["a URL as :path", pseudo({ ":path": "http://b/" }), "reset"],
  ["no :path", pseudo({ ":path": null }), "reset"],
  ["an empty :path", pseudo({ ":path": "" }), "reset"],
  ["two :path", and(":path", "/b"), "reset"],
  ["a pseudo-field behind a field", [["x", "y"], ...requestFields("/")], "reset"],
  ["an unknown pseudo-field", and(":foo", "bar"), "reset"],
  [":protocol", and(":protocol", "websocket"), "reset"],
  ["a request line as :method", pseudo({ ":method": "GET /x HTTP/1.1" }), "reset"],
  ["lines as :method", pseudo({ ":method": "GET / HTTP/1.1\r\nX: " }), "reset"],
  ["a method in lower case", pseudo({ ":method": "get" }), 501],
  ["TRACE", pseudo({ ":method": "TRACE" }), 405],
  ["CONNECT", pseudo({ ":method": "CONNECT", ":scheme": null, ":path": null }), 405],
  ["CONNECT with :path", pseudo({ ":method": "CONNECT" }), "reset"],
  ["PRI", pseudo({ ":method": "PRI" }), 505],
  [":scheme that begins a URL", pseudo({ ":scheme": "https://evil/?" }), "reset"],
  [":scheme of another kind", pseudo({ ":scheme": "file" }), 400],
  ["no :authority", pseudo({ ":authority": null }), "reset"],
  [":authority with a user", pseudo({ ":authority": "u@a" }), "reset"],
  [":authority with a path", pseudo({ ":authority": "a/b" }), "reset"],
  [":authority with port 0", pseudo({ ":authority": "a:0" }), 400],
  [":authority unlike host", and("host", "b"), 400],
  [
    "two hosts",
    requestFields("/", [
      ["host", "a"],
      ["host", "a"],
    ]),
    "reset",
  ],
  ["a tab in a value", and("x", "a\tb"), 400],
  ["a tab before a value", and("x", "\tb"), 400],
  ["a space behind a value", and("x", "b "), 400],
  ["a name in upper case", and("X-A", "b"), "reset"],
  ["connection", and("connection", "close"), "reset"],
  ["connection that names a field", and("connection", "x-forwarded-for"), "reset"],
  ["keep-alive", and("keep-alive", "timeout=5"), "reset"],
  ["proxy-connection", and("proxy-connection", "close"), "reset"],
  ["transfer-encoding", and("transfer-encoding", "chunked"), "reset"],
  ["upgrade", and("upgrade", "h2c"), "reset"],
  ["te: chunked", and("te", "chunked"), "reset"],
  ["te: trailers, chunked", and("te", "trailers, chunked"), "reset"],
  ["a length without a body", and("content-length", "5"), "reset"],
  ["a length of +0", and("content-length", "+0"), "reset"],
  [
    "two lengths",
    requestFields("/", [
      ["content-length", "0"],
      ["content-length", "0"],
    ]),
    "reset",
  ],
  ["an expectation that nobody knows", and("expect", "x"), 417],
];

test("A29 heads that are refused, each on a connection that goes on", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port], { tls: tlsSettings("a") });
  let answers = 0;
  for (const [name, fields, outcome] of refused) {
    const client = await RawHttp2.open(t, web.port);
    client.request(1, fields);
    if (outcome === "reset") assert.equal(await client.resetCode(1), ErrorCode.protocol, name);
    else assert.equal((await web.logged(answers++)).status, outcome, name);
    assert.equal(client.closed, false, name);
    client.socket.destroy();
  }
  assert.equal(origin.received, "");
  assert.equal(web.log.length, answers);
});

/** nghttp2 takes these out before anybody sees them, and Node offers no way to refuse the request for it. */
const dropped: Fields = [
  ["x-a", "a\r\nx-smuggled: b"],
  ["x-b", "a\nx-smuggled: b"],
  ["x-c", "a\0b"],
  ["x-d: x-smuggled", "a"],
  ["x-e\r\nx-smuggled", "a"],
  ["", "x-smuggled"],
  ["x-f x-smuggled", "a"],
  ["x_smuggled", "a"],
];

test("A29 fields that no HTTP/1.1 line can hold go nowhere", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("ok"));
  const web = await webSite(t, [origin.port], { tls: tlsSettings("a") });
  for (const [name, value] of dropped) {
    const client = await RawHttp2.open(t, web.port);
    client.request(
      1,
      requestFields("/", [
        [name, value],
        ["x-last", "z"],
      ]),
    );
    await client.next(FrameType.headers, 1);
    client.socket.destroy();
  }
  assert.equal(origin.requests, dropped.length);
  assert.doesNotMatch(origin.received, /smuggled|x-[a-f]/);
  assert.match(origin.received, /x-last: z/);
});

test("A29 bodies unlike their length, and trailers that are none", async (t) => {
  const origin = await RawOrigin.start(t, () => null);
  const web = await webSite(t, [origin.port], { tls: tlsSettings("a") });
  const post = (length: string | null): Buffer => {
    const fields = pseudo({ ":method": "POST" });
    const all: Fields = length === null ? fields : [...fields, ["content-length", length]];
    return frame(FrameType.headers, Flag.endHeaders, 1, hpack(all));
  };
  const data = (text: string, flags: number): Buffer => frame(FrameType.data, flags, 1, text);
  const trailer = (fields: Fields, flags: number): Buffer =>
    frame(FrameType.headers, flags, 1, hpack(fields));
  const whole = Flag.endHeaders | Flag.endStream;
  const wrong: readonly (readonly [string, readonly Buffer[]])[] = [
    ["longer", [post("2"), data("hello", Flag.endStream)]],
    ["shorter", [post("9"), data("hello", Flag.endStream)]],
    ["a trailer that is a pseudo-field", [post(null), data("hello", 0), trailer([[":path", "/x"]], whole)]],
    ["a trailer that ends nothing", [post(null), data("hello", 0), trailer([["x", "y"]], Flag.endHeaders)]],
  ];
  for (const [at, [name, frames]] of wrong.entries()) {
    const client = await RawHttp2.open(t, web.port);
    client.send(...frames);
    assert.equal((await web.logged(at)).status, 0, name);
    client.socket.destroy();
  }
  for (const connection of origin.connections) await connection.ended();
  // No body came to its end.
  assert.doesNotMatch(origin.received, /0\r\n\r\n$/);
  const visitor = await http2Session(t, web.port);
  void get(visitor, "/next");
  await origin.arrived(/GET \/next HTTP\/1\.1\r\n/);
});
