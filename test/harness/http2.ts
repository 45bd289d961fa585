/** Visitors over HTTP/2: an honest one (Node's client), and one that writes its frames by hand. */
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { TestContext } from "node:test";
import { type TLSSocket, connect as tlsConnect } from "node:tls";

export interface Http2Answer {
  /** 0: none came. */
  readonly status: number;
  readonly fields: IncomingHttpHeaders;
  readonly interim: readonly IncomingHttpHeaders[];
  readonly body: string;
  readonly trailer: IncomingHttpHeaders;
  /** Of RST_STREAM; 0 for a whole answer. */
  readonly resetCode: number;
}

/** A session that ends with the test. */
export async function http2Session(t: TestContext, port: number): Promise<ClientHttp2Session> {
  const session = connect(`https://127.0.0.1:${port}`, {
    rejectUnauthorized: false,
    maxSessionMemory: 1_000,
  });
  t.after(() => session.destroy());
  session.on("error", () => {});
  await once(session, "connect");
  return session;
}

/** Sends a request and reads its answer. @param body undefined: none; a string: all of it; null: the caller writes it. */
export function ask(
  session: ClientHttp2Session,
  fields: OutgoingHttpHeaders,
  body?: string | null,
): ClientHttp2Stream & { answer: Promise<Http2Answer> } {
  const stream = session.request(fields, { endStream: body === undefined });
  const answer = readAnswer(stream);
  if (typeof body === "string") stream.end(body);
  return Object.assign(stream, { answer });
}

/** The same, when only the answer matters. */
export function get(session: ClientHttp2Session, path: string): Promise<Http2Answer> {
  return ask(session, { ":path": path }).answer;
}

async function readAnswer(stream: ClientHttp2Stream): Promise<Http2Answer> {
  let fields: IncomingHttpHeaders = {};
  let trailer: IncomingHttpHeaders = {};
  const interim: IncomingHttpHeaders[] = [];
  let body = "";
  stream.on("headers", (found) => void interim.push(found));
  stream.on("response", (found) => {
    fields = found;
  });
  stream.on("trailers", (found) => {
    trailer = found;
  });
  stream.setEncoding("latin1").on("data", (text: string) => {
    body += text;
  });
  stream.on("error", () => {});
  await new Promise((resolve) => stream.once("close", resolve));
  return {
    status: Number(fields[":status"] ?? 0),
    fields,
    interim,
    body,
    trailer,
    resetCode: stream.rstCode ?? 0,
  };
}

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const Flag = { endStream: 1, ack: 1, endHeaders: 4 } as const;
export const ErrorCode = {
  noError: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
} as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** One frame (RFC 9113, 4.1). */
export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ""): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

/** Fields as HPACK literals without indexing and without Huffman coding (RFC 7541, 6.2.2): any bytes, as they are. */
export function hpack(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), hpackText(name), hpackText(value)]),
  );
}

function hpackText(text: string): Buffer {
  return Buffer.concat([hpackInteger(text.length, 7, 0), Buffer.from(text, "latin1")]);
}

/** RFC 7541, 5.1. */
export function hpackInteger(value: number, prefixBits: number, first: number): Buffer {
  const most = 2 ** prefixBits - 1;
  if (value < most) return Buffer.from([first | value]);
  const bytes = [first | most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** The fields of a request as a browser would send them. */
export function requestFields(
  path: string,
  more: readonly (readonly [string, string])[] = [],
): (readonly [string, string])[] {
  return [[":method", "GET"], [":scheme", "https"], [":authority", "a"], [":path", path], ...more];
}

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A client that writes its frames by hand and acknowledges nothing by itself. */
export class RawHttp2 {
  readonly socket: TLSSocket;
  readonly frames: Frame[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #wake: (() => void) | null = null;
  closed = false;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("data", (bytes) => this.#received(bytes));
    socket.on("error", () => {});
    socket.on("close", () => this.#end());
    socket.on("end", () => this.#end());
  }

  /** Sends the preface and SETTINGS. @param settings its payload. */
  static async open(t: TestContext, port: number, settings: Buffer = Buffer.alloc(0)): Promise<RawHttp2> {
    const socket = tlsConnect({
      port,
      host: "127.0.0.1",
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    t.after(() => void socket.destroy());
    await once(socket, "secureConnect");
    const client = new RawHttp2(socket);
    client.send(preface, frame(FrameType.settings, 0, 0, settings));
    return client;
  }

  send(...frames: readonly Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames));
  }

  /** A whole head without a body. */
  request(stream: number, fields: readonly (readonly [string, string])[]): void {
    this.send(frame(FrameType.headers, Flag.endHeaders | Flag.endStream, stream, hpack(fields)));
  }

  /** The first frame of this type (on this stream), now or when it comes; null when the connection ended without. */
  async next(type: number, stream?: number): Promise<Frame | null> {
    for (;;) {
      const at = this.frames.findIndex(
        (found) => found.type === type && (stream === undefined || found.stream === stream),
      );
      if (at >= 0) return this.frames.splice(at, 1)[0]!;
      if (this.closed) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The error code of a GOAWAY, or -1 when the connection ended without one. */
  async goawayCode(): Promise<number> {
    const found = await this.next(FrameType.goaway);
    return found === null ? -1 : found.payload.readUInt32BE(4);
  }

  /** The error code of the stream's RST_STREAM, or -1. */
  async resetCode(stream: number): Promise<number> {
    const found = await this.next(FrameType.rstStream, stream);
    return found === null ? -1 : found.payload.readUInt32BE(0);
  }

  async ended(): Promise<void> {
    while (!this.closed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  #received(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    while (this.#bytes.length >= 9) {
      const length = this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < 9 + length) break;
      this.frames.push({
        type: this.#bytes[3]!,
        flags: this.#bytes[4]!,
        stream: this.#bytes.readUInt32BE(5) & 0x7fffffff,
        payload: Buffer.from(this.#bytes.subarray(9, 9 + length)),
      });
      this.#bytes = this.#bytes.subarray(9 + length);
    }
    this.#wake?.();
  }

  #end(): void {
    this.closed = true;
    this.#wake?.();
  }
}
