/** Seeded makers of request and answer heads: sound ones, odd ones, and damaged ones. */
import type { Random } from "../../src/support/clock.ts";

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!;
}

const methods = ["GET", "GET", "POST", "HEAD", "OPTIONS", "PROPFIND", "get", "TRACE", "PRI"];
const targets = [
  "/",
  "/a/b?c=d",
  "/%7e/..%2f",
  "//x/./y/../z",
  "*",
  "http://a/b",
  "https://A",
  "/[x]|",
  "/a?%zz[]",
  "/%00",
];
const versions = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "http/1.1"];
const lines = [
  ...["Host: a", "Host: a", "host: A", "Host: b:80", "Host: [::1]:8080", "Host: a/b", "Host:"],
  ...["Content-Length: 5", "Content-Length: +5", "content-length: 5", "Content-Length: 5, 5"],
  ...["Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "transfer-encoding: x"],
  ...[
    "Connection: close",
    "Connection: keep-alive, X-Hop",
    "Connection: Upgrade",
    "Connection: Host",
    "Connection: ,",
  ],
  ...["Upgrade: websocket", "Upgrade: h2c", "Expect: 100-continue", "TE: trailers", "HTTP2-Settings: x"],
  ...[
    "X-Hop: 1",
    "X-Forwarded-For: 1.2.3.4",
    "X_Forwarded_For: 1",
    "Forwarded: for=1",
    "Via: 1.1 x",
    "X-Request-Id: 7",
  ],
  ...[
    "Cookie: a=b",
    "Cookie: c=d",
    "User-Agent: ua",
    "Referer: r",
    "Accept: */*",
    "X: \x80\xff",
    "Y:",
    "Z: \t a \t",
  ],
];
/** Pieces that have fooled parsers. */
const poison = [
  "\r",
  "\n",
  "\r\n",
  "\0",
  " ",
  "\t",
  ":",
  ",",
  ";",
  "\x0b",
  "\x7f",
  "\x80",
  "_",
  "%",
  "#",
  "\\",
  "\r\n ",
  "\r\n\r\n",
];

export function requestHead(random: Random): string {
  const count = Math.floor(random() * 8);
  const fields = ["Host: a"];
  for (let i = 0; i < count; i++) fields.push(pick(random, lines));
  if (random() < 0.1) fields.shift();
  const start = `${pick(random, methods)} ${pick(random, targets)} ${pick(random, versions)}`;
  return `${random() < 0.1 ? "\r\n" : ""}${[start, ...fields].join("\r\n")}\r\n\r\n`;
}

export function answerHead(random: Random): string {
  const count = Math.floor(random() * 8);
  const fields: string[] = [];
  for (let i = 0; i < count; i++) fields.push(pick(random, lines));
  const start = `${pick(random, versions)} ${pick(random, ["200 OK", "204 No Content", "304", "101 x", "999 \x80", "20 x"])}`;
  return `${[start, ...fields].join("\r\n")}\r\n\r\n`;
}

/** Up to three pieces put in, bytes changed, taken out, or parts doubled. */
export function damaged(random: Random, text: string): string {
  let result = text;
  for (let times = Math.floor(random() * 4); times > 0; times--) {
    const at = Math.floor(random() * result.length);
    const to = at + Math.floor(random() * 4);
    const middle = pick(random, [
      () => pick(random, poison),
      () => String.fromCharCode(Math.floor(random() * 256)),
      () => "",
      () => result.slice(at, to).repeat(2),
    ])();
    result = result.slice(0, at) + middle + result.slice(random() < 0.5 ? at : to);
  }
  return result;
}
