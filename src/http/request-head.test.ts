/** Requests that must be refused for their fields, by row of the attack list, and odd ones that must be accepted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { accepted, limits, parseRaw, refused } from "../../test/harness/request-text.ts";
import { findHeadEnd, parseRequestHead, RequestHead } from "./request-head.ts";

const G = "GET / HTTP/1.1\r\nHost: a\r\n";
const P = "POST / HTTP/1.1\r\nHost: a\r\n";

test("a browser's request", () => {
  const head = accepted(
    "GET /shop/cart?item=1 HTTP/1.1\nHost: Shop.Example:8080\nConnection: keep-alive\nUser-Agent: Mozilla/5.0 (X11)\n" +
      "Accept: */*\nReferer: https://shop.example/\nCookie: sid=abc; theme=dark\nX-Forwarded-For: 1.1.1.1\n\n",
  );
  assert.equal(head.method, "GET");
  assert.equal(head.target, "/shop/cart?item=1");
  assert.equal(head.path, "/shop/cart");
  assert.equal(head.host, "shop.example");
  assert.equal(head.authority, "shop.example:8080");
  assert.equal(head.userAgent, "Mozilla/5.0 (X11)");
  assert.equal(head.referer, "https://shop.example/");
  assert.equal(head.cookie, "sid=abc; theme=dark");
  assert.equal(head.xForwardedFor, "1.1.1.1");
  assert.equal(head.keepAlive, true);
  assert.equal(head.contentLength, -1);
  assert.equal(head.fieldCount, 5);
  assert.equal(
    head.fields,
    "Host\nShop.Example:8080\nUser-Agent\nMozilla/5.0 (X11)\nAccept\n*/*\nReferer\nhttps://shop.example/\n" +
      "Cookie\nsid=abc; theme=dark",
  );
});

test("a head used again keeps nothing of the request before", () => {
  const head = new RequestHead();
  const first = Buffer.from(
    `${P}Cookie: a=b\r\nUser-Agent: x\r\nReferer: y\r\nVia: z\r\nX-Request-Id: 1\r\nForwarded: for=b\r\nConnection: close, Foo\r\n` +
      "X-Forwarded-For: a\r\nX-Forwarded-Host: b\r\nX-Forwarded-Proto: c\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
    "latin1",
  );
  assert.equal(parseRequestHead(first, 0, first.length, limits, head), first.length);
  assert.equal(head.expectContinue, true);
  const second = Buffer.from(G.concat("\r\n"), "latin1");
  assert.equal(parseRequestHead(second, 0, second.length, limits, head), second.length);
  const fresh = new RequestHead();
  parseRequestHead(second, 0, second.length, limits, fresh);
  assert.deepEqual(head, fresh);
});

test("A1 Content-Length with Transfer-Encoding", () => {
  refused(`${P}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`, 400, "LENGTH_AND_CODING");
  refused(`${P}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`, 400, "LENGTH_AND_CODING");
  refused(`${P}Content-Length: 0\r\ntransfer-encoding: chunked\r\n\r\n`, 400, "LENGTH_AND_CODING");
});

