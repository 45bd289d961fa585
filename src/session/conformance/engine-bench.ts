/** An empty database with engines of two processes on it, made anew for each rule. */
import type { RowLife, SessionEngine, SessionRow, SessionWrite } from "../stores/engine.ts";
import { holds, same, settles } from "./check.ts";
import { checkEngineDatabase, type TextKind } from "./suite-check.ts";

export interface EngineDatabase {
  /** The engine as one more process would make it, not opened yet. The suite closes it. */
  connect(): SessionEngine;
  /** When all engines are closed: ends whatever else `open` began. */
  end(): Promise<void>;
}

export interface EngineSuite {
  /** In the names of the tests: "PostgreSQL, jsonb". */
  readonly name: string;
  /** An empty database (a table or prefix of its own will do). Called for each rule. */
  open(): Promise<EngineDatabase>;
  /** One process alone can have the database: then one engine stands for both, and a second one has to be refused. */
  readonly isForOneProcess?: boolean;
  /** What the type of the data's column can't hold. It has to be refused with the outcome `unfit`. */
  readonly cannotHold?: readonly TextKind[];
  /**
   * Another suite holds the same database to all rules, and this one has another type of the data's column: only the rules are run
   * that depend on it, which are those of the table, of what is written and of what is read.
   */
  readonly isOtherDataType?: boolean;
  /** So many of the rules that wait for rows to end may run at once, each on what `open` gave it. Default: 1. */
  readonly waitingRulesAtOnce?: number;
}

export interface EngineBench {
  readonly suite: EngineSuite;
  /** Of two processes, open. */
  readonly a: SessionEngine;
  readonly b: SessionEngine;
  /** One more. */
  connect(): SessionEngine;
}

export type EngineRule = readonly [rule: string, check: (bench: EngineBench) => Promise<void>];

/** A rule that takes longer is broken: nothing here waits for more than a second by intention. */
export const ruleTimeoutMs = 60_000;
const closeTimeoutMs = 10_000;

export async function onEmptyDatabase(
  suite: EngineSuite,
  check: (bench: EngineBench) => Promise<void>,
): Promise<void> {
  const database = checkEngineDatabase(await suite.open());
  const engines: SessionEngine[] = [];
  const connect = (): SessionEngine => {
    const engine = database.connect();
    engines.push(engine);
    return engine;
  };
  try {
    const a = connect();
    const b = suite.isForOneProcess ? a : connect();
    await a.open();
    if (a !== b) await b.open();
    await check({ suite, a, b, connect });
  } finally {
    const closed = Promise.all(engines.map((engine) => engine.close()));
    await settles("close() of the engines", closed, closeTimeoutMs).finally(() => database.end());
  }
}

/** At once. */
export function each<Item, Result>(
  items: Iterable<Item>,
  act: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  return Promise.all(Array.from(items, act));
}

/** As ids have them: 24 characters of base64url. */
export function keyOf(name: string | number): string {
  return `k${name}`.padEnd(24, "_");
}

export const hourMs = 3_600_000;
/** Of one that begins and lives as long as it is used. */
export const newborn: RowLife = { ageMs: 0, absoluteTimeoutMs: Number.POSITIVE_INFINITY };

export function write(data: unknown, changes: Partial<SessionWrite> = {}): SessionWrite {
  return { data: JSON.stringify(data), writer: "app-a", holder: "", idleTimeoutMs: hourMs, ...changes };
}

export async function insert(
  engine: SessionEngine,
  key: string,
  data: unknown,
  changes: Partial<SessionWrite> = {},
): Promise<void> {
  same(`insert() of a new key ${key}`, await engine.insert(key, write(data, changes), newborn), true);
}

/** Fails when there is none. */
export async function rowOf(engine: SessionEngine, key: string): Promise<SessionRow> {
  const row = await engine.read(key);
  holds(`read() of ${key}`, row !== null, "a living row", row);
  return row;
}

/** What does not change with the time. Data are compared as values: a database may write JSON in its own way. */
export function contentOf(row: SessionRow): Record<string, unknown> {
  const { version, holder, idleTimeoutMs, absoluteTimeoutMs } = row;
  return { data: JSON.parse(row.data), version, holder, idleTimeoutMs, absoluteTimeoutMs };
}

/** What becomes of a row is what it was with these changes. */
export async function checkRow(
  what: string,
  engine: SessionEngine,
  key: string,
  expected: Record<string, unknown>,
): Promise<void> {
  const standard = { holder: "", idleTimeoutMs: hourMs, absoluteTimeoutMs: Number.POSITIVE_INFINITY };
  same(`${what}: the row of ${key}`, contentOf(await rowOf(engine, key)), { ...standard, ...expected });
}
