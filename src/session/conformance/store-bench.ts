/** Two processes' stores of the same sessions, asked with promises. */
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { type Entry, type SessionEntries, Entry as SessionEntry } from "../entry.ts";
import type { VerifiedId } from "../id.ts";
import { endless, type SessionLife } from "../snapshot.ts";
import type { SessionStore } from "../store.ts";
import { now, same, settles } from "./check.ts";
import { hourMs } from "./engine-bench.ts";
import type { TextKind } from "./suite-check.ts";

export interface StoreBackend {
  /** Of two processes; one that keeps all for itself stands for both. */
  readonly stores: readonly [SessionStore, SessionStore];
  /** One more, which sees at once what is committed; none: the suite waits for `seenWithinMs` instead. */
  readonly truth?: SessionStore;
  end(): Promise<void>;
}

export interface StoreSuite {
  readonly name: string;
  /** Called once, for all rules. */
  open(): Promise<StoreBackend>;
  /** What one process has committed the other one sees so much later at the latest. 0: at once. */
  readonly seenWithinMs?: number;
  /** As of an EngineSuite. */
  readonly cannotHold?: readonly TextKind[];
}

export interface StoreBench {
  readonly a: StoreProcess;
  readonly b: StoreProcess;
  readonly truth: StoreProcess | null;
  /** See StoreSuite, here and below. */
  readonly seenWithinMs: number;
  readonly cannotHold: readonly TextKind[];
}

export type StoreRule = readonly [rule: string, check: (bench: StoreBench) => Promise<void>];

/** Values by key; undefined: the key goes. */
export type Data = Readonly<Record<string, unknown>>;
/** "done", or the code of the failure. */
export type Outcome = string;

export interface Seen {
  readonly data: Data;
  readonly ageMs: number;
  readonly absoluteTimeoutMs: number;
}

/** No operation takes longer where nothing fails: requests wait no longer themselves. */
const answeredWithinMs = 20_000;
/** Under machines that are busy with other things. */
const slackMs = 2_000;

export class StoreProcess {
  readonly name: string;
  readonly store: SessionStore;

  constructor(name: string, store: SessionStore) {
    this.name = name;
    this.store = store;
  }

  newId(): VerifiedId {
    return this.store.newId();
  }

  /** @returns the id of a new session with these data. */
  async begin(data: Data, idleTimeoutMs: number = hourMs, life: SessionLife = endless): Promise<VerifiedId> {
    const id = this.newId();
    same(`create() by ${this.name}`, await this.create(id, data, idleTimeoutMs, life), "done");
    return id;
  }

  create(
    id: VerifiedId,
    data: Data,
    idleTimeoutMs: number = hourMs,
    life: SessionLife = endless,
  ): Promise<Outcome> {
    return this.#ask("create()", (done) => this.store.create(id, changesOf(data), idleTimeoutMs, life, done));
  }

  update(id: VerifiedId, data: Data, idleTimeoutMs: number = hourMs): Promise<Outcome> {
    return this.#ask("update()", (done) => this.store.update(id, changesOf(data), idleTimeoutMs, done));
  }

  compareAndSet(
    id: VerifiedId,
    data: Data,
    expected: Data,
    idleTimeoutMs: number = hourMs,
  ): Promise<Outcome> {
    const texts = new Map(
      Object.entries(expected).map(([key, value]) => [
        key,
        value === undefined ? null : SessionEntry.of(key, value).text,
      ]),
    );
    return this.#ask("compareAndSet()", (done) =>
      this.store.compareAndSet(id, changesOf(data), texts, idleTimeoutMs, done),
    );
  }

  destroy(id: VerifiedId): Promise<Outcome> {
    return this.#ask("destroy()", (done) => this.store.destroy(id, done));
  }

  touch(id: VerifiedId, idleTimeoutMs: number = hourMs): void {
    this.store.touch(id, idleTimeoutMs, false);
  }

  /** Null: there is no such session. */
  async look(id: VerifiedId): Promise<Seen | null> {
    let seen: Seen | null = null;
    const outcome = await this.#ask("load()", (done) =>
      this.store.load(id, (error, entries, ageMs, absoluteTimeoutMs) => {
        if (entries !== null) seen = { data: dataOf(entries), ageMs, absoluteTimeoutMs };
        done(error);
      }),
    );
    same(`load() by ${this.name}`, outcome, "done");
    return seen;
  }

  async data(id: VerifiedId): Promise<Data | null> {
    return (await this.look(id))?.data ?? null;
  }

  async #ask(
    operation: string,
    run: (done: (error: { code: string; message: string } | null) => void) => void,
  ): Promise<Outcome> {
    let calls = 0;
    const answered = new Promise<Outcome>((resolve, reject) => {
      run((error) => {
        if (++calls > 1) reject(new Error(`${operation} by ${this.name} was answered twice`));
        resolve(error === null ? "done" : error.code);
      });
    });
    return settles(`${operation} by ${this.name}`, answered, answeredWithinMs);
  }
}

/** What both processes have to see, once the other one's changes are known to each. Null: no session. */
export async function bothSee(
  { a, b, seenWithinMs }: StoreBench,
  what: string,
  id: VerifiedId,
  expected: Data | null,
): Promise<void> {
  const until = now() + (seenWithinMs === 0 ? 0 : seenWithinMs + slackMs);
  for (const process of [a, b]) {
    let seen = await process.data(id);
    while (!isDeepStrictEqual(seen, expected) && now() < until) {
      await sleep(10);
      seen = await process.data(id);
    }
    same(`${what}, as ${process.name} sees it`, seen, expected);
  }
}

/** What both see when nothing is under way any more. */
export async function agreed(bench: StoreBench, what: string, id: VerifiedId): Promise<Data | null> {
  const { a, truth, seenWithinMs } = bench;
  if (truth === null) await sleep(seenWithinMs);
  const committed = await (truth ?? a).data(id);
  await bothSee(bench, what, id, committed);
  return committed;
}

function changesOf(data: Data): Map<string, Entry | null> {
  return new Map(
    Object.entries(data).map(([key, value]) => [
      key,
      value === undefined ? null : SessionEntry.of(key, value),
    ]),
  );
}

function dataOf(entries: SessionEntries): Data {
  // Not by assignment, to which "__proto__" is no name like others.
  return Object.fromEntries([...entries].map(([key, entry]) => [key, entry.take()]));
}
