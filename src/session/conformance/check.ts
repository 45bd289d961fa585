/** Checks whose failures tell somebody who did not write them what was expected and what came. */
import { AssertionError } from "node:assert";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect, isDeepStrictEqual } from "node:util";

/** @param what in words: "after the second insert, the row". */
export function same(what: string, came: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(came, expected)) fail(what, shown(expected), came);
}

/** @param expected in words. */
export function holds(what: string, isSo: boolean, expected: string, came: unknown): asserts isSo {
  if (!isSo) fail(what, expected, came);
}

/** Both bounds are allowed. */
export function within(what: string, came: number, least: number, most: number): void {
  holds(what, came >= least && came <= most, `from ${least} to ${most}`, came);
}

/** @returns what it was rejected with. */
export async function rejected(what: string, outcome: Promise<unknown>): Promise<unknown> {
  let came: unknown;
  try {
    came = await outcome;
  } catch (error) {
    return error;
  }
  fail(what, "a rejection", came);
}

/** @returns what it resolves with. A rule that only says that something ends needs a bound to fail at. */
export async function settles<Value>(
  what: string,
  outcome: Promise<Value>,
  withinMs: number,
): Promise<Value> {
  const bound = new AbortController();
  const late = Symbol("late");
  try {
    const first = await Promise.race([
      outcome,
      sleep(withinMs, late, { signal: bound.signal }).catch(() => late),
    ]);
    if (first === late) fail(what, `an end within ${withinMs} ms`, "none");
    return first as Value;
  } finally {
    bound.abort();
  }
}

function fail(what: string, expected: string, came: unknown): never {
  throw new AssertionError({
    message: `${what}\n  expected: ${expected}\n  came:     ${shown(came)}`,
    actual: came,
    stackStartFn: fail,
  });
}

function shown(value: unknown): string {
  const text = inspect(value, {
    sorted: true,
    depth: 6,
    breakLength: 100,
    maxStringLength: 300,
    maxArrayLength: 20,
  });
  return text.replaceAll("\n", "\n            ");
}

/** The suite's own clock, in milliseconds: it measures what passes, and is compared with no database's. */
export function now(): number {
  return performance.now();
}

/** Whatever databases round, and what two clocks may differ by in so short a time. */
const slackMs = 25;

/**
 * Watches something end by a clock that is not ours. Between the earliest and the latest moment at which it may end, as seen from here, both
 * answers are right; before and behind only one is. So a slow machine never fails, and an early or a missing end always does.
 */
export class Ending {
  readonly #what: string;
  #earliest = 0;
  #latest = 0;

  constructor(what: string) {
    this.#what = what;
  }

  /** Runs what makes it end so long after it, by the other clock. */
  async begin<Value>(afterMs: number, act: () => Promise<Value>): Promise<Value> {
    const before = now();
    const outcome = await act();
    [this.#earliest, this.#latest] = [before + afterMs, now() + afterMs];
    return outcome;
  }

  /** Looks until it has ended. @param look whether it is still there. */
  async watch(look: () => Promise<boolean>): Promise<void> {
    for (;;) {
      if (!(await this.look(look))) return;
      await sleep(10);
    }
  }

  /** Once. @returns whether it is still there. */
  async look(look: () => Promise<boolean>): Promise<boolean> {
    const from = now();
    const isThere = await look();
    const to = now();
    if (isThere && from > this.#latest + slackMs)
      fail(this.#what, "ended by now", `still there ${Math.round(from - this.#latest)} ms late`);
    if (!isThere && to < this.#earliest - slackMs)
      fail(this.#what, "still there", `ended ${Math.round(this.#earliest - to)} ms early`);
    return isThere;
  }
}
