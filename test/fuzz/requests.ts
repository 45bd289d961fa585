/**
 * Seeded makers of what clients send on one connection: by a grammar of HTTP/1.1 with odd and wrong productions, and by
 * damage to that and to a corpus.
 */
import type { Random } from "../../src/support/clock.ts";
import { corpus } from "./corpus.ts";
import { damaged, pick } from "./heads.ts";

/** What one seed stands for: the bytes of one connection. */
export function requestStream(random: Random): string {
  const how = random();
  if (how < 0.15) return damaged(random, pick(random, corpus));
  let text = "";
  for (let count = 1 + Math.floor(random() * 3); count > 0; count--) text += request(random);
  if (random() < 0.1) text += pick(random, corpus);
  if (random() < 0.1) text = text.slice(0, Math.floor(random() * text.length));
  return how < 0.6 ? text : damaged(random, text);
}

/** Places to cut `text` into at most six reads. */
export function cutsOf(random: Random, text: string): number[] {
  const cuts = new Set<number>();
  for (let count = Math.floor(random() * 6); count > 0; count--)
    cuts.add(Math.floor(random() * (text.length + 1)));
  return [...cuts].sort((a, b) => a - b);
}

/** Mostly the first, sometimes one of the others. */
export function mostly<T>(random: Random, usual: T, others: readonly T[], share = 0.06): T {
  return random() < share ? pick(random, others) : usual;
}

function request(random: Random): string {
  const method = mostly(random, pick(random, ["GET", "GET", "POST", "HEAD", "OPTIONS", "PUT", "PROPFIND"]), [
    ...["get", "TRACE", "CONNECT", "PRI", "G(T", "", "VERSION-CONTROL", "QUERY", "M-SEARCH", "SOURCE"],
  ]);
  const blank = (): string => mostly(random, " ", ["  ", "\t", "", "\x0b"], 0.01);
  const version = mostly(random, "HTTP/1.1", [
    "HTTP/1.0",
    "HTTP/1.0",
    "HTTP/1.2",
    "HTTP/2.0",
    "http/1.1",
    "HTTP/0.9",
    "",
  ]);
  const lines = [`${method}${blank()}${target(random)}${blank()}${version}`];
  if (random() < 0.97) lines.push(`Host: ${mostly(random, "a", hosts)}`);
  for (let count = Math.floor(random() * 6); count > 0; count--) lines.push(fieldLine(random));
  if (random() < 0.005) lines.push(`X: ${"y".repeat(700 + Math.floor(random() * 400))}`);
  const [framing, body] = bodyOf(random);
  // Anywhere among the others.
  for (const line of framing) lines.splice(1 + Math.floor(random() * lines.length), 0, line);
  const lineEnd = (): string => mostly(random, "\r\n", ["\n", "\r", "\r\r\n", "\r\n ", "\n\n"], 0.002);
  const head = lines.map((line) => line + lineEnd()).join("");
  return `${mostly(random, "", ["\r\n", "\r\n\r\n", "\n", " "], 0.03)}${head}${mostly(random, "\r\n", ["\n", "", "\r"], 0.005)}${body}`;
}

const hosts = [
  "A:80",
  "a.",
  "[::1]:8080",
  "b",
  "",
  "a/b",
  "a:0",
  "a b",
  "user@a",
  "a,a",
  "a:",
  "[::1",
  "x..y",
  "%61",
];
const pieces = [
  "/",
  "/",
  "a",
  "B",
  ".",
  "..",
  "%2e",
  "%2F",
  "%5c",
  "%41",
  "%e4",
  "%25",
  ";x",
  "|",
  "[",
  "~",
  "%zz",
  "%00",
  "\\",
  "#",
  "\xe4",
  "//",
];
const queryPieces = ["?", "a=b", "&", "%", "[]", "|", "\\", "/../", "http://b/", "#", "\xe4"];

function target(random: Random): string {
  if (random() < 0.05)
    return pick(random, [
      "*",
      "http://a",
      "HTTP://A/b?c",
      "https://a/x",
      "http://b/",
      "http://u@a/",
      "ftp://a/",
      "a:80",
      "",
      "?",
      "/x y",
    ]);
  let text = random() < 0.1 ? "http://a/" : "/";
  if (random() < 0.005) text += "x".repeat(180 + Math.floor(random() * 40));
  const odd = random() < 0.5;
  for (let count = Math.floor(random() * 6); count > 0; count--)
    text += odd ? pick(random, pieces) : pick(random, ["a", "b/", ".c", "d-e", "%7E", "/f", "./", "g/../"]);
  if (random() < 0.3) {
    text += "?";
    for (let count = Math.floor(random() * 4); count > 0; count--)
      text += pick(random, queryPieces.slice(0, odd ? 11 : 9));
  }
  return text;
}

