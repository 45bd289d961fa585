/** Raw sockets for tests: clients that send exact bytes, and origins that record and answer exact bytes. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Sends `bytes`, ends nothing, and resolves with all that came until the other side closed (or `until` matched). */
export async function exchange(port: number, bytes: string | Buffer, until?: RegExp): Promise<string> {
  const client = await RawClient.open(port);
  client.send(bytes);
  const text = await client.read(until);
  client.destroy();
  return text;
}

/** One answer, taken apart by its framing. */
export interface RawAnswer {
  readonly status: number;
  /** The whole head. */
  readonly head: string;
  /** Without its framing. */
  readonly body: string;
  /** Behind the last chunk: "Name: value CR LF ...". */
  readonly trailer: string;
  /** The answer had a length, chunks, or no body at all; else its body ended with the connection. */
  readonly framing: "none" | "length" | "chunked" | "close";
  /** The value of the field, or undefined; lines of one name joined by ", ". */
  field(name: string): string | undefined;
}

export class RawClient {
  readonly socket: Socket;
  #text = "";
  #closed = false;
  #wake: (() => void) | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (data) => {
      this.#text += data.toString("latin1");
      this.#wake?.();
    });
    socket.on("error", () => {});
    socket.on("end", () => this.#end());
    socket.on("close", () => this.#end());
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    await once(socket, "connect");
    return new RawClient(socket);
  }

  /** All text that came and was not taken. */
  get text(): string {
    return this.#text;
  }

  /** The other side has ended or cut the connection. */
  get closed(): boolean {
    return this.#closed;
  }

  send(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** Takes the text up to and including the first match, or all of it once the other side has ended. */
  async read(until?: RegExp): Promise<string> {
    for (;;) {
      const match = until === undefined ? null : until.exec(this.#text);
      if (match !== null) return this.#take(match.index + match[0].length);
      if (this.#closed) return this.#take(this.#text.length);
      await this.#more();
    }
  }

  /** Takes `count` characters, or what there is once the other side has ended. */
  async readBytes(count: number): Promise<string> {
    while (this.#text.length < count && !this.#closed) await this.#more();
    return this.#take(Math.min(count, this.#text.length));
  }

  /** Takes one answer. @param method of its request: an answer to HEAD has no body. */
  async answer(method: string = "GET"): Promise<RawAnswer> {
    const head = await this.read(/\r\n\r\n/);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? Number.NaN);
    const field = (name: string): string | undefined => {
      const lines = head.split("\r\n").filter((line) => line.toLowerCase().startsWith(`${name}:`));
      if (lines.length === 0) return undefined;
      return lines.map((line) => line.slice(name.length + 1).trim()).join(", ");
    };
    const answer = { status, head, field, trailer: "" };
    if (method === "HEAD" || status < 200 || status === 204 || status === 304)
      return { ...answer, framing: "none", body: "" };
    const length = field("content-length");
    if (length !== undefined)
      return { ...answer, framing: "length", body: await this.readBytes(Number(length)) };
    if (field("transfer-encoding") !== "chunked")
      return { ...answer, framing: "close", body: await this.read() };
    return { ...answer, framing: "chunked", ...(await this.#chunks()) };
  }

  /** Resolves when the other side has ended or cut the connection. */
  async ended(): Promise<void> {
    while (!this.#closed) await this.#more();
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  async #chunks(): Promise<{ body: string; trailer: string }> {
    let body = "";
    for (;;) {
      const size = Number.parseInt(await this.read(/\r\n/), 16);
      // NaN: the connection ended in the middle.
      if (!(size > 0)) break;
      body += await this.readBytes(size);
      await this.readBytes(2);
    }
    let trailer = "";
    for (let line = await this.read(/\r\n/); line !== "\r\n" && line !== ""; line = await this.read(/\r\n/))
      trailer += line;
    return { body, trailer };
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #take(length: number): string {
    const taken = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return taken;
  }

  #end(): void {
    this.#closed = true;
    this.#wake?.();
  }
}

/** A request's head in what an origin received; a body before it is passed over. */
const nextHead = /[A-Z]+ \S+ HTTP\/1\.1\r\n[\s\S]*?\r\n\r\n/;

/** An origin that records every byte it gets and answers with what `answer` returns per request head. */
export class RawOrigin {
  readonly connections: RawClient[] = [];
  /** Every byte that any connection brought. */
  received = "";
  /** Heads of requests so far. */
  requests = 0;
  port = 0;
  /** Told of each new connection before its first byte. */
  onConnection: (connection: RawClient) => void = () => {};
  readonly #server: Server;
  #waiting: (() => void)[] = [];

  constructor(answer: (connection: RawClient, head: string, count: number) => string | null) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection = new RawClient(socket);
      this.connections.push(connection);
      this.onConnection(connection);
      let unanswered = "";
      socket.on("data", (data) => {
        const text = data.toString("latin1");
        this.received += text;
        unanswered += text;
        for (let found = nextHead.exec(unanswered); found !== null; found = nextHead.exec(unanswered)) {
          unanswered = unanswered.slice(found.index + found[0].length);
          const answered = answer(connection, found[0], ++this.requests);
          if (answered !== null) connection.send(answered);
        }
        for (const look of this.#waiting.splice(0)) look();
      });
    });
  }

  /** An origin that listens and closes with the test. */
  static async start(
    t: { after(end: () => void): void },
    answer: (connection: RawClient, head: string, count: number) => string | null,
    port: number = 0,
  ): Promise<RawOrigin> {
    const origin = new RawOrigin(answer);
    await origin.listen(port);
    t.after(() => origin.close());
    return origin;
  }

  async listen(port: number = 0): Promise<number> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
    return this.port;
  }

  /** Waits until what was received matches. */
  async arrived(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.received);
      if (found !== null) return found;
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    }
  }

  close(): void {
    this.#server.close();
    for (const connection of this.connections) connection.destroy();
  }
}

/** An answer with a length. */
export function ok(body: string, fields: string = ""): string {
  return `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** A port on which nothing listens. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
