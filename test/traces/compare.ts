/** Runs one case on both ways and requires equal traces: events with their order and values, and the client's answers. */
import assert from "node:assert/strict";
import type { EventEmitter } from "node:events";
import type http from "node:http";
import { test } from "node:test";
import type { Answer } from "./answer.ts";
import { overLink, overRealLink, overTcp, type Way } from "./ways.ts";

export class Trace {
  readonly lines: string[] = [];
  #waiters: (() => void)[] = [];

  note(what: string, ...values: unknown[]): void {
    this.lines.push([what, ...values.map(show)].join(" "));
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** Notes these events of an emitter as they come, with their first argument if it is an error. */
  watch(name: string, emitter: EventEmitter, ...events: string[]): void {
    for (const event of events) {
      emitter.on(event, (argument: unknown) => {
        this.note(`${name} ${event}`, ...(argument instanceof Error ? [argument] : []));
      });
    }
  }

  /** Resolves when so many lines begin like this. */
  async until(line: string, times: number = 1): Promise<void> {
    while (this.lines.filter((noted) => noted.startsWith(line)).length < times)
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }
}

function show(value: unknown): string {
  if (value instanceof Error)
    return `${value.name}(${(value as { code?: string }).code ?? ""}: ${value.message})`;
  return JSON.stringify(value) ?? String(value);
}

export interface Case {
  readonly name: string;
  server(trace: Trace): http.Server | Promise<http.Server>;
  client(way: Way, trace: Trace): Promise<Answer | readonly Answer[] | undefined>;
}

/** The sockets that a server has seen are closed before a trace ends: their last events belong to it. */
class Connections {
  #open = 0;
  #idle: (() => void) | null = null;

  constructor(server: http.Server) {
    server.on("connection", (socket) => {
      this.#open++;
      socket.on("close", () => {
        if (--this.#open === 0) this.#idle?.();
      });
    });
  }

  async closed(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function run(
  one: Case,
  open: (server: http.Server, quiet: () => Promise<void>) => Promise<Way>,
): Promise<{ trace: string[]; answers: unknown }> {
  const trace = new Trace();
  const server = await one.server(trace);
  const connections = new Connections(server);
  const way = await open(server, () => connections.closed());
  const answers = await one.client(way, trace);
  const ending = way.close();
  await connections.closed();
  await ending;
  return { trace: trace.lines, answers };
}

export function compare(one: Case): void {
  test(one.name, { timeout: 20_000 }, async () => {
    const node = await run(one, overTcp);
    assert.deepEqual(await run(one, overLink), node, "a link in memory differs from node:http");
    assert.deepEqual(await run(one, overRealLink), node, "a link over TLS differs from node:http");
  });
}
