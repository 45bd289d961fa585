/**
 * What the database had when, and what each operation was told: whether the one explains the other. Every value that is written is another
 * one and names its session, so that each row tells whose changes it is made of.
 */

import type { Replaced, RowLife, SessionWrite } from "../../../src/session/stores/engine.ts";
import { MemoryDatabase } from "../../harness/memory-engine.ts";

export type Values = Readonly<Record<string, unknown>>;

/** A row from then on; null: there is none. */
interface State {
  readonly at: number;
  readonly values: Values | null;
}

/** Beyond what the simulated clocks differ by. */
const proofAgeMs = 3_000 * 1.12;

export interface Asked {
  readonly kind: "create" | "load" | "update" | "compareAndSet" | "destroy";
  readonly key: string;
  /** Which start of which server. */
  readonly process: string;
  /** Every load reads there. */
  readonly isStrict: boolean;
  readonly number: number;
  readonly startedAt: number;
  /** Null: the key goes. */
  readonly changes: Values;
  readonly expected: Values;
  endedAt: number;
  /** "done", an error's code, or "" before. */
  told: string;
  /** What a load was given. */
  values: Values | null;
  /** The process stood still or died meanwhile. */
  isExcused: boolean;
}

export class RecordedDatabase extends MemoryDatabase {
  readonly states: Map<string, State[]> = new Map();

  override insert(key: string, write: SessionWrite, life: RowLife): boolean {
    const isNew = super.insert(key, write, life);
    this.#record(key);
    return isNew;
  }

  override replace(key: string, version: number, write: SessionWrite): Replaced {
    const replaced = super.replace(key, version, write);
    this.#record(key);
    return replaced;
  }

  override remove(key: string, writer: string): void {
    super.remove(key, writer);
    this.#record(key);
  }

  #record(key: string): void {
    const data = this.living(key)?.data;
    const states = this.states.get(key) ?? [{ at: 0, values: null }];
    this.states.set(key, states);
    states.push({ at: this.now(), values: data === undefined ? null : (JSON.parse(data) as Values) });
  }
}

export class History {
  readonly database: RecordedDatabase;
  readonly asked: Asked[] = [];
  readonly violations: string[] = [];
  readonly #names: Map<string, string> = new Map();

  constructor(database: RecordedDatabase) {
    this.database = database;
  }

  /** Keys are another one in each run. */
  nameOf(key: string): string {
    const name = this.#names.get(key) ?? `session ${this.#names.size + 1}`;
    this.#names.set(key, name);
    return name;
  }

  check(): void {
    for (const asked of this.asked) this.#checkOne(asked);
    for (const [key, states] of this.database.states) this.#checkRow(key, states);
    this.#checkOrder();
  }

