/** Seeded makers of what an app server sends on one connection for one request, before it ends the connection. */
import type { Random } from "../../src/support/clock.ts";
import { damaged, pick } from "./heads.ts";
import { chunks, lengthLines, mostly } from "./requests.ts";

export function answerStream(random: Random): string {
  let text = "";
  if (random() < 0.1)
    text += `HTTP/1.1 ${pick(random, ["100 Continue", "103 Early Hints", "102 x"])}\r\n${random() < 0.5 ? "Link: </a>\r\n" : ""}\r\n`;
  text += answer(random);
  const end = random();
  if (end < 0.1) text = text.slice(0, Math.floor(random() * text.length));
  else if (end < 0.2)
    text += pick(random, ["x", "\r\n", "\0", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"]);
  return random() < 0.7 ? text : damaged(random, text);
}

function answer(random: Random): string {
  const version = mostly(random, "HTTP/1.1", [
    "HTTP/1.0",
    "HTTP/1.0",
    "HTTP/1.2",
    "HTTP/2",
    "HTTP/0.9",
    "http/1.1",
    "ICY",
  ]);
  const status = mostly(
    random,
    "200",
    ["204", "304", "404", "500", "206", "999", "101", "099", "20", "2000", "+20"],
    0.2,
  );
  const reason = mostly(random, " OK", ["", " ", " caf\xe9", " a\tb", " \0"], 0.1);
  const lines = [`${version} ${status}${reason}`];
  for (let count = Math.floor(random() * 4); count > 0; count--) lines.push(field(random));
  if (random() < 0.01) lines.push(`X: ${"y".repeat(700 + Math.floor(random() * 400))}`);
  if (random() < 0.01) lines.push(...Array<string>(13).fill("X: y"));
  const [framing, body] = bodyOf(random);
  for (const line of framing) lines.splice(1 + Math.floor(random() * lines.length), 0, line);
  const head = lines
    .map((line) => line + mostly(random, "\r\n", ["\n", "\r", "\r\r\n", "\r\n ", "\n\n"], 0.003))
    .join("");
  return `${head}\r\n${body}`;
}

const fields = [
  "Content-Type: text/html",
  "Set-Cookie: a=b",
  "Set-Cookie: c=d",
  "Date: Sat, 21 Nov 2026 07:45:32 GMT",
  "Connection: keep-alive",
  "Connection: close",
  "Connection: X-Hop, close",
  "X-Hop: y",
  "Keep-Alive: timeout=5",
  "Upgrade: websocket",
  "X: \xe4\xff",
  "X:",
  "X_Y: z",
  "X:\t a b \t",
  'ETag: "q"',
  "Via: 1.1 x",
  "TE: x",
  "Proxy-Connection: close",
  "Trailer: X-Sum",
];
const wrong = [
  "X : y",
  "X",
  ": y",
  "X: a\0b",
  "X: \x0b",
  " folded",
  "Connection: Host",
  "Connection: a b",
  "Connection: Transfer-Encoding",
];

function field(random: Random): string {
  return random() < 0.03 ? pick(random, wrong) : pick(random, fields);
}

function bodyOf(random: Random): [string[], string] {
  const content = pick(random, [
    "",
    "x",
    "hello",
    "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
    "0\r\n\r\n",
    "\r\n",
  ]);
  const kind = random();
  if (kind < 0.12) return [[], content];
  if (kind < 0.55) {
    return [lengthLines(random, content, 0.1, 0.05), content];
  }
  const coding = mostly(
    random,
    "chunked",
    [",chunked", "chunked, identity", "gzip, chunked", "\x0bchunked", "Chunked ", "gzip", "identity", ""],
    0.1,
  );
  const line = `Transfer-Encoding: ${coding}`;
  return [mostly(random, [line], [[line, line]], 0.03), chunks(random, content)];
}
