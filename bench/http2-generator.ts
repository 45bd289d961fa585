/**
 * A generator of load over HTTP/2 as a process of its own: settings as JSON in, result out. It writes its frames by hand, so
 * that it costs less than what it measures, and packs its header as a browser does: every field is in the table of HPACK
 * after the first request.
 */
import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { Flag, FrameType, frame, hpackInteger, setting, uint32 } from "../test/harness/http2.ts";

export interface Http2LoadSettings {
  readonly port: number;
  readonly connections: number;
  /** Open requests on each connection. */
  readonly streams: number;
  readonly fields: readonly (readonly [string, string])[];
  readonly durationMs: number;
}

export interface Http2LoadResult {
  readonly answered: number;
  /** Answers other than 200, resets, closed connections. */
  readonly failed: number;
  readonly elapsedMs: number;
}

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** :status 200 in the static table. */
const status200 = 0x88;
const staticFields = 61;

class LoadConnection {
  answered = 0;
  failed = 0;
  ended = false;
  readonly #socket: TLSSocket;
  readonly #block: Buffer;
  #nextStream = 1;
  #rest: Buffer = Buffer.alloc(0);
  #out: Buffer[] = [];

  constructor(socket: TLSSocket, { fields, streams }: Http2LoadSettings) {
    this.#socket = socket;
    this.#block = Buffer.from(fields.map((_field, at) => 0x80 | (staticFields + fields.length - at)));
    socket.on("data", (bytes) => this.#received(bytes));
    socket.on("error", () => {});
    socket.on("close", () => {
      if (!this.ended) this.failed++;
    });
    const indexed = fields.flatMap(([name, value]) => [Buffer.from([0x40]), text(name), text(value)]);
    this.#out.push(preface, frame(FrameType.settings, 0, 0, setting(4, 0x7fffffff)));
    this.#out.push(frame(FrameType.windowUpdate, 0, 0, uint32(0x7fffffff - 65_535)));
    this.#ask(Buffer.concat(indexed));
    for (let at = 1; at < streams; at++) this.#ask(this.#block);
    this.#flush();
  }

  #ask(block: Buffer): void {
    this.#out.push(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, this.#nextStream, block));
    this.#nextStream += 2;
  }

  #flush(): void {
    if (this.#out.length > 0 && !this.#socket.destroyed) this.#socket.write(Buffer.concat(this.#out));
    this.#out = [];
  }

  #received(bytes: Buffer): void {
    let all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (all.length >= 9) {
      const length = all.readUIntBE(0, 3);
      if (all.length < 9 + length) break;
      this.#frame(all[3]!, all[4]!, all[9] ?? 0);
      all = all.subarray(9 + length);
    }
    this.#rest = all;
    this.#flush();
  }

  #frame(type: number, flags: number, first: number): void {
    if (type === FrameType.settings && (flags & Flag.ack) === 0)
      this.#out.push(frame(FrameType.settings, Flag.ack, 0));
    if (type === FrameType.rstStream || type === FrameType.goaway) this.failed++;
    if (type === FrameType.headers && first !== status200) this.failed++;
    const ends = (type === FrameType.headers || type === FrameType.data) && (flags & Flag.endStream) !== 0;
    if (!ends) return;
    this.answered++;
    if (!this.ended) this.#ask(this.#block);
  }

  end(): void {
    this.ended = true;
    this.#socket.destroy();
  }
}

function text(value: string): Buffer {
  return Buffer.concat([hpackInteger(value.length, 7, 0), Buffer.from(value, "latin1")]);
}

const settings = JSON.parse(process.argv[2]!) as Http2LoadSettings;
const open = Array.from({ length: settings.connections }, async () => {
  const socket = connect({
    port: settings.port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
  });
  await once(socket, "secureConnect");
  socket.setNoDelay(true);
  return socket;
});
const sockets = await Promise.all(open);
const from = performance.now();
const connections = sockets.map((socket) => new LoadConnection(socket, settings));
await new Promise((resolve) => setTimeout(resolve, settings.durationMs));
const elapsedMs = performance.now() - from;
const result: Http2LoadResult = {
  answered: connections.reduce((sum, { answered }) => sum + answered, 0),
  failed: connections.reduce((sum, { failed }) => sum + failed, 0),
  elapsedMs,
};
for (const connection of connections) connection.end();
process.stdout.write(`${JSON.stringify(result)}\n`);
