/** The two ways to one application, behind one client: a TCP connection to node:http, and a stream of a link. */
import type http from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { HttpService } from "../../src/app-tier/http-service.ts";
import { attachServer } from "../../src/app-tier/virtual-listener.ts";
import { type LinkStream, ResetCode, type StreamHandler, StreamKind } from "../../src/link/api.ts";
import { dialOnce } from "../../src/link/dialer.ts";
import { linkKeys } from "../../src/link/keys.ts";
import { LinkListener } from "../../src/link/listener.ts";
import { silentLog } from "../../src/support/log.ts";
import { MemoryLink } from "../harness/memory-link.ts";
import { type Answer, AnswerReader } from "./answer.ts";
import { openBridge } from "./bridge.ts";

export interface RequestHead {
  readonly method?: string;
  readonly target?: string;
  readonly version?: "1.0" | "1.1";
  /** Without Host and the framing of the body. */
  readonly fields?: readonly (readonly [string, string])[];
  /** A number is a Content-Length. */
  readonly body?: "none" | "chunked" | number;
  readonly upgrade?: string;
}

/** One request of a client that a test scripts. */
export abstract class Client {
  protected readonly reader: AnswerReader;
  protected readonly head: RequestHead;
  protected over = false;
  #waiters: (() => void)[] = [];

  constructor(head: RequestHead) {
    this.head = head;
    this.reader = new AnswerReader(head.method ?? "GET");
  }

  abstract write(bytes: string | Buffer): void;
  abstract end(trailers?: readonly string[]): void;
  /** Goes away without a word (RST), or politely (FIN). */
  abstract abort(how: "reset" | "close"): void;
  abstract pause(): void;
  abstract resume(): void;

  get bodyBytes(): number {
    return this.reader.bodyBytes;
  }

  get interimCount(): number {
    return this.reader.interimCount;
  }

  get headSeen(): boolean {
    return this.reader.headSeen;
  }

  takeTunnel(): Buffer {
    return this.reader.takeTunnel();
  }

  get ended(): boolean {
    return this.over;
  }

  /** Resolves when something has come, or has ended. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  async answer(): Promise<Answer> {
    await this.until(() => this.reader.complete || this.over);
    return this.reader.answer();
  }

  protected came(bytes: Buffer): void {
    this.reader.read(bytes);
    this.#wake();
  }

  protected wentAway(): void {
    this.over = true;
    this.reader.ended();
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  protected allFields(): (readonly [string, string])[] {
    const fields: (readonly [string, string])[] = [["Host", "a.test"], ...(this.head.fields ?? [])];
    if (this.head.body === "chunked") fields.push(["Transfer-Encoding", "chunked"]);
    if (typeof this.head.body === "number") fields.push(["Content-Length", String(this.head.body)]);
    if (this.head.upgrade !== undefined)
      fields.push(["Connection", "Upgrade"], ["Upgrade", this.head.upgrade]);
    return fields;
  }

  protected get ended_(): boolean {
    return (this.head.body ?? "none") === "none";
  }
}

/** A way to a server: what a trace test runs twice. */
export interface Way {
  /** For clients that speak HTTP themselves. */
  readonly port: number;
  request(head: RequestHead): Client;
  /** One request with all its body, its answer, and the last events of its socket. */
  exchange(head: RequestHead, body?: string | Buffer): Promise<Answer>;
  close(): Promise<void>;
}

class TcpClient extends Client {
  readonly #socket: Socket;

  constructor(port: number, head: RequestHead) {
    super(head);
    this.#socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.#socket.on("data", (bytes) => this.came(bytes));
    this.#socket.on("end", () => this.wentAway());
    this.#socket.on("error", () => this.wentAway());
    this.#socket.on("close", () => this.wentAway());
    const lines = this.allFields().map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket.write(
      `${head.method ?? "GET"} ${head.target ?? "/"} HTTP/${head.version ?? "1.1"}\r\n${lines.join("")}\r\n`,
      "latin1",
    );
  }

  write(bytes: string | Buffer): void {
    const body = Buffer.from(bytes as string);
    if (this.head.body !== "chunked") this.#socket.write(body);
    else
      this.#socket.write(
        Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n")]),
      );
  }

  end(trailers: readonly string[] = []): void {
    if (this.head.upgrade !== undefined) this.#socket.end();
    if (this.head.body !== "chunked") return;
    let text = "0\r\n";
    for (let index = 0; index < trailers.length; index += 2)
      text += `${trailers[index]}: ${trailers[index + 1]}\r\n`;
    this.#socket.write(`${text}\r\n`);
  }

  abort(how: "reset" | "close"): void {
    if (how === "reset") this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}

class LinkClient extends Client {
  readonly #stream: LinkStream;
  #paused = false;
  #owed = 0;

