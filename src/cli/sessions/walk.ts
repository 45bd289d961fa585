/**
 * All sessions of a cluster, page by page: each slot once, in one go of the server that serves it. Slots may move meanwhile, and a
 * server may die: a slot is then gone on with, behind the last key, at whoever serves it next. One server after the other, one page at a
 * time: as slow as the reader, and no page is more than a server does in a moment.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { PageAnswer, PageQuestion, Where } from "../../session/admin/questions.ts";
import { SlotSet } from "../../session/admin/slot-set.ts";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";
import { count } from "../../support/words.ts";
import { enumerate } from "../terminal.ts";
import type { Keeper, Keepers } from "./keepers.ts";

export interface Wanted {
  readonly where: Where | null;
  readonly isForKeys: boolean;
}

export interface Page {
  readonly keeper: Keeper;
  /** Records, or keys. */
  readonly sessions: readonly unknown[];
  /** How many others can't be read: somebody wrote to their rows in the database. */
  readonly damaged: number;
}

/** What is still to be read. */
interface Rest {
  readonly slots: SlotSet;
  /** In slots of which a part was read: behind which key they go on. */
  readonly behind: Map<number, string>;
}

/** @throws FlotillaError FLOTILLA_SESSIONS_INCOMPLETE: what was not told by then is not told. */
export async function* walk(keepers: Keepers, wanted: Wanted): AsyncGenerator<Page> {
  const shared: Rest = { slots: SlotSet.all(), behind: new Map() };
  const alone = new Map<string, Rest>();
  for (const { server } of keepers.alone) alone.set(server.name, { slots: SlotSet.all(), behind: new Map() });
  const rests = keepers.areShared ? [shared, ...alone.values()] : [...alone.values()];
  const left = (): number => rests.reduce((sum, { slots }) => sum + slots.size, 0);
  const troubles = new Map<string, string>();
  let before = left();
  let until = performance.now() + limits.patienceMs;
  for (;;) {
    for (const keeper of keepers.all) {
      const rest = keeper.kind === "alone" ? alone.get(keeper.server.name) : shared;
      if (rest === undefined || rest.slots.size === 0) continue;
      try {
        yield* walkOne(keepers, keeper, rest, wanted);
        troubles.delete(keeper.server.name);
      } catch (error) {
        if (!(error instanceof FlotillaError)) throw error;
        troubles.set(keeper.server.name, messageOf(error));
      }
    }
    const now = left();
    if (now === 0) return;
    if (now < before) until = performance.now() + limits.patienceMs;
    before = now;
    if (performance.now() >= until) throw incomplete(now, [...troubles.values()]);
    await sleep(limits.retryMs);
    await keepers.look();
  }
}

async function* walkOne(keepers: Keepers, keeper: Keeper, rest: Rest, wanted: Wanted): AsyncGenerator<Page> {
  for (const [slot, after] of [...rest.behind]) {
    const slots = SlotSet.none();
    slots.add(slot);
    yield* walkSlots(keepers, keeper, rest, { ...wanted, slots: slots.text, after });
  }
  const slots = SlotSet.none();
  for (let slot = rest.slots.next(0); slot !== -1; slot = rest.slots.next(slot + 1))
    if (!rest.behind.has(slot)) slots.add(slot);
  yield* walkSlots(keepers, keeper, rest, { ...wanted, slots: slots.text, after: "" });
}

/** @param first of its pages. */
async function* walkSlots(
  keepers: Keepers,
  keeper: Keeper,
  rest: Rest,
  first: PageQuestion,
): AsyncGenerator<Page> {
  const slots = SlotSet.read(first.slots)!;
  for (let question = first; ; ) {
    const answer = (await keepers.ask(keeper.server, "sessions-page", question)) as PageAnswer;
    const finished = SlotSet.read(answer.finished) ?? SlotSet.none();
    rest.slots.subtract(finished);
    for (const slot of rest.behind.keys()) if (finished.has(slot)) rest.behind.delete(slot);
    if (answer.next !== null) rest.behind.set(answer.next.slot, answer.next.after);
    yield { keeper, sessions: answer.sessions, damaged: answer.damaged ?? 0 };
    if (answer.next === null) return;
    const { slot, after } = answer.next;
    for (let done = slots.next(0); done !== -1 && done < slot; done = slots.next(done + 1))
      slots.remove(done);
    question = { ...question, slots: slots.text, after };
  }
}

export function damagedInWords(damaged: number): string {
  return `${count(damaged, "session")} whose rows in the database can't be read, for somebody else wrote to them`;
}

function incomplete(slots: number, troubles: readonly string[]): FlotillaError {
  const why = troubles.length === 0 ? "no server of those that answer serves them" : enumerate(troubles);
  return new FlotillaError(
    "FLOTILLA_SESSIONS_INCOMPLETE",
    `the sessions of ${count(slots, "slot")} could not be read within ${limits.patienceMs / 1_000} s: ${why}; flotilla status says who is missing`,
    { source: "server" },
  );
}