test("A2 transfer codings that are not exactly chunked", () => {
  const te = (value: string) => `${P}Transfer-Encoding: ${value}\r\n\r\n`;
  for (const value of [",chunked", "chunked,", "chunked, identity", "identity, chunked", "identity", ""])
    refused(te(value), 400, "BAD_TRANSFER_CODING");
  for (const value of [
    "chunked, chunked",
    "xchunked",
    "chunkedx",
    "chunked;q=1",
    '"chunked"',
    "chunked\xa0",
    "chunked gzip",
  ])
    refused(te(value), 400, "BAD_TRANSFER_CODING");
  refused(te("gzip, chunked"), 501, "TRANSFER_CODING_UNKNOWN");
  refused(te("\x0bchunked"), 400, "BAD_FIELD_VALUE");
  refused(te("chunked\x00"), 400, "BAD_FIELD_VALUE");
  refused(`${P}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, 400, "BAD_TRANSFER_CODING");
  refused(
    `${P}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n`,
    400,
    "BAD_TRANSFER_CODING",
  );
  refused(
    `${P}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n`,
    400,
    "BAD_TRANSFER_CODING",
  );
  assert.equal(parseRaw(te("chunked")).head.chunked, true);
  assert.equal(parseRaw(te("\t Chunked \t")).head.chunked, true);
});

test("A3 Transfer-Encoding on HTTP/1.0", () => {
  refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "CODING_ON_HTTP10");
});

test("A5 expectations", () => {
  for (const value of ["x 100-continue", "100-continue, x", "100-continue,100-continue", "", "200-ok"])
    refused(`${P}Content-Length: 1\r\nExpect: ${value}\r\n\r\n`, 417, "EXPECTATION");
  refused(
    `${P}Content-Length: 1\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\n`,
    417,
    "EXPECTATION",
  );
  assert.equal(parseRaw(`${P}Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n`).head.expectContinue, true);
  // Nothing to wait for, and not in HTTP/1.0.
  assert.equal(parseRaw(`${G}Expect: 100-continue\r\n\r\n`).head.expectContinue, false);
  const old = parseRaw("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
  assert.equal(old.head.error, null);
  assert.equal(old.head.expectContinue, false);
});

test("A6 Content-Length", () => {
  const values = [
    "",
    "+1",
    "-1",
    "0x1",
    "1,1",
    "1, 1",
    "1 1",
    "1.0",
    "1e3",
    "18446744073709551617",
    "9007199254740992",
    "٣",
  ];
  for (const value of values) refused(`${P}Content-Length: ${value}\r\n\r\n`, 400, "BAD_LENGTH");
  refused(`${P}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`, 400, "TWO_LENGTHS");
  refused(`${P}Content-Length: 1\r\ncontent-length: 2\r\n\r\n`, 400, "TWO_LENGTHS");
  const length = (value: string) =>
    accepted(`POST / HTTP/1.1\nHost: a\nContent-Length:${value}\n\n`).contentLength;
  assert.equal(length("0"), 0);
  assert.equal(length(" \t 42 "), 42);
  assert.equal(length("007"), 7);
  assert.equal(length("9007199254740991"), Number.MAX_SAFE_INTEGER);
});

test("A7 bare LF and bare CR", () => {
  refused("GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "BARE_LF");
  refused("GET /\nHost: a\r\n\r\n", 400, "BARE_LF");
  refused("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "BARE_LF");
  refused(`${G}X: b\nY: c\r\n\r\n`, 400, "BARE_LF");
  refused(`${G}X: b\r\n\n`, 400, "BARE_LF");
  refused(`${G}\nX: b\r\n\r\n`, 400, "BARE_LF");
  refused(`${G}X\n: b\r\n\r\n`, 400, "BARE_LF");
  refused(`${G}\rX: y\r\n\r\n`, 400, "BARE_CR");
  refused(`${G}X: a\rb\r\n\r\n`, 400, "BARE_CR");
  refused(`${G}X: a\r\r\n\r\n`, 400, "BARE_CR");
  refused(`${G}X: a\r\n\rZ`, 400, "BARE_CR");
  refused("GET / HTTP/1.1\rHost: a\r\n\r\n", 400, "BARE_CR");
});

test("A8 folded lines", () => {
  refused(`${P}Transfer-Encoding:\r\n chunked\r\n\r\n`, 400, "BAD_TRANSFER_CODING");
  refused(`${G}X: a\r\n b\r\n\r\n`, 400, "FOLDED_FIELD");
  refused(`${G}X: a\r\n\tb\r\n\r\n`, 400, "FOLDED_FIELD");
  refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "FOLDED_FIELD");
});

test("A13 field names", () => {
  for (const line of [
    "Content-Length : 1",
    ": 1",
    "X\x85: 1",
    "nocolon",
    "X Y: 1",
    "X\tY: 1",
    "X(: 1",
    "X\x00: 1",
    "Ä: 1",
  ])
    refused(`${G}${line}\r\n\r\n`, 400, "BAD_FIELD_NAME");
  refused(`${G}X_y : 1\r\n\r\n`, 400, "BAD_FIELD_NAME");
});

test("A14 control bytes in values", () => {
  for (let byte = 0; byte < 0x20; byte++) {
    if (byte === 0x09 || byte === 0x0a || byte === 0x0d) continue;
    refused(`${G}X: a${String.fromCharCode(byte)}b\r\n\r\n`, 400, "BAD_FIELD_VALUE");
  }
  refused(`${G}X: \x7f\r\n\r\n`, 400, "BAD_FIELD_VALUE");
});

test("A15 names with an underscore are dropped", () => {
  const head = accepted(
    "POST / HTTP/1.1\nHost: a\nX_Forwarded_For: 1.1.1.1\nContent_Length: 9\nTransfer_Encoding: x\n_: y\nX-A: b\n\n",
  );
  assert.equal(head.fields, "Host\na\nX-A\nb");
  assert.equal(head.fieldCount, 2);
  assert.equal(head.xForwardedFor, "");
  assert.equal(head.contentLength, -1);
});

test("A16 Connection names what it must not", () => {
  for (const name of ["Transfer-Encoding", "Host", "content-length"])
    refused(`${G}Connection: X-A, ${name}\r\n\r\n`, 400, "CONNECTION_NAMES_FRAMING");
  refused(
    `${G}Connection: X-Forwarded-Host, Transfer-Encoding, Host, Cookie\r\n\r\n`,
    400,
    "CONNECTION_NAMES_FRAMING",
  );
  refused(`${G}Connection: keep-alive; x\r\n\r\n`, 400, "BAD_CONNECTION");
  refused(`${G}Connection: keep-alive close\r\n\r\n`, 400, "BAD_CONNECTION");
  const head = accepted(
    "GET / HTTP/1.1\nHost: a\nCookie: a=b\nAuthorization: c\nX-A: 1\nx-b: 2\nX-B: 3\nX-C: 4\n" +
      "Connection: x-a, Cookie,, X-Forwarded-Host, authorization\nConnection: X-B\nX-Forwarded-Host: h\n\n",
  );
  assert.equal(head.fields, "Host\na\nCookie\na=b\nAuthorization\nc\nX-C\n4");
  assert.equal(head.fieldCount, 4);
  assert.equal(head.cookie, "a=b");
  assert.equal(head.xForwardedHost, "h");
});

test("A17 fields about where a request came from never go on, and are told apart", () => {
  const head = accepted(
    "GET / HTTP/1.1\nHost: a\nX-Forwarded-For: 1\nx-forwarded-for: 2\nX-Forwarded-Proto: https\nX-Forwarded-Host: h\n" +
      "X-Forwarded-Port: 1\nX-Forwarded-Server: s\nX-Forwarded-Prefix: p\nX-Real-IP: 3\nForwarded: for=4\nVia: 1.1 v\n" +
      "X-Request-ID: r\nProxy: evil\nX-Forwarded: kept\n\n",
  );
  assert.equal(head.fields, "Host\na\nX-Forwarded\nkept");
  assert.equal(head.xForwardedFor, "1, 2");
  assert.equal(head.xForwardedProto, "https");
  assert.equal(head.xForwardedHost, "h");
  assert.equal(head.via, "1.1 v");
  assert.equal(head.requestId, "r");
});

test("A18 Host", () => {
  refused("GET / HTTP/1.1\r\n\r\n", 400, "NO_HOST");
  refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "TWO_HOSTS");
  refused("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400, "TWO_HOSTS");
  const bad = [
    "a/b@c",
    "a:65536",
    "a:0",
    "a:99999999",
    "a:",
    ":80",
    "",
    "a b",
    "a,b",
    "a:8a",
    "a:-1",
    "[::1",
    "[::g]",
  ];
  bad.push(
    "[fe80::1%25eth0]",
    "[]",
    "[v1.x]",
    "::1",
    "a@b",
    "a%41",
    "a?b",
    "a#b",
    "a\\b",
    "h\xe4",
    "[::1]x",
    "[::1]:",
    '"a"',
    ".",
    ".a",
    "a..b",
    "a..",
  );
  for (const host of bad) refused(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400, "BAD_HOST");
  const hosts: [string, string, string][] = [
    ["A.Example", "a.example", "a.example"],
    ["a:65535", "a", "a:65535"],
    ["[2001:DB8::1]:80", "[2001:db8::1]", "[2001:db8::1]:80"],
    ["127.0.0.1", "127.0.0.1", "127.0.0.1"],
    ["my_host-1.local.", "my_host-1.local", "my_host-1.local."],
    ["a.:80", "a", "a.:80"],
    ["[2001:0DB8:0:0::1]", "[2001:db8::1]", "[2001:0db8:0:0::1]"],
  ];
  for (const [value, host, authority] of hosts) {
    const head = accepted(`GET / HTTP/1.1\nHost: ${value}\n\n`);
    assert.deepEqual([head.host, head.authority], [host, authority]);
  }
  assert.equal(accepted("GET / HTTP/1.0\n\n").host, "");
});

test("A20 a host is compared whole", () => {
  assert.equal(accepted("GET / HTTP/1.1\nHost: evillocalhost\n\n").host, "evillocalhost");
});

test("A24 heads that are too large", () => {
  const fields = (count: number) => "X: y\r\n".repeat(count);
  refused(`${G}${fields(100)}\r\n`, 431, "TOO_MANY_FIELDS");
  assert.equal(parseRaw(`${G}${fields(99)}\r\n`).head.fieldCount, 100);
  refused(`${G}X: ${"y".repeat(17 * 1024)}\r\n\r\n`, 431, "HEAD_TOO_LARGE");
  refused(`${G}${"n".repeat(16 * 1024)}: y\r\n\r\n`, 431, "HEAD_TOO_LARGE");
  // Before it ends: waiting for the rest would be no use.
  refused(`${G}X: ${"y".repeat(17 * 1024)}`, 431, "HEAD_TOO_LARGE");
  const room = limits.headBytesMax - G.length - "X: \r\n\r\n".length;
  assert.equal(parseRaw(`${G}X: ${"y".repeat(room)}\r\n\r\n`).length, limits.headBytesMax);
  refused(`${G}X: ${"y".repeat(room + 1)}\r\n\r\n`, 431, "HEAD_TOO_LARGE");
  assert.equal(parseRaw(`${G}X: ${"y".repeat(room)}\r\n\r`).length, 0);
});

test("A30 an upgrade needs Connection, HTTP/1.1 and no body", () => {
  const upgrade = (start: string, rest: string) =>
    parseRaw(`${start}Upgrade: websocket\r\n${rest}\r\n`).head.upgrade;
  assert.equal(upgrade(G, "Connection: Upgrade\r\n"), "websocket");
  assert.equal(upgrade(G, "Connection: keep-alive, upgrade\r\n"), "websocket");
  assert.equal(upgrade(G, "Connection: upgrade\r\nContent-Length: 0\r\n"), "websocket");
  assert.equal(upgrade(G, ""), "");
  assert.equal(upgrade("GET / HTTP/1.0\r\n", "Connection: Upgrade\r\n"), "");
  assert.equal(upgrade(P, "Connection: Upgrade\r\nContent-Length: 1\r\n"), "");
  assert.equal(upgrade(P, "Connection: Upgrade\r\nTransfer-Encoding: chunked\r\n"), "");
  const head = accepted(
    "GET / HTTP/1.1\nHost: a\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: k\n\n",
  );
  assert.equal(head.fields, "Host\na\nSec-WebSocket-Key\nk");
});

test("A31 h2c is stripped", () => {
  for (const value of ["h2c", "H2C", "h2", "HTTP/2.0", "TLS/1.2", "h2c, h2"]) {
    const head = accepted(
      `GET / HTTP/1.1\nHost: a\nConnection: Upgrade, HTTP2-Settings\nUpgrade: ${value}\nHTTP2-Settings: AAMAAABkAAQ\n\n`,
    );
    assert.equal(head.upgrade, "");
    assert.equal(head.fields, "Host\na");
  }
  const both = accepted("GET / HTTP/1.1\nHost: a\nConnection: upgrade\nUpgrade: h2c, websocket\n\n");
  assert.equal(both.upgrade, "websocket");
});

test("A37 a Range of more ranges than anybody needs is ignored", () => {
  const fields = (ranges: number) =>
    accepted(`GET / HTTP/1.1\nHost: a\nRange: bytes=${Array(ranges).fill("0-").join()}\n\n`).fields;
  assert.equal(fields(1), "Host\na\nRange\nbytes=0-");
  assert.match(fields(16), /Range/);
  assert.equal(fields(17), "Host\na");
  assert.equal(fields(1_000), "Host\na");
  const lines = accepted(`GET / HTTP/1.1\nHost: a\n${`Range: bytes=${"0-,".repeat(9)}0-\n`.repeat(9)}\n`);
  assert.equal(lines.fields.match(/Range/g)?.length, 1);
});

test("odd but legal requests are accepted", () => {
  assert.equal(accepted("\nGET / HTTP/1.1\nHost: a\n\n").method, "GET");
  assert.equal(accepted("VERSION-CONTROL / HTTP/1.1\nHost: a\n\n").method, "VERSION-CONTROL");
  assert.equal(accepted("PROPFIND /a HTTP/1.1\nHost: a\n\n").method, "PROPFIND");
  assert.equal(
    accepted("GET / HTTP/1.1\nHost:a\nX:\nY: \t \nZ:\t a b\tc \t\n\n").fields,
    "Host\na\nX\n\nY\n\nZ\na b\tc",
  );
  assert.equal(accepted("GET / HTTP/1.1\nHost: a\nX: \x80\xff\n\n").fields, "Host\na\nX\n\x80\xff");
  assert.equal(accepted("GET / HTTP/1.1\nhOsT: a\n!#$%&'*+-.^`|~: x\n\n").fieldCount, 2);
  assert.equal(
    accepted("GET / HTTP/1.1\nHost: a\nCookie: a=1\nX: y\nCookie: b=2\ncookie: c=3\n\n").cookie,
    "a=1; b=2; c=3",
  );
  assert.equal(accepted("GET / HTTP/1.1\nHost: a\nUser-Agent: x\nUser-Agent: y\n\n").userAgent, "x, y");
  assert.equal(
    accepted("GET / HTTP/1.1\nHost: a\nReferer: x\nReferer: y\nReferer: z\n\n").referer,
    "x, y, z",
  );
  assert.equal(accepted("GET /.well-known/x HTTP/1.1\nHost: a\n\n").path, "/.well-known/x");
  assert.equal(accepted("GET /a:b@c!$&'()*+,;=-._~ HTTP/1.1\nHost: a\n\n").path, "/a:b@c!$&'()*+,;=-._~");
  assert.equal(accepted("GET /?a=//../%2e HTTP/1.1\nHost: a\n\n").target, "/?a=//../%2e");
  assert.equal(accepted("GET / HTTP/1.1\nHost: a\nContent-Length: 3\n\n").contentLength, 3);
  assert.equal(
    accepted("GET / HTTP/1.1\nHost: a\nTE: trailers\nTrailer: x\nKeep-Alive: 1\nProxy-Connection: x\n\n")
      .fields,
    "Host\na",
  );
  assert.equal(
    accepted("GET / HTTP/1.1\nHost: a\n__proto__: 1\nconstructor: 2\n\n").fields,
    "Host\na\nconstructor\n2",
  );
});

test("keep-alive by version and Connection", () => {
  const keepAlive = (version: string, lines: string) =>
    accepted(`GET / HTTP/${version}\nHost: a\n${lines}\n`).keepAlive;
  assert.equal(keepAlive("1.1", ""), true);
  assert.equal(keepAlive("1.1", "Connection: Close\n"), false);
  assert.equal(keepAlive("1.1", "Connection: keep-alive\nConnection: close\n"), false);
  assert.equal(keepAlive("1.0", ""), false);
  assert.equal(keepAlive("1.0", "Connection: Keep-Alive\n"), true);
  assert.equal(keepAlive("1.0", "Connection: keep-alive, close\n"), false);
});

test("incomplete heads wait", () => {
  const text = `POST /a?b HTTP/1.1\r\nHost: a\r\nX_y: z\r\nConnection: keep-alive\r\n\r\n`;
  for (let length = 0; length < text.length; length++)
    assert.equal(parseRaw(text.slice(0, length)).length, 0, String(length));
});

test("findHeadEnd finds the first empty line", () => {
  const end = (text: string, from = 0) => findHeadEnd(Buffer.from(text, "latin1"), from, text.length);
  assert.equal(end("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest"), 27);
  assert.equal(end("a\n\nb"), 3);
  assert.equal(end("a\n\r\nb"), 4);
  assert.equal(end("a\r\nb\r\n\r"), -1);
  assert.equal(end("\r\n\r\n\r\n", 3), 6);
});