  constructor(link: Opener, head: RequestHead) {
    super(head);
    const fields = this.allFields().flat();
    const meta = [
      head.method ?? "GET",
      head.target ?? "/",
      head.version ?? "1.1",
      "http",
      "127.0.0.1",
      "54321",
      "127.0.0.1",
      "80",
      head.upgrade === undefined ? "" : "u",
      ...fields,
    ].join("\n");
    this.#stream = link.open(meta, this.ended_ && head.upgrade === undefined, {
      onData: (stream, bytes) => {
        if (this.#paused) this.#owed += bytes.length;
        else stream.consumed(bytes.length);
        this.came(bytes);
      },
      onEnd: () => this.wentAway(),
      onReset: () => this.wentAway(),
      onDrain: () => {},
    });
  }

  write(bytes: string | Buffer): void {
    if (!this.#stream.closed) this.#stream.write(bytes);
  }

  end(trailers: readonly string[] = []): void {
    if (!this.#stream.closed) this.#stream.end(trailers.join("\n"));
  }

  abort(): void {
    this.#stream.reset(ResetCode.cancel);
    this.wentAway();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#stream.consumed(this.#owed);
    this.#owed = 0;
  }
}

/** @param quiet resolves when no socket of the server is open. */
export async function overTcp(server: http.Server, quiet: () => Promise<void>): Promise<Way> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return wayToPort((server.address() as AddressInfo).port, quiet, () => closed(server));
}

/** To a server that listens on a port of 127.0.0.1. */
export function wayToPort(port: number, quiet: () => Promise<void>, closeServer: () => Promise<void>): Way {
  const clients: TcpClient[] = [];
  return {
    port,
    request(head) {
      const client = new TcpClient(port, head);
      clients.push(client);
      return client;
    },
    async exchange(head, body) {
      const client = new TcpClient(port, head);
      if (body !== undefined) client.write(body);
      client.end();
      const answer = await client.answer();
      client.abort("close");
      await quiet();
      return answer;
    },
    async close() {
      for (const client of clients) client.abort("close");
      await closeServer();
    },
  };
}

/** What opens the streams of a way over a link. */
export interface Opener {
  open(meta: string, ended: boolean, handler: StreamHandler): LinkStream;
}

/** A link in memory, which checks how it is used. */
export async function overLink(server: http.Server, quiet: () => Promise<void>): Promise<Way> {
  return linkWay(server, quiet, new MemoryLink(attach(server)), async () => {});
}

/** The link itself, over TLS on loopback. */
export async function overRealLink(server: http.Server, quiet: () => Promise<void>): Promise<Way> {
  const keys = linkKeys(Buffer.alloc(32, 1), null);
  const common = { address: "127.0.0.1", keys, log: silentLog };
  const listener = new LinkListener({
    ...common,
    self: { name: "app-a", incarnation: "test" },
    port: 0,
    knows: () => true,
    services: new Map([[StreamKind.http, attach(server)]]),
  });
  await listener.listen();
  const link = await dialOnce({
    ...common,
    self: { name: "web-a", incarnation: "test" },
    expected: "app-a",
    port: listener.port,
    services: new Map(),
    timeoutMs: 10_000,
  });
  const opener: Opener = {
    open: (meta, ended, handler) => link.open(StreamKind.http, meta, ended, handler)!,
  };
  return linkWay(server, quiet, opener, async () => {
    link.destroy("the test is over");
    await listener.close();
  });
}

function attach(server: http.Server): HttpService {
  const options = { address: "127.0.0.1", port: 6800, counter: { requests: 0 }, compat: false };
  return attachServer(server, { ...options, onClose: () => {} });
}

async function linkWay(
  server: http.Server,
  quiet: () => Promise<void>,
  opener: Opener,
  closeLink: () => Promise<void>,
): Promise<Way> {
  server.emit("listening");
  return wayOverLink(opener, quiet, async () => {
    await closed(server);
    await closeLink();
  });
}

/** To a server at the other end of a link. */
export async function wayOverLink(
  opener: Opener,
  quiet: () => Promise<void>,
  closeServer: () => Promise<void>,
): Promise<Way> {
  const bridge = await openBridge(opener);
  return {
    port: bridge.port,
    request: (head) => new LinkClient(opener, head),
    async exchange(head, body) {
      const client = new LinkClient(opener, head);
      if (body !== undefined) client.write(body);
      client.end();
      const answer = await client.answer();
      await quiet();
      return answer;
    },
    async close() {
      bridge.close();
      await closeServer();
    },
  };
}

async function closed(server: http.Server): Promise<void> {
  const done = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await done;
}
