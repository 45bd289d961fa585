/**
 * Random operations by two processes at the same time: what they were told, and what is left, has to be what some order of them would
 * give in which each process's own come in the order of its calls. All orders are tried, so nothing else is assumed of a store.
 */
import { isDeepStrictEqual } from "node:util";
import { seededRandom } from "../../support/clock.ts";
import type { VerifiedId } from "../id.ts";
import { holds } from "./check.ts";
import { agreed, type Data, type StoreBench, type StoreProcess } from "./store-bench.ts";

type Operation =
  | { readonly kind: "update"; readonly data: Data }
  | { readonly kind: "compareAndSet"; readonly data: Data; readonly expected: Data }
  | { readonly kind: "destroy" | "load" | "touch" };

interface Made {
  readonly operation: Operation;
  /** As it was told; undefined: nothing is. */
  readonly outcome: unknown;
}

const keys = ["a", "b", "c"];
const rounds = 15;
const sessionsAtOnce = 8;
const operationsMax = 4;

/** @throws AssertionError with the seed's number, the operations and what came of them. */
export async function checkRandomOperations(bench: StoreBench, seed: number): Promise<void> {
  const random = seededRandom(seed);
  for (let round = 0; round < rounds; round++) {
    const sessions = Array.from({ length: sessionsAtOnce }, (_, session) =>
      checkSession(bench, random, `seed ${seed}, round ${round}, session ${session}`),
    );
    await Promise.all(sessions);
  }
}

async function checkSession(bench: StoreBench, random: () => number, where: string): Promise<void> {
  const start: Data = { a: 0, b: 0 };
  const pick = (count: number): number => Math.floor(random() * count);
  const plans = [bench.a, bench.b].map(() =>
    Array.from({ length: 1 + pick(operationsMax) }, (): Operation => anyOperation(pick)),
  );
  const id = await (pick(2) === 0 ? bench.a : bench.b).begin(start);
  const made = await Promise.all([perform(bench.a, id, plans[0]!), perform(bench.b, id, plans[1]!)]);
  const left = await agreed(bench, where, id);
  // Of the other one's changes those of a copy may come late.
  const counted = made.map((all) =>
    all.filter(({ operation }) => bench.seenWithinMs === 0 || operation.kind !== "load"),
  );
  holds(
    `${where}: from ${JSON.stringify(start)}, ${made.map((all, n) => `process ${"ab"[n]}: ${shown(all)}`).join("; ")}`,
    isExplained(counted, [start], left),
    "what some order of these operations would give",
    left,
  );
}

function anyOperation(pick: (count: number) => number): Operation {
  const key = (): string => keys[pick(keys.length)]!;
  const value = (): unknown => (pick(4) === 0 ? undefined : pick(3));
  const dice = pick(12);
  if (dice === 0) return { kind: "destroy" };
  if (dice === 1) return { kind: "touch" };
  if (dice < 5) return { kind: "load" };
  const data = { [key()]: value(), [key()]: value() };
  return dice < 9
    ? { kind: "update", data }
    : { kind: "compareAndSet", data, expected: { [key()]: value() } };
}

/** All at once. */
function perform(process: StoreProcess, id: VerifiedId, plan: readonly Operation[]): Promise<Made[]> {
  return Promise.all(
    plan.map(async (operation) => ({ operation, outcome: await start(process, id, operation) })),
  );
}

async function start(process: StoreProcess, id: VerifiedId, operation: Operation): Promise<unknown> {
  switch (operation.kind) {
    case "update":
      return process.update(id, operation.data);
    case "compareAndSet":
      return process.compareAndSet(id, operation.data, operation.expected);
    case "destroy":
      return process.destroy(id);
    case "load":
      return process.data(id);
    case "touch":
      process.touch(id);
      return undefined;
  }
}

/**
 * Whether there is one that ends with `left`, and in which each load shows what was committed at some time: it need not wait for
 * changes that are under way, not even of its own process.
 */
function isExplained(
  made: readonly (readonly Made[])[],
  states: readonly (Data | null)[],
  left: Data | null,
): boolean {
  const changes = made.map((all) => all.filter(({ operation }) => operation.kind !== "load"));
  const loads = made.flat().filter(({ operation }) => operation.kind === "load");
  return hasOrder(
    changes[0]!,
    changes[1]!,
    states,
    (visited) =>
      isDeepStrictEqual(visited.at(-1), left) &&
      loads.every(({ outcome }) => visited.some((state) => isDeepStrictEqual(state, outcome))),
  );
}

/** @param states that the session has had, from the first to the one of now. */
function hasOrder(
  one: readonly Made[],
  other: readonly Made[],
  states: readonly (Data | null)[],
  isIt: (states: readonly (Data | null)[]) => boolean,
): boolean {
  if (one.length === 0 && other.length === 0) return isIt(states);
  const isNext = ([next, ...rest]: readonly Made[], others: readonly Made[]): boolean => {
    if (next === undefined) return false;
    const { outcome, after } = effect(next.operation, states.at(-1)!);
    return isDeepStrictEqual(outcome, next.outcome) && hasOrder(rest, others, [...states, after], isIt);
  };
  return isNext(one, other) || isNext(other, one);
}

/** @param data of the session; null: there is none. */
function effect(operation: Operation, data: Data | null): { outcome: unknown; after: Data | null } {
  switch (operation.kind) {
    case "load":
    case "touch":
      return { outcome: undefined, after: data };
    case "destroy":
      return { outcome: "done", after: null };
    case "update":
    case "compareAndSet": {
      if (data === null) return { outcome: "FLOTILLA_SESSION_GONE", after: null };
      const expected = operation.kind === "update" ? {} : operation.expected;
      if (Object.entries(expected).some(([key, value]) => data[key] !== value))
        return { outcome: "FLOTILLA_SESSION_CONTENDED", after: data };
      const changed = Object.entries({ ...data, ...operation.data }).filter(
        ([, value]) => value !== undefined,
      );
      return { outcome: "done", after: Object.fromEntries(changed) };
    }
  }
}

function shown(made: readonly Made[]): string {
  return made
    .map(({ operation, outcome }) => {
      const { kind, ...rest } = operation;
      const details = JSON.stringify(rest, (_, value: unknown) => (value === undefined ? "(none)" : value));
      return `${kind} ${details} -> ${JSON.stringify(outcome) ?? "nothing"}`;
    })
    .join(", ");
}
