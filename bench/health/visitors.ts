/**
 * Open-loop load that remembers each of its requests: asked when due, whatever became of the others, on a connection of its own
 * where no kept one is free. Latency counts from the moment a request was due.
 */
import { connect, type Socket } from "node:net";
import { answerLength } from "../../test/harness/load.ts";

export interface Asked {
  /** From 0, in the order in which they fell due; the application sees it too. */
  readonly number: number;
  readonly method: "GET" | "POST";
  readonly dueAtMs: number;
  /** Null while there is no answer. */
  endedAtMs: number | null;
  /** The server that answered, or "". */
  server: string;
  /** "" for the right answer, else what was wrong. */
  failure: string;
}

export interface VisitorsOptions {
  readonly port: number;
  readonly perSecond: number;
  /** One request in so many is a POST; 0 for none. */
  readonly postEvery: number;
  /** A visitor without an answer gives up after so long. */
  readonly patienceMs: number;
}

/** How often it is looked whether requests are due. */
const tickMs = 2;
/** Kept connections and those in use; one more request fails at once. */
const connectionsMax = 4_000;
const postBody = "a change";

export class Visitors {
  readonly asked: Asked[] = [];
  readonly #options: VisitorsOptions;
  readonly #idle: Connection[] = [];
  readonly #busy: Set<Connection> = new Set();
  #startedAtMs = 0;
  #ticker: NodeJS.Timeout | null = null;
  #onQuiet: (() => void) | null = null;

  constructor(options: VisitorsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#startedAtMs = performance.now();
    this.#ticker = setInterval(() => this.#askDue(), tickMs);
  }

  /** No more requests; ends when all have their answer, or were given up. */
  async stop(): Promise<void> {
    clearInterval(this.#ticker!);
    const giveUp = setInterval(() => this.#giveUp(), tickMs);
    if (this.#busy.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onQuiet = resolve;
      await promise;
    }
    clearInterval(giveUp);
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  #askDue(): void {
    const { perSecond, postEvery } = this.#options;
    const due = Math.floor(((performance.now() - this.#startedAtMs) * perSecond) / 1_000);
    for (let number = this.asked.length; number <= due; number++) {
      const method = postEvery > 0 && number % postEvery === postEvery - 1 ? "POST" : "GET";
      const dueAtMs = this.#startedAtMs + (number * 1_000) / perSecond;
      this.#ask({ number, method, dueAtMs, endedAtMs: null, server: "", failure: "" });
    }
    this.#giveUp();
  }

  #ask(asked: Asked): void {
    this.asked.push(asked);
    if (this.#busy.size >= connectionsMax) {
      asked.endedAtMs = performance.now();
      asked.failure = "no connection left";
      return;
    }
    const connection =
      this.#idle.pop() ?? new Connection(this.#options.port, (which, ended) => this.#over(which, ended));
    this.#busy.add(connection);
    connection.ask(asked);
  }

  /** The oldest come first. */
  #giveUp(): void {
    const now = performance.now();
    for (const connection of this.#busy) {
      if (now - connection.asked!.dueAtMs < this.#options.patienceMs) continue;
      connection.fail("no answer");
    }
  }

  #over(connection: Connection, isEnded: boolean): void {
    if (this.#busy.delete(connection) && !isEnded) this.#idle.push(connection);
    if (isEnded) {
      const at = this.#idle.indexOf(connection);
      if (at !== -1) this.#idle.splice(at, 1);
    }
    if (this.#busy.size === 0) this.#onQuiet?.();
  }
}

/** One connection with at most one request on it. */
class Connection {
  asked: Asked | null = null;
  readonly #socket: Socket;
  /** Its request is over, or the connection is, or both. */
  readonly #onOver: (connection: Connection, isEnded: boolean) => void;
  #received = "";

  constructor(port: number, onOver: (connection: Connection, isEnded: boolean) => void) {
    this.#onOver = onOver;
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text: string) => this.#receive(text));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.fail("cut off"));
  }

  ask(asked: Asked): void {
    this.asked = asked;
    const { method, number } = asked;
    const head = `${method} /n/${number} HTTP/1.1\r\nHost: site\r\n`;
    const body = `Content-Length: ${postBody.length}\r\n\r\n${postBody}`;
    this.#socket.write(head + (method === "POST" ? body : "\r\n"));
  }

  fail(why: string): void {
    this.#answered("", why);
    this.close();
    this.#onOver(this, true);
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    this.#received += text;
    const length = answerLength(this.#received);
    if (length === 0 || this.asked === null) return;
    const answer = this.#received.slice(0, length);
    this.#received = this.#received.slice(length);
    const { number, method } = this.asked;
    const status = Number(answer.slice(9, 12));
    const body = `${number} ${method} ${method === "POST" ? postBody.length : 0}`;
    const isRight = answer.endsWith(`\r\n${body}`) || answer.includes(`\r\n${body}\r\n`);
    this.#answered(
      /^x-served-by: (\S+)/im.exec(answer)?.[1] ?? "",
      status !== 200 ? `answered ${status}` : isRight ? "" : "a wrong answer",
    );
    const closes = /^connection: close/im.test(answer);
    if (closes) this.close();
    this.#onOver(this, closes);
  }

  #answered(server: string, failure: string): void {
    const asked = this.asked;
    if (asked === null) return;
    this.asked = null;
    asked.endedAtMs = performance.now();
    asked.server = server;
    asked.failure = failure;
  }
}
