/**
 * Something to be done to many sessions, each at the server that serves it. Slots move and servers are busy: what was not done
 * is tried again for a while, at whoever serves it then.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Server } from "../../config/model.ts";
import type { Outcome, OutcomesAnswer } from "../../session/admin/questions.ts";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";
import type { Keepers } from "./keepers.ts";

/** Outcomes after which it is tried again. Whatever is asked for may be done twice. */
const passing: ReadonlySet<Outcome> = new Set(["elsewhere", "busy", "unknown"]);

export interface Delivery<T> {
  readonly ask: "sessions-end" | "sessions-put";
  readonly items: readonly T[];
  /** Null: nobody that is known now. */
  readonly serverOf: (item: T) => Server | null;
  readonly content: (items: readonly T[]) => object;
}

export interface Delivered<T> {
  readonly item: T;
  readonly outcome: Outcome;
}

/** @returns in no order; the last outcome where patience came to its end. @param troubles is given what servers said instead of answers. */
export async function deliver<T>(
  keepers: Keepers,
  { ask, items, serverOf, content }: Delivery<T>,
  troubles: Set<string>,
): Promise<Delivered<T>[]> {
  const delivered: Delivered<T>[] = [];
  let left: Delivered<T>[] = items.map((item) => ({ item, outcome: "elsewhere" }));
  let until = performance.now() + limits.patienceMs;
  for (;;) {
    const results = await Promise.all(
      [...byServer(left, serverOf)].map(async ([server, batch]) => {
        if (server === null) return batch;
        try {
          const answer = await keepers.ask(server, ask, content(batch.map(({ item }) => item)));
          const { outcomes } = answer as OutcomesAnswer;
          return batch.map(({ item }, index) => ({ item, outcome: outcomes[index] ?? "unknown" }));
        } catch (error) {
          if (!(error instanceof FlotillaError)) throw error;
          troubles.add(messageOf(error));
          return batch.map(({ item }): Delivered<T> => ({ item, outcome: "unknown" }));
        }
      }),
    );
    const before = left.length;
    left = [];
    for (const one of results.flat()) (passing.has(one.outcome) ? left : delivered).push(one);
    if (left.length < before) until = performance.now() + limits.patienceMs;
    if (left.length === 0 || performance.now() >= until) return [...delivered, ...left];
    await sleep(limits.retryMs);
    await keepers.look();
  }
}

function byServer<T>(
  items: readonly Delivered<T>[],
  serverOf: (item: T) => Server | null,
): Map<Server | null, Delivered<T>[]> {
  const groups = new Map<Server | null, Delivered<T>[]>();
  for (const one of items) {
    const server = serverOf(one.item);
    const group = groups.get(server);
    if (group === undefined) groups.set(server, [one]);
    else group.push(one);
  }
  return groups;
}
