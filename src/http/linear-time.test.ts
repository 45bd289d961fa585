/** A48: no bytes cost more than others of their number; what is in no way odd is the measure. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyDecoder } from "./body.ts";
import { parseRequestHead, RequestHead } from "./request-head.ts";
import { parseResponseHead, ResponseHead } from "./response-head.ts";

const limits = { headBytesMax: 65_536, fieldsMax: 20_000, targetBytesMax: 65_536 };
const bytes = 60_000;
const many = (text: string, room = bytes): string => text.repeat(Math.floor(room / text.length));

const G = "GET / HTTP/1.1\r\nHost: a\r\n";
const heads: Readonly<Record<string, string>> = {
  slashes: `GET ${many("/")} HTTP/1.1\r\nHost: a\r\n\r\n`,
  "dot segments": `GET ${many("/a/..")} HTTP/1.1\r\nHost: a\r\n\r\n`,
  "single dots": `GET ${many("/.")} HTTP/1.1\r\nHost: a\r\n\r\n`,
  "hidden dot segments, nearly": `GET /${many("...;.", 30_000)}${many("%2F.a", 30_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  escapes: `GET /${many("%41")} HTTP/1.1\r\nHost: a\r\n\r\n`,
  "characters to escape": `GET /${many("|", 20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  "blanks in a value": `${G}X:${many(" ")}y\r\n\r\n`,
  "blanks behind a value": `${G}X: y${many(" \t")}\r\n\r\n`,
  "Connection options": `${G}Connection: ${many("a,")}\r\n\r\n`,
  "Connection lines": `${G}${many("Connection: a\r\n")}\r\n`,
  "Connection commas": `${G}Connection: ${many(", ")}\r\n\r\n`,
  "protocols to upgrade to": `${G}Connection: upgrade\r\nUpgrade: ${many("a/b/")}\r\n\r\n`,
  cookies: `${G}${many("Cookie: a\r\n")}\r\n`,
  "X-Forwarded-For lines": `${G}${many("X-Forwarded-For: a\r\n")}\r\n`,
  "names in Transfer-Encoding": `${G}Transfer-Encoding: ${many("a ,")}chunked\r\n\r\n`,
  ranges: `${G}Range: bytes=${many("0-,")}\r\n\r\n`,
  "a host of dots": `GET / HTTP/1.1\r\nHost: ${many("a.")}\r\n\r\n`,
  "an address of colons": `GET / HTTP/1.1\r\nHost: [${many("1:")}]\r\n\r\n`,
};

/** The best of some runs, in milliseconds. */
function costMs(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let times = 0; times < 5; times++) {
    const from = performance.now();
    run();
    best = Math.min(best, performance.now() - from);
  }
  return best;
}

function requestCostMs(text: string): number {
  const head = new RequestHead();
  const buffer = Buffer.from(text, "latin1");
  return costMs(() => parseRequestHead(buffer, 0, buffer.length, limits, head));
}

// Quadratic work on 60,000 bytes is seconds; a busy machine is not a hundred times slower than itself.
const plainMs = Math.max(0.5, requestCostMs(`${G}${many("Accept: text/html\r\n")}\r\n`));

for (const [what, text] of Object.entries(heads)) {
  test(`A48 ${what}: time in proportion to the bytes`, () => {
    const ms = requestCostMs(text);
    assert.ok(ms < 60 * plainMs, `${ms} ms, an ordinary head ${plainMs} ms`);
  });
}

test("A48 bodies and answers: time in proportion to the bytes", () => {
  const body = new BodyDecoder();
  const text = Buffer.from(`${"1\r\nx\r\n".repeat(8_000)}0\r\n${many("X: y\r\n", 8_000)}\r\n`, "latin1");
  const decodeMs = costMs(() => {
    body.begin("chunked", 0);
    body.push(text, 0, text.length, { onBodyBytes: () => {} });
  });
  assert.ok(decodeMs < 60 * plainMs, `${decodeMs} ms`);
  const head = new ResponseHead();
  const answer = Buffer.from(
    `HTTP/1.1 200 OK\r\nConnection: ${many("a,", 30_000)}\r\n${many("a: b\r\n", 30_000)}\r\n`,
    "latin1",
  );
  const answerMs = costMs(() => parseResponseHead(answer, 0, answer.length, limits, head));
  assert.ok(answerMs < 60 * plainMs, `${answerMs} ms`);
});
