/** Raw sockets for tests: clients that send exact bytes, and origins that record and answer exact bytes. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Sends `bytes`, ends nothing, and resolves with all that came until the other side closed (or `untilBytes` matched). */
export async function exchange(port: number, bytes: string | Buffer, until?: RegExp): Promise<string> {
  const client = await RawClient.open(port);
  client.send(bytes);
  const text = await client.read(until);
  client.destroy();
  return text;
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
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
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

/** An origin that records every byte it gets and answers with what `answer` returns per request head. */
export class RawOrigin {
  readonly connections: RawClient[] = [];
  /** Every byte that any connection brought. */
  received = "";
  readonly #server: Server;

  constructor(answer: (connection: RawClient, head: string, count: number) => string | null) {
    let count = 0;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection = new RawClient(socket);
      this.connections.push(connection);
      let unanswered = "";
      socket.on("data", (data) => {
        const text = data.toString("latin1");
        this.received += text;
        unanswered += text;
        // A body before the next head is passed over.
        const nextHead = /[A-Z]+ \S+ HTTP\/1\.1\r\n[^]*?\r\n\r\n/;
        for (let found = nextHead.exec(unanswered); found !== null; found = nextHead.exec(unanswered)) {
          unanswered = unanswered.slice(found.index + found[0].length);
          const answered = answer(connection, found[0], ++count);
          if (answered !== null) connection.send(answered);
        }
      });
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  close(): void {
    this.#server.close();
    for (const connection of this.connections) connection.destroy();
  }
}