const names = [
  "X",
  "Accept",
  "Cookie",
  "User-Agent",
  "X-Forwarded-For",
  "X_Forwarded_For",
  "Forwarded",
  "Via",
  "TE",
  "Trailer",
  "Keep-Alive",
  "Proxy",
  "Range",
  "Referer",
  "X-Hop",
  "Upgrade",
  "HTTP2-Settings",
  "X-Request-Id",
  "Expect",
  "Connection",
  "Date",
  "Content-Type",
  "Host",
];
const values = [
  "",
  "a",
  "a b",
  " a\t",
  "1.2.3.4",
  "x, y",
  "\xe4\xff",
  "close",
  "keep-alive",
  "Upgrade",
  "X-Hop, close",
  "Host",
  "websocket",
  "h2c",
  "100-continue",
  "bytes=0-1",
  '"q"',
  "%0d%0a",
  "a\0b",
  "\x7f",
  "a\x0bb",
];

function fieldLine(random: Random): string {
  const name = pick(random, names);
  const value = sensible(random, name) ?? pick(random, values);
  const colon = mostly(random, ": ", [":", ":\t ", " :", "", "::"], 0.02);
  return `${mostly(random, "", [" ", "\t", "\0", "@"], 0.002)}${random() < 0.1 ? name.toUpperCase() : name}${colon}${value}`;
}

/** A value that leaves the request sound, for names that could end it; now and then not. */
function sensible(random: Random, name: string): string | null {
  if (random() < 0.1) return null;
  if (name === "Connection")
    return pick(random, ["keep-alive", "Keep-Alive, X-Hop", "Upgrade", "close", "", ", ,"]);
  if (name === "Expect") return "100-continue";
  if (name === "Host") return random() < 0.9 ? null : "a";
  return pick(random, ["", "a", "a b", "1.2.3.4", "x, y", "\xe4\xff", "%0d%0a", "trailers"]);
}

/** Framing fields and the body that they tell, or do not tell. */
function bodyOf(random: Random): [string[], string] {
  const kind = random();
  if (kind < 0.5) return [[], ""];
  const content = pick(random, [
    "",
    "x",
    "hello",
    "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "0\r\n\r\n",
    "\r\n",
    "\n",
  ]);
  if (kind < 0.72) {
    return [lengthLines(random, content, 0.12, 0.04), content];
  }
  const coding = mostly(
    random,
    "chunked",
    [
      ",chunked",
      "chunked, identity",
      "identity, chunked",
      "gzip, chunked",
      "\x0bchunked",
      "Chunked ",
      "xchunked",
      "identity",
      "",
    ],
    0.12,
  );
  const line = `Transfer-Encoding: ${coding}`;
  return [mostly(random, [line], [[line, line]], 0.03), chunks(random, content)];
}

export function chunks(random: Random, content: string): string {
  let text = "";
  for (let at = 0; at < content.length; ) {
    const part = content.slice(at, at + 1 + Math.floor(random() * content.length));
    const size = mostly(
      random,
      part.length.toString(16),
      [
        `0x${part.length}`,
        `+${part.length}`,
        ` ${part.length}`,
        "",
        `${part.length} `,
        `0${part.length}`,
        "fffffffffffffffff",
      ],
      0.02,
    );
    const extension = mostly(
      random,
      "",
      [";a=b", ";", ';a="b;c"', ";a\nb", ` ;${"x".repeat(300)}`, `;${"x".repeat(300)}`, ";\xe4"],
      0.08,
    );
    text += `${size}${extension}${newline(random)}${part}${newline(random)}`;
    at += part.length;
  }
  const trailer = mostly(
    random,
    "",
    [
      "X-Sum: 1\r\n",
      "Content-Length: 5\r\n",
      "Host: b\r\n",
      "X : y\r\n",
      " folded\r\n",
      "Transfer-Encoding: chunked\r\n",
      "X: a\nY: b\r\n",
      "X: a\rb\r\n",
      "Authorization: x\r\nX-T: \t1 \r\n",
    ],
    0.15,
  );
  return `${text}${mostly(random, "0", ["00", "0;x", "0 ", "-0"], 0.05)}\r\n${trailer}${newline(random)}`;
}

function newline(random: Random): string {
  return mostly(random, "\r\n", ["\n", "\r", "QQ", "", "\r\r\n"], 0.008);
}

/** Content-Length of this body. @param wrongShare how often with another value. @param moreShare how often beside another line that frames. */
export function lengthLines(
  random: Random,
  content: string,
  wrongShare: number,
  moreShare: number,
): string[] {
  const length = mostly(
    random,
    String(content.length),
    ["", "+1", "0x1", "1,1", "18446744073709551617", "1 1", "00", "-1", "5", "0"],
    wrongShare,
  );
  const line = `Content-Length:${mostly(random, " ", ["", "\t", "\x0b"], 0.03)}${length}`;
  const more = [
    [line, line],
    [line, "Transfer-Encoding: chunked"],
  ];
  return mostly(random, [line], more, moreShare);
}
