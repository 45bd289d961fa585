/**
 * CPU microseconds per request of the app tier alone: a link in memory that counts bytes and does nothing else.
 *
 *   node --expose-gc bench/micro-app.ts [requests]
 *
 * "bare" is what no implementation can save: Node's request and response classes on the least socket that lets
 * them work, and the handler. The difference to it is this tier's own cost.
 */
import { EventEmitter } from "node:events";
import http, { type RequestListener } from "node:http";
import express from "express";
import type { HttpService } from "../src/app-tier/http-service.ts";
import { attachServer } from "../src/app-tier/virtual-listener.ts";
import type { Link, LinkStream, ResetCode, StreamHandler } from "../src/link/api.ts";

const requests = Number(process.argv[2] ?? 60_000);
/** Requests of one read of the link. */
const batch = 16;
const rounds = 5;

const meta = [
  "GET",
  "/hello?name=world",
  "1.1",
  "https",
  "192.0.2.7",
  "51234",
  "192.0.2.1",
  "443",
  "",
  ...[
    "host",
    "www.example.com",
    "user-agent",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  ],
  ...[
    "accept",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-language",
    "en-US,en;q=0.5",
  ],
  ...[
    "accept-encoding",
    "gzip, deflate, br, zstd",
    "referer",
    "https://www.example.com/shop/products?page=2",
  ],
  ...["cookie", "sid=ab-1234567890abcdef.fedcba0987654321; theme=dark", "upgrade-insecure-requests", "1"],
  ...[
    "sec-fetch-dest",
    "document",
    "sec-fetch-mode",
    "navigate",
    "x-forwarded-for",
    "192.0.2.7",
    "x-request-id",
    "0f1e2d3c",
  ],
].join("\n");

class CountingStream implements LinkStream {
  readonly id = 1;
  readonly link: Link = null as unknown as Link;
  handler: StreamHandler | null = null;
  closed = false;
  readonly pendingBytes = 0;
  units = 0;

  write(data: Uint8Array | string): boolean {
    this.units += data.length;
    return true;
  }

  end(): void {
    this.closed = true;
    if (this.units < 100) throw new Error("an answer is missing");
    done++;
  }

  reset(_code: ResetCode, message: string): void {
    throw new Error(`reset: ${message}`);
  }

  consumed(): void {}
}

let done = 0;

/** The prototype's socket: nothing but what OutgoingMessage cannot do without. */
class BareSocket extends EventEmitter {
  readonly readable = true;
  readonly writable = true;
  readonly destroyed = false;
  readonly writableLength = 0;
  readonly writableHighWaterMark = 65_536;
  readonly _writableState = { corked: 0 };
  readonly encrypted = true;
  readonly remoteAddress = "192.0.2.7";
  write(_data: string, encoding: unknown, callback?: () => void): boolean {
    const written = typeof encoding === "function" ? (encoding as () => void) : callback;
    if (written) process.nextTick(written);
    return true;
  }
  cork(): void {}
  uncork(): void {}
  resume(): void {}
  pause(): void {}
}

function bare(handler: RequestListener): () => void {
  return () => {
    const lines = meta.split("\n");
    const socket = new BareSocket();
    const req = new http.IncomingMessage(socket as never);
    req.method = lines[0]!;
    req.url = lines[1]!;
    Object.assign(req, { httpVersion: "1.1", httpVersionMajor: 1, httpVersionMinor: 1 });
    const fields = lines.splice(9);
    (req as unknown as { _addHeaderLines(raw: string[], count: number): void })._addHeaderLines(
      fields,
      fields.length,
    );
    const res = new http.ServerResponse(req);
    res.assignSocket(socket as never);
    res.on("finish", finished);
    handler(req, res);
    req.complete = true;
    req.push(null);
  };
}

function finished(this: http.ServerResponse): void {
  (this.req as unknown as { _dump(): void })._dump();
  this.detachSocket(this.socket!);
  process.nextTick(closed, this);
  done++;
}

function closed(res: http.ServerResponse): void {
  res.emit("close");
}

function served(handler: RequestListener): () => void {
  const service: HttpService = attachServer(http.createServer(handler), {
    address: "127.0.0.1",
    port: 6800,
    counter: { requests: 0 },
    compat: false,
    onClose() {},
  });
  return () => {
    const stream = new CountingStream();
    stream.handler = service.onStream(stream, meta, true);
  };
}

const body = "hello world ".repeat(10);
const plain: RequestListener = (_req, res) => {
  res.setHeader("Content-Type", "text/plain");
  res.setHeader("Content-Length", body.length);
  res.end(body);
};
const app = express().disable("x-powered-by");
app.get("/hello", (req, res) => {
  res.send(`hello ${String(req.query.name)} at ${req.hostname}`);
});

async function round(one: () => void): Promise<number> {
  (globalThis as { gc?: () => void }).gc?.();
  done = 0;
  const before = process.cpuUsage();
  for (let sent = 0; sent < requests; sent += batch) {
    for (let index = 0; index < batch; index++) one();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(before);
  if (done < requests) throw new Error(`${requests - done} of ${requests} answers are missing`);
  return (user + system) / requests;
}

for (const [name, handler] of [
  ["plain handler", plain],
  ["Express", app as unknown as RequestListener],
] as const) {
  const ways = [bare(handler), served(handler)];
  const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  // In turns, so that a busy machine is unfair to both.
  for (let turn = 0; turn < rounds; turn++) {
    for (const [index, way] of ways.entries()) best[index] = Math.min(best[index]!, await round(way));
  }
  const [least, ours] = best as [number, number];
  console.log(
    `${name.padEnd(14)} bare ${least.toFixed(2)}  over the link ${ours.toFixed(2)}  difference ${(ours - least).toFixed(2)} us per request`,
  );
}
