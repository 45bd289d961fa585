/**
 * Nanoseconds per head and per chunked body, best and median of short rounds (two seconds in all). Prints one line per row:
 *   node bench/micro-http.ts
 */
import { BodyDecoder } from "../src/http/body.ts";
import { type HeadLimits, parseRequestHead, RequestHead } from "../src/http/request-head.ts";
import { parseResponseHead, ResponseHead } from "../src/http/response-head.ts";
import { http } from "../src/support/limits.ts";

const limits: HeadLimits = http;
const rounds = 20;
const perRound = 20_000;

const browser = [
  "GET /products/espresso-machine?colour=red&page=2 HTTP/1.1",
  "Host: shop.example.com",
  "Connection: keep-alive",
  'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"',
  "sec-ch-ua-mobile: ?0",
  "Upgrade-Insecure-Requests: 1",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,*/*;q=0.8",
  "Sec-Fetch-Site: same-origin",
  "Referer: https://shop.example.com/products",
  "Accept-Encoding: gzip, deflate, br",
  "Accept-Language: en-GB,en;q=0.9",
  "Cookie: sid=AB0123456789abcdefghijkl.0123456789abcdefghijkl",
];
const express = [
  "HTTP/1.1 200 OK",
  "X-Powered-By: Express",
  "Content-Type: text/html; charset=utf-8",
  "Content-Length: 2048",
  'ETag: W/"800-0123456789abcdefghijklmnopq"',
  "Date: Thu, 01 Jan 2026 00:00:00 GMT",
  "Connection: keep-alive",
  "Keep-Alive: timeout=15",
];

function bytesOf(lines: string[]): Buffer {
  // Not at the beginning of its buffer, as in a pipelined connection.
  return Buffer.from(`0123456${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

function measure(name: string, bytes: number, work: () => number): void {
  const times: number[] = [];
  let sum = 0;
  for (let round = 0; round < rounds; round++) {
    const from = process.hrtime.bigint();
    for (let i = 0; i < perRound; i++) sum += work();
    times.push(Number(process.hrtime.bigint() - from) / perRound);
  }
  if (sum <= 0) throw new Error(`${name}: refused`);
  times.sort((a, b) => a - b);
  const best = times[0]!.toFixed(0);
  const median = times[rounds >> 1]!.toFixed(0);
  process.stdout.write(`${name}: ${bytes} bytes, best ${best} ns, median ${median} ns\n`);
}

const request = bytesOf(browser);
const requestHead = new RequestHead();
measure("request head, 12 fields", request.length - 7, () =>
  parseRequestHead(request, 7, request.length, limits, requestHead),
);

const small = bytesOf(["GET / HTTP/1.1", "Host: a"]);
measure("request head, smallest", small.length - 7, () =>
  parseRequestHead(small, 7, small.length, limits, requestHead),
);

const answer = bytesOf(express);
const responseHead = new ResponseHead();
measure("response head, 7 fields", answer.length - 7, () =>
  parseResponseHead(answer, 7, answer.length, limits, responseHead),
);

const chunked = Buffer.from(`${"400\r\n"}${"x".repeat(1024)}\r\n0\r\n\r\n`, "latin1");
const decoder = new BodyDecoder();
const sink = { onBodyBytes(): void {} };
measure("chunked body, one chunk", chunked.length, () => {
  decoder.begin("chunked", 0);
  return decoder.push(chunked, 0, chunked.length, sink);
});
