/**
 * Load over raw sockets, for benchmarks and tests: closed loop (each connection asks again when it was
 * answered) or open loop (requests fall due at a constant rate, whatever the answers do, and latency counts from
 * the moment a request was due, so that a stall is not hidden by the requests that it delayed).
 */
import { connect, type Socket } from "node:net";
import { setImmediate as endOfTurn, setTimeout as sleep } from "node:timers/promises";

export interface LoadSettings {
  readonly address: string;
  /** One, or several to spread the connections over: number n goes to the (n mod length)th. */
  readonly port: number | readonly number[];
  readonly connections: number;
  /** The bytes of a request, which must be answered with a length or chunked; each connection may ask its own. */
  readonly request: Buffer | ((connection: number) => Buffer);
  /** Requests per second (open loop), or null (closed loop). */
  readonly ratePerSecond: number | null;
  readonly durationMs: number;
  /** Open loop: asks on time to the microsecond, at the price of a whole core. Default: to about a millisecond. */
  readonly busyWait?: boolean;
}

export interface LoadResult {
  /** Answered with 2xx. */
  readonly answered: number;
  /** Other answers, closed connections, requests that were due and found no free connection to the end. */
  readonly failed: number;
  readonly elapsedMs: number;
  readonly latenciesMs: readonly number[];
}

/** Open loop: how often it is looked whether requests are due. */
const tickMs = 1;
/** After the last request was due: how long answers are waited for. */
const lastAnswersMs = 2_000;

/** @throws when a connection can't be opened. */
export async function runLoad(settings: LoadSettings): Promise<LoadResult> {
  const load = new Load(settings);
  await load.open();
  return load.run();
}

class Load {
  readonly #settings: LoadSettings;
  readonly #idle: Connection[] = [];
  readonly #connections: Connection[] = [];
  readonly #latenciesMs: number[] = [];
  /** Moments of requests that are due and wait for a free connection. */
  readonly #due: number[] = [];
  #failed = 0;
  #running = false;

  constructor(settings: LoadSettings) {
    this.#settings = settings;
  }

  async open(): Promise<void> {
    for (let index = 0; index < this.#settings.connections; index++) {
      const { address, port } = this.#settings;
      const socket = await connected(address, typeof port === "number" ? port : port[index % port.length]!);
      const connection = new Connection(index, socket, (free, ok) => this.#answered(free, ok));
      this.#connections.push(connection);
      this.#idle.push(connection);
    }
  }

  async run(): Promise<LoadResult> {
    const startedAt = performance.now();
    this.#running = true;
    if (this.#settings.ratePerSecond === null) await this.#closedLoop();
    else await this.#openLoop(startedAt, this.#settings.ratePerSecond);
    this.#running = false;
    const elapsedMs = performance.now() - startedAt;
    const deadline = performance.now() + lastAnswersMs;
    while (this.#busy() > 0 && performance.now() < deadline) await sleep(tickMs);
    this.#failed += this.#busy() + this.#due.length;
    for (const connection of this.#connections) connection.close();
    return {
      answered: this.#latenciesMs.length,
      failed: this.#failed,
      elapsedMs,
      latenciesMs: this.#latenciesMs,
    };
  }

  async #closedLoop(): Promise<void> {
    for (const connection of this.#idle.splice(0)) this.#ask(connection, performance.now());
    await sleep(this.#settings.durationMs);
  }

  async #openLoop(startedAt: number, ratePerSecond: number): Promise<void> {
    const total = Math.round((ratePerSecond * this.#settings.durationMs) / 1_000);
    let sent = 0;
    while (sent < total) {
      const now = performance.now();
      for (;;) {
        const dueAt = startedAt + (sent * 1_000) / ratePerSecond;
        if (sent >= total || dueAt > now) break;
        sent++;
        const connection = this.#idle.shift();
        if (connection === undefined) this.#due.push(dueAt);
        else this.#ask(connection, dueAt);
      }
      await (this.#settings.busyWait ? endOfTurn() : sleep(tickMs));
    }
  }

  #ask(connection: Connection, since: number): void {
    const { request } = this.#settings;
    connection.ask(typeof request === "function" ? request(connection.index) : request, since);
  }

  #answered(connection: Connection, ok: boolean): void {
    const now = performance.now();
    if (ok) this.#latenciesMs.push(now - connection.since);
    else this.#failed++;
    if (!connection.alive) return;
    const dueAt = this.#due.shift();
    if (dueAt !== undefined) this.#ask(connection, dueAt);
    else if (this.#running && this.#settings.ratePerSecond === null) this.#ask(connection, now);
    else this.#idle.push(connection);
  }

  #busy(): number {
    return this.#connections.filter((connection) => connection.busy).length;
  }
}

/** One kept-alive connection with at most one request on it. */
class Connection {
  alive = true;
  busy = false;
  /** When the request on it was due. */
  since = 0;
  readonly index: number;
  readonly #socket: Socket;
  readonly #onAnswer: (connection: Connection, ok: boolean) => void;
  #received = "";

  constructor(index: number, socket: Socket, onAnswer: (connection: Connection, ok: boolean) => void) {
    this.index = index;
    this.#socket = socket;
    this.#onAnswer = onAnswer;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.#receive(text));
    socket.on("error", () => this.#lost());
    socket.on("close", () => this.#lost());
  }

  ask(request: Buffer, since: number): void {
    this.busy = true;
    this.since = since;
    this.#socket.write(request);
  }

  close(): void {
    this.alive = false;
    this.busy = false;
    this.#socket.destroy();
  }

  #receive(text: string): void {
    this.#received = this.#received === "" ? text : this.#received + text;
    const length = answerLength(this.#received);
    if (length === 0 || !this.busy) return;
    const ok = this.#received.startsWith("HTTP/1.1 2");
    this.#received = this.#received.slice(length);
    this.busy = false;
    this.#onAnswer(this, ok);
  }

  #lost(): void {
    if (!this.alive) return;
    this.alive = false;
    if (!this.busy) return;
    this.busy = false;
    this.#onAnswer(this, false);
  }
}

/** Characters of the first whole answer in `text`, or 0 while it is not whole. One character is one byte. */
export function answerLength(text: string): number {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) return 0;
  const head = text.slice(0, headEnd + 2).toLowerCase();
  const bodyAt = headEnd + 4;
  const lengthAt = head.indexOf("\r\ncontent-length:");
  if (lengthAt !== -1) {
    const end = bodyAt + Number.parseInt(head.slice(lengthAt + 17), 10);
    return text.length >= end ? end : 0;
  }
  if (!head.includes("\r\ntransfer-encoding: chunked\r\n")) return bodyAt;
  return chunkedEnd(text, bodyAt);
}

function chunkedEnd(text: string, from: number): number {
  let at = from;
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd === -1) return 0;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (Number.isNaN(size)) return 0;
    at = lineEnd + 2 + size + 2;
    if (size === 0) return text.length >= at ? at : 0;
  }
}

function connected(host: string, port: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ host, port, noDelay: true });
  socket.once("connect", () => {
    socket.off("error", reject);
    resolve(socket);
  });
  socket.once("error", reject);
  return promise;
}
