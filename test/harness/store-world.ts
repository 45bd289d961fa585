/** Stores on a database in memory, in simulated time: what becomes of each statement is what the test says. */
import assert from "node:assert/strict";
import { Entry, type SessionChanges, type SessionEntries } from "../../src/session/entry.ts";
import { SessionIds, type VerifiedId } from "../../src/session/id.ts";
import { endless, type SessionLife } from "../../src/session/snapshot.ts";
import { type EngineOutcome, SessionEngineError } from "../../src/session/stores/engine.ts";
import { EngineStore, type EngineStoreOptions } from "../../src/session/stores/engine-store.ts";
import type { FlotillaError } from "../../src/support/errors.ts";
import type { Log } from "../../src/support/log.ts";
import { Process, World } from "../simulation/session/world.ts";
import { type EngineNetwork, MemoryDatabase, MemoryEngine } from "./memory-engine.ts";

/** What a statement meets with. "reset after": it is executed, and its answer lost. */
export type Fate = "answered" | "refused" | "silent" | "reset before" | "reset after" | "unfit";

/** A statement takes a millisecond there and one back. */
export class ScriptedNetwork implements EngineNetwork {
  readonly calls: Map<string, number> = new Map();
  /** Of the statements of that name; "" of all others. */
  readonly fates: Map<string, Fate> = new Map();
  hasNotices = true;
  canProve = true;
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
  }

  call<Answer>(operation: string, execute: () => Answer): Promise<Answer> {
    this.calls.set(operation, (this.calls.get(operation) ?? 0) + 1);
    const fate = this.fates.get(operation) ?? this.fates.get("") ?? "answered";
    const { world } = this.#process;
    return new Promise((resolve, reject) => {
      if (fate === "silent") return;
      const fail = (outcome: EngineOutcome): void =>
        reject(new SessionEngineError(`${operation} was ${fate}`, outcome));
      world.after(1, null, () => {
        const isExecuted = fate === "answered" || fate === "reset after";
        const answer = isExecuted ? attempt(execute) : (): undefined => {};
        const isAnswered = fate === "answered";
        world.after(1, this.#process, () => {
          if (!isAnswered) return fail(fate === "refused" ? "nothing" : fate === "unfit" ? fate : "unknown");
          try {
            resolve(answer()!);
          } catch (error) {
            reject(error);
          }
        });
      });
    });
  }

  /** How often a statement of that name was sent since the last question. */
  taken(operation: string): number {
    const count = this.calls.get(operation) ?? 0;
    this.calls.delete(operation);
    return count;
  }

  notify(deliver: () => void): void {
    if (this.hasNotices) this.#process.world.after(1, this.#process, deliver);
  }

  prove(): Promise<void> {
    const canProve = this.canProve;
    return new Promise((resolve, reject) => {
      this.#process.world.after(2, this.#process, () =>
        canProve ? resolve() : reject(new Error("the way of notices is broken")),
      );
    });
  }

  connect(): void {}
}

/** @returns what gives or throws what it did. */
function attempt<Answer>(execute: () => Answer): () => Answer {
  try {
    const answer = execute();
    return () => answer;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

const ids = new SessionIds(Buffer.alloc(32, 7), null, "app");

export class StoreWorld {
  readonly world: World = new World(1, false);
  readonly database: MemoryDatabase = new MemoryDatabase(() => this.world.now);
  /** Lines of all logs: "error: ...". */
  readonly told: string[] = [];

  /** One process; opened, unless the test does it. */
  async server(
    letter: string,
    options: Partial<EngineStoreOptions> = {},
    opens = true,
  ): Promise<StoreServer> {
    const server = new StoreServer(this, letter, options);
    if (!opens) return server;
    server.store.start();
    await this.pass(100);
    return server;
  }

  pass(ms: number): Promise<void> {
    return this.world.runPromisesUntil(this.world.now + ms);
  }
}

export class StoreServer {
  readonly site: StoreWorld;
  readonly process: Process;
  readonly network: ScriptedNetwork;
  readonly store: EngineStore;

  constructor(site: StoreWorld, letter: string, options: Partial<EngineStoreOptions>) {
    this.site = site;
    this.process = new Process(site.world, letter, "1", 1);
    this.network = new ScriptedNetwork(this.process);
    const line = (level: string) => (first: unknown, text?: string) =>
      void site.told.push(`${level}: ${text ?? first}`);
    const log = { info: line("info"), warn: line("warn"), error: line("error") } as unknown as Log;
    this.store = new EngineStore({
      engine: new MemoryEngine(site.database, this.network),
      ...{ ids, letter, processIndex: 0, holder: `server-${letter}`, load: "cached" },
      ...{ letters: new Set("ab"), clock: this.process.clock, random: site.world.random, log },
      ...options,
    });
  }

  /** Ended within 2.5 s of its begin. */
  async create(
    data: Record<string, unknown>,
    idleTimeoutMs: number = 600_000,
    life: SessionLife = endless,
  ): Promise<VerifiedId> {
    const id = this.store.newId();
    const told = this.asked((done) => this.store.create(id, changesOf(data), idleTimeoutMs, life, done));
    await this.site.pass(100);
    assert.equal(told.code, "done");
    return id;
  }

  update(id: VerifiedId, data: Record<string, unknown>, idleTimeoutMs: number = 600_000): Told {
    return this.asked((done) => this.store.update(id, changesOf(data), idleTimeoutMs, done));
  }

  compareAndSet(id: VerifiedId, data: Record<string, unknown>, expected: Record<string, unknown>): Told {
    const texts = new Map(Object.entries(expected).map(([key, value]) => [key, JSON.stringify(value)]));
    return this.asked((done) => this.store.compareAndSet(id, changesOf(data), texts, 600_000, done));
  }

  destroy(id: VerifiedId): Told {
    return this.asked((done) => this.store.destroy(id, done));
  }

  load(id: VerifiedId): Told {
    const told = new Told();
    return this.asked((done) => {
      this.store.load(id, (error, entries) => {
        told.data = entries === null ? null : dataOf(entries);
        done(error);
      });
    }, told);
  }

  asked(run: (done: (error: FlotillaError | null) => void) => void, told: Told = new Told()): Told {
    const { world } = this.site;
    const askedAt = world.now;
    run((error) => told.end(error, world.now - askedAt));
    return told;
  }
}

export class Told {
  /** "" before it is told, "done", or the error's code. */
  code = "";
  message = "";
  afterMs = 0;
  /** What a load was given. */
  data: Record<string, unknown> | null = null;

  end(error: FlotillaError | null, afterMs: number): void {
    assert.equal(this.code, "", "told twice");
    this.code = error?.code ?? "done";
    this.message = error?.message ?? "";
    this.afterMs = afterMs;
  }
}

export function changesOf(data: Record<string, unknown>): SessionChanges {
  return new Map(
    Object.entries(data).map(([key, value]) => [key, value === null ? null : Entry.of(key, value)]),
  );
}

function dataOf(entries: SessionEntries): Record<string, unknown> {
  return Object.fromEntries([...entries].map(([key, entry]) => [key, entry.take()]));
}