  #violate(what: string, asked: Asked): void {
    const { kind, key, process, number, startedAt, endedAt, told } = asked;
    this.violations.push(
      `${what}: ${kind} ${number} of ${this.nameOf(key)} by ${process}, ${Math.round(startedAt)} to ${Math.round(endedAt)}, told "${told}", ` +
        `changes ${JSON.stringify(asked.changes)}, expected ${JSON.stringify(asked.expected)}, given ${JSON.stringify(asked.values)}`,
    );
  }

  #checkOne(asked: Asked): void {
    const { told, kind } = asked;
    if (told === "") {
      if (!asked.isExcused) this.#violate("never told", asked);
      return;
    }
    if (!asked.isExcused && asked.endedAt - asked.startedAt > 2_700) this.#violate("told too late", asked);
    const during = this.#statesBetween(asked.key, asked.startedAt, asked.endedAt);
    if (told === "FLOTILLA_SESSION_GONE") {
      if (!during.some(({ values }) => values === null)) this.#violate("gone, and it was not", asked);
    } else if (told === "FLOTILLA_SESSION_CONTENDED") {
      if (during.every(({ values }) => values !== null && hasAll(values, asked.expected)))
        this.#violate("contended, and nobody changed it", asked);
    } else if (told === "done") {
      if (kind === "load") this.#checkLoad(asked);
      else if (kind === "destroy") this.#checkDestroyed(asked);
      else this.#checkDone(asked, during);
    } else if (told !== "FLOTILLA_SESSION_UNKNOWN") {
      if (told !== "FLOTILLA_SESSION_UNAVAILABLE" && told !== "FLOTILLA_SESSION_BUSY")
        this.#violate("told something else", asked);
      const states = this.database.states.get(asked.key) ?? [];
      const wasWritten = Object.entries(asked.changes).some(
        ([name, value]) => value !== null && states.some(({ values }) => values?.[name] === value),
      );
      if (wasWritten) this.#violate("written, and told that it is not", asked);
    }
  }

  /** A state of that time has what was written, or what the same process wrote there afterwards. */
  #checkDone(asked: Asked, during: readonly State[]): void {
    const later = this.asked.filter(
      (other) => other.key === asked.key && other.process === asked.process && other.number > asked.number,
    );
    const isThere = (values: Values, name: string, value: unknown): boolean =>
      (values[name] ?? null) === value ||
      later.some(({ changes }) => name in changes && changes[name] === (values[name] ?? null));
    const isDone = during.some(
      ({ at, values }) =>
        (at >= asked.startedAt || Object.keys(asked.changes).length === 0) &&
        values !== null &&
        Object.entries(asked.changes).every(([name, value]) => isThere(values, name, value)),
    );
    if (!isDone) this.#violate("acknowledged, and not written", asked);
  }

  #checkDestroyed(asked: Asked): void {
    const states = this.database.states.get(asked.key) ?? [];
    if (states.some(({ at, values }) => at > asked.endedAt && values !== null))
      this.#violate("destroyed, and there again", asked);
  }

  #checkLoad(asked: Asked): void {
    const earliest = asked.startedAt - (asked.isStrict ? 0 : proofAgeMs);
    const states = this.#statesBetween(asked.key, earliest, asked.endedAt);
    if (!states.some(({ values }) => isEqual(values, asked.values)))
      this.#violate("what was given is older than may be, or never was", asked);
  }

  /** In one process nothing that was told is forgotten. */
  #checkOrder(): void {
    const seen = new Map<string, { number: number; endedAt: number; index: number }[]>();
    for (const asked of this.asked) {
      if (asked.told !== "done") continue;
      const states = this.database.states.get(asked.key) ?? [];
      const scope = `${asked.process} ${asked.key}`;
      const before = seen.get(scope) ?? [];
      seen.set(scope, before);
      // The latest state that it can have been, for a load; the earliest, for what it leaves to later ones.
      if (asked.kind === "load") {
        const last = states.findLastIndex(
          ({ at, values }) => at <= asked.endedAt && isEqual(values, asked.values),
        );
        const least = Math.max(
          -1,
          ...before.filter(({ endedAt }) => endedAt <= asked.startedAt).map(({ index }) => index),
        );
        if (states.length > 0 && last < least)
          this.#violate("older than what this process was told before", asked);
        const first = states.findIndex(({ values }) => isEqual(values, asked.values));
        before.push({ number: asked.number, endedAt: asked.endedAt, index: Math.max(first, least) });
      } else {
        const index = states.findIndex(
          ({ at, values }) =>
            at >= asked.startedAt &&
            at <= asked.endedAt &&
            (asked.kind === "destroy"
              ? values === null
              : values !== null &&
                Object.entries(asked.changes).every(([name, value]) => (values[name] ?? null) === value)),
        );
        if (index !== -1 && Object.keys(asked.changes).length > 0)
          before.push({ number: asked.number, endedAt: asked.endedAt, index });
      }
    }
  }

  /** Each step of a row is a change that somebody asked for, and that was not over. */
  #checkRow(key: string, states: readonly State[]): void {
    const asked = this.asked.filter((one) => one.key === key);
    let isMade = false;
    const overwritten = new Set<unknown>();
    for (let n = 1; n < states.length; n++) {
      const { at, values } = states[n]!;
      const before = states[n - 1]!.values;
      if (values !== null && before === null) {
        if (
          isMade &&
          !asked.some(({ kind, told, endedAt }) => kind === "create" && (told === "" || endedAt >= at))
        )
          this.violations.push(
            `${this.nameOf(key)} is there again at ${Math.round(at)}: ${JSON.stringify(values)}`,
          );
        isMade = true;
        continue;
      }
      if (values === null || before === null) continue;
      for (const name of new Set([...Object.keys(values), ...Object.keys(before)])) {
        const [is, was] = [values[name] ?? null, before[name] ?? null];
        if (is === was) continue;
        const mayBe = asked.some(
          (one) =>
            name in one.changes &&
            one.changes[name] === is &&
            one.startedAt <= at &&
            (one.endedAt >= at ||
              one.told === "" ||
              (one.told === "FLOTILLA_SESSION_UNKNOWN" && !overwritten.has(is))),
        );
        if (!mayBe)
          this.violations.push(
            `${this.nameOf(key)}: ${name} became ${JSON.stringify(is)} instead of ${JSON.stringify(was)} at ${Math.round(at)}, and nobody asked for it`,
          );
        if (was !== null) overwritten.add(was);
        const compared = asked.find(
          ({ kind, changes }) => kind === "compareAndSet" && changes[name] === is && is !== null,
        );
        if (compared !== undefined && !hasAll(before, compared.expected))
          this.#violate(`made in the place of ${JSON.stringify(was)}`, compared);
      }
    }
  }

  /** Those that held at any moment of that time. */
  #statesBetween(key: string, from: number, to: number): State[] {
    const states = this.database.states.get(key) ?? [{ at: 0, values: null }];
    return states.filter(({ at }, n) => at <= to && (states[n + 1]?.at ?? Number.POSITIVE_INFINITY) >= from);
  }
}

function hasAll(values: Values, expected: Values): boolean {
  return Object.entries(expected).every(([name, value]) => (values[name] ?? null) === value);
}

function isEqual(one: Values | null, other: Values | null): boolean {
  if (one === null || other === null) return one === other;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}
