/**
 * Rows A1 to A24, A30 and A31 of the attack list, as bytes on a real socket of a web tier in front of an origin that
 * records every byte it gets: what is refused is answered, the connection closed, and nothing reaches the origin.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { exchange, type RawClient, RawOrigin } from "../harness/raw.ts";
import { startWebSite, type WebSite } from "../harness/web-site.ts";

const answered = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
let answer: (connection: RawClient, head: string) => string | null = () => answered;
const origin = new RawOrigin((connection, head) => answer(connection, head));
let web: WebSite;

before(async () => {
  web = await startWebSite([await origin.listen()]);
});
after(async () => {
  origin.close();
  await web.close();
});

const G = "GET / HTTP/1.1\r\nHost: a\r\n";
const P = "POST / HTTP/1.1\r\nHost: a\r\n";
/** What a smuggler would want to be taken for a request. */
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/** Everything that the origin got for these bytes, and everything that the client got. */
async function send(bytes: string): Promise<{ client: string; origin: string }> {
  const from = origin.received.length;
  const client = await exchange(web.port, bytes);
  // Whatever was sent on before has arrived when the answer to a later request has.
  await exchange(web.port, "GET /marker HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const got = origin.received.slice(from);
  return { client, origin: got.slice(0, got.indexOf("GET /marker ")) };
}

async function refused(bytes: string, status: number): Promise<void> {
  const outcome = await send(bytes + smuggled);
  const what = JSON.stringify(bytes.slice(0, 200));
  assert.equal(outcome.client.slice(0, 13), `HTTP/1.1 ${status} `, what);
  assert.equal(outcome.client.split("HTTP/1.1 ").length, 2, `one answer only: ${what}`);
  assert.match(outcome.client, /\r\nConnection: close\r\n/i, what);
  assert.equal(outcome.origin, "", what);
}

/** The head that the origin saw; the request is given without "Connection: close" and the empty line. */
async function seen(head: string, body = ""): Promise<string> {
  const outcome = await send(`${head}Connection: close\r\n\r\n${body}`);
  assert.match(outcome.client, /^HTTP\/1\.1 200 /, head);
  return outcome.origin;
}

const refusedHeads: readonly [string, number, readonly string[]][] = [
  [
    "A1 length and coding",
    400,
    [
      `${P}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `${P}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    ],
  ],
  [
    "A2 codings unlike chunked",
    400,
    [
      ",chunked",
      "chunked, identity",
      "identity, chunked",
      "\x0bchunked",
      "chunked\x00",
      "xchunked",
      "chunked\xa0",
    ]
      .map((coding) => `${P}Transfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`)
      .concat(`${P}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
  ],
  ["A2 codings not spoken here", 501, [`${P}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`]],
  ["A3 coding on HTTP/1.0", 400, ["POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]],
  ["A5 expectations", 417, [`${P}Content-Length: 1\r\nExpect: x 100-continue\r\n\r\nx`]],
  [
    "A6 Content-Length",
    400,
    ["", "+1", "0x1", "1,1", "18446744073709551617", "1 1"]
      .map((length) => `${P}Content-Length: ${length}\r\n\r\n`)
      .concat(`${P}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`),
  ],
  [
    "A7 bare LF and CR",
    400,
    [
      `${G}X: b\nY: c\r\n\r\n`,
      `${G}\rX: y\r\n\r\n`,
      "GET / HTTP/1.1\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\nHost: a\n\n",
    ],
  ],
  ["A8 folding", 400, [`${P}Transfer-Encoding:\r\n chunked\r\n\r\n`, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"]],
  [
    "A13 names",
    400,
    ["Content-Length : 1", ": 1", "X\x85: 1", "nocolon"].map((line) => `${G}${line}\r\n\r\n`),
  ],
  ["A14 controls", 400, [`${G}X: a\0b\r\n\r\n`, `${G}X: a\x1bb\r\n\r\n`, `${G}X: \x7f\r\n\r\n`]],
  ["A16 framing named", 400, [`${G}Connection: X-Forwarded-Host, Transfer-Encoding, Host, Cookie\r\n\r\n`]],
  [
    "A18 Host",
    400,
    ["Host: a\r\nHost: a", "X: y", "Host: a/b@c", "Host: a:65536", "Host: a:x", "Host:"].map(
      (lines) => `GET / HTTP/1.1\r\n${lines}\r\n\r\n`,
    ),
  ],
  [
    "A19 absolute form",
    400,
    ["http://169.254.169.254/", "unix:/run/x", "http://u@a/", "ftp://a/"].map(
      (target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`,
    ),
  ],
  [
    "A21 paths",
    400,
    ["/\xe4", "/a\\b", "/a#b", "/%zz", "/%00", "/..", "/a/%2e%2e/../b", "/..%2f..%2fb"].map(
      (target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`,
    ),
  ],
  [
    "A24 head bombs",
    431,
    [
      `${G}${"X: y\r\n".repeat(101)}\r\n`,
      `${G}X: ${"y".repeat(17 * 1024)}\r\n\r\n`,
      `${G}${"n".repeat(16 * 1024)}: y\r\n\r\n`,
    ],
  ],
  ["A24 target", 414, [`GET /${"x".repeat(9_000)} HTTP/1.1\r\nHost: a\r\n\r\n`]],
  ["A31 prior knowledge", 505, ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]],
];
for (const [name, status, heads] of refusedHeads) {
  test(name, async () => {
    for (const head of heads) await refused(head, status);
  });
}

const chunked = `${P}Transfer-Encoding: chunked\r\n\r\n`;
const refusedBodies: readonly [string, readonly string[]][] = [
  ["A9 chunk line ends", ["1;a\nZ\r\n0\r\n\r\n", "1\r\nZQQ", "1\r\nZ\n0\r\n\r\n"]],
  [
    "A10 chunk sizes",
    ["0x1\r\nZ\r\n", "+1\r\nZ\r\n", " 1\r\nZ\r\n", "00000000000000001\r\nZ\r\n", "\r\nZ\r\n"],
  ],
  [
    "A11 chunk extensions",
    [`1;${"x".repeat(16_384)}\r\nZ\r\n0\r\n\r\n`, `1;${"x".repeat(200)}\r\nZ\r\n`.repeat(90)],
  ],
  ["A12 trailers that are no fields", ["0\r\nX : 1\r\n\r\n", "0\r\nX: a\nY: b\r\n\r\n"]],
];
for (const [name, bodies] of refusedBodies) {
  test(`${name}: refused, and never a whole request for the origin`, async () => {
    for (const body of bodies) {
      const outcome = await send(chunked + body + smuggled);
      assert.match(outcome.client, /^HTTP\/1\.1 400 /, JSON.stringify(body.slice(0, 80)));
      assert.doesNotMatch(outcome.origin, /0\r\n\r\n$|smuggled/, JSON.stringify(body.slice(0, 80)));
    }
  });
}

test("A4 a pipelined request behind a body that our own answer left unread", async () => {
  // 417 is our own answer; what follows could be the body or a request: nobody must take it for one.
  const outcome = await send(`${P}Content-Length: ${smuggled.length}\r\nExpect: y\r\n\r\n${smuggled}`);
  assert.match(outcome.client, /^HTTP\/1\.1 417 /);
  assert.equal(outcome.origin, "");
});

test("A12 trailers that frame or authenticate do not reach the origin", async () => {
  const got = await seen(
    `${P}Transfer-Encoding: chunked\r\n`,
    "1\r\nZ\r\n0\r\nContent-Length: 9\r\nHost: b\r\nAuthorization: x\r\nTransfer-Encoding: y\r\nX-Sum: 1\r\n\r\n",
  );
  assert.doesNotMatch(got, /Content-Length|Host: b|Authorization|Transfer-Encoding: y/);
  assert.match(got, /Transfer-Encoding: chunked\r\n/);
});

test("A15 A16 A17 forged fields", async () => {
  const got = await seen(
    `${G}X_Forwarded_For: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n` +
      "X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil\r\nX-Request-Id: evil\r\nCookie: a=b\r\nX-Hop: evil\r\n" +
      "Connection: x-hop, x-forwarded-for, cookie\r\n",
  );
  assert.doesNotMatch(got, /6\.6\.6\.6|gopher|evil/);
  assert.match(got, /\r\nX-Forwarded-For: 127\.0\.0\.1\r\n/);
  assert.match(got, /\r\nX-Forwarded-Proto: http\r\n/);
  assert.match(got, /\r\nX-Forwarded-Host: a\r\n/);
  assert.match(got, /\r\nCookie: a=b\r\n/);
});

test("A19 A21 the origin sees one canonical origin form", async () => {
  const target = async (raw: string) => (await seen(`GET ${raw} HTTP/1.1\r\nHost: a\r\n`)).split(" ")[1];
  assert.equal(await target("http://A//x/./%7e/../y%2fz;p?q=[|%"), "/x/y%2Fz;p?q=[|%");
  assert.equal(await target("//admin"), "/admin");
  assert.equal(await target("/a/%2e%2E/admin"), "/admin");
});

test("A22 an escaped line end stays one", async () => {
  const got = await seen(`GET /%0d%0aX:%20y HTTP/1.1\r\nHost: a\r\n`);
  assert.match(got, /^GET \/%0D%0AX:%20y HTTP\/1\.1\r\n/);
});

test("A22 an answer that could split is not passed on", async () => {
  const bad = [
    "X: a\rSet-Cookie: b",
    "X: a\nSet-Cookie: b",
    "X : y",
    "Content-Length: 3",
    "Transfer-Encoding: chunked",
  ];
  for (const line of bad) {
    answer = (_connection, head) =>
      head.includes("/marker") ? answered : answered.replace("\r\n\r\n", `\r\n${line}\r\n\r\n`);
    const outcome = await send(`${G}Connection: close\r\n\r\n`);
    assert.match(outcome.client, /^HTTP\/1\.1 502 /, line);
    assert.doesNotMatch(outcome.client, /Set-Cookie/, line);
  }
  answer = () => answered;
});

test("A30 what is pipelined behind an upgrade is not tunnelled when the answer is 200", async () => {
  const outcome = await send(
    `${G}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n`,
  );
  assert.match(outcome.origin, /\r\nUpgrade: websocket\r\n/);
  assert.doesNotMatch(outcome.origin, /6\.6\.6\.6/, "read as a request of its own, or not at all");
});

test("A31 h2c is stripped", async () => {
  const got = await send(
    `${G}Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\r\n`,
  );
  assert.match(got.client, /^HTTP\/1\.1 200 /);
  assert.doesNotMatch(got.origin, /h2c|HTTP2|Upgrade/i);
});
