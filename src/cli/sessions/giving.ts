/**
 * Sessions on their way to the servers of a cluster: gathered to questions, several of them open at the same time, no faster than
 * wanted. Where whoever gives them says how far he is, it is known up to where all that was given has arrived.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Server } from "../../config/model.ts";
import type { Outcome } from "../../session/admin/questions.ts";
import { slotOfKey } from "../../session/id.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";
import { count, grouped } from "../../support/words.ts";
import { complain, enumerate, say, sayJson } from "../terminal.ts";
import { AtOnce } from "./at-once.ts";
import { deliver } from "./deliver.ts";
import type { Keepers } from "./keepers.ts";

/** A session that is to be given. */
export interface Given {
  readonly key: string;
  /** The letters of the server that kept it, or "". */
  readonly owner: string;
  /** Its record (checkpoint/record.ts), parsed. */
  readonly value: unknown;
  /** Of the record, about. */
  readonly bytes: number;
}

export interface GivingOptions {
  /** The places of sessions that there are, are taken. */
  readonly replace: boolean;
  /** Sessions per second; null: the default. */
  readonly rate: number | null;
}

/** After these it is of no use to give it once more. */
const settled: ReadonlySet<Outcome> = new Set(["put", "replaced", "kept", "refused"]);

/** What a server says is no session, too large, or can't be kept in its database. */
export type OnRefused<T> = (given: T) => void;

/** In the order of giving: a question, or a place that whoever gives has reached. */
type Step = { isDone: boolean } | { readonly place: string };

export class Giving<T extends Given = Given> {
  readonly #keepers: Keepers;
  readonly #onRefused: OnRefused<T>;
  readonly #replaces: boolean;
  readonly #perSecond: number;
  readonly #underWay: AtOnce = new AtOnce(limits.questionsAtOnce);
  readonly #steps: Step[] = [];
  /** When the next question may be asked: time that was lost is not made up for. */
  #dueAt = 0;
  #batch: T[] = [];
  #batchBytes = 0;
  #given = 0;
  #reached: string | null = null;
  readonly troubles: Set<string> = new Set();
  readonly outcomes: Map<Outcome, number> = new Map();
  expired = 0;
  /** Given to a server that ids may not lead to. */
  misplaced = 0;

  constructor(keepers: Keepers, { replace, rate }: GivingOptions, onRefused: OnRefused<T> = () => {}) {
    this.#keepers = keepers;
    this.#onRefused = onRefused;
    this.#replaces = replace;
    this.#perSecond = rate ?? limits.importPerSecond;
  }

  /** So many are on their way, or were. */
  get given(): number {
    return this.#given;
  }

  get inWords(): string {
    return `${grouped(this.#given)} sessions given`;
  }

  of(...outcomes: readonly Outcome[]): number {
    return outcomes.reduce((sum, outcome) => sum + (this.outcomes.get(outcome) ?? 0), 0);
  }

  /** The last place (`reachedPlace`) up to which each session is there now, or was to be left out; null: none. */
  get reached(): string | null {
    return this.#reached;
  }

  async take(given: T): Promise<void> {
    if (this.#batchBytes + given.bytes > limits.pageBytes) await this.#flush();
    this.#batch.push(given);
    this.#batchBytes += given.bytes;
    if (this.#batch.length >= limits.importBatchMax) await this.#flush();
  }

  /** All that stands before this place has been taken. */
  async reachedPlace(place: string): Promise<void> {
    await this.#flush();
    this.#steps.push({ place });
    this.#advance();
  }

  /** All that was taken has been given, or it is known that it could not be. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#underWay.end();
  }

  /** Begins to give what has gathered, no sooner than the rate allows. */
  async #flush(): Promise<void> {
    const items = this.#batch;
    if (items.length === 0) return;
    this.#batch = [];
    this.#batchBytes = 0;
    const now = performance.now();
    const waitMs = this.#dueAt - now;
    this.#dueAt = Math.max(now, this.#dueAt) + (1_000 * items.length) / this.#perSecond;
    if (waitMs > 0) await sleep(waitMs);
    this.#given += items.length;
    const step = { isDone: false };
    this.#steps.push(step);
    await this.#underWay.begin(async () => {
      // What was not put in place is still to be done, and so is what comes behind it.
      step.isDone = await this.#give(items);
      this.#advance();
    });
  }

  /** @returns whether nothing is left to be done for them. */
  async #give(items: readonly T[]): Promise<boolean> {
    const delivered = await deliver<T>(
      this.#keepers,
      {
        ...{ ask: "sessions-put", items, serverOf: (item) => this.#serverOf(item) },
        content: (some) => ({ replaces: this.#replaces, sessions: some.map(({ value }) => value) }),
      },
      this.troubles,
    );
    let isDone = true;
    for (const { item, outcome } of delivered) {
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
      isDone &&= settled.has(outcome);
      if (outcome === "refused") this.#onRefused(item);
      if (!this.#keepers.areShared && this.#keepers.alone.length > 1 && this.#namedBy(item) === null)
        this.misplaced++;
    }
    return isDone;
  }

  #advance(): void {
    for (let first = this.#steps[0]; first !== undefined; first = this.#steps[0]) {
      if ("place" in first) this.#reached = first.place;
      else if (!first.isDone) return;
      this.#steps.shift();
    }
  }

  #serverOf(item: Given): Server | null {
    const { areShared, alone } = this.#keepers;
    const slot = slotOfKey(item.key);
    if (areShared) return this.#keepers.ownerOf(slot)?.server ?? null;
    return this.#namedBy(item) ?? alone[slot % Math.max(1, alone.length)]?.server ?? null;
  }

  /** Where servers keep sessions alone: the one that the letters of the session's ids lead to. */
  #namedBy({ owner }: Given): Server | null {
    const found = this.#keepers.alone.find(
      ({ server }) => owner === `${server.letter}${server.processIndex === 0 ? "" : server.processIndex}`,
    );
    return found?.server ?? null;
  }
}

/** What came of it, for a checkpoint. @returns the exit code. */
export function tellGiven(giving: Giving, asJson: boolean): number {
  const [put, replaced, kept, full] = [
    giving.of("put"),
    giving.of("replaced"),
    giving.of("kept"),
    giving.of("full"),
  ];
  const failed = giving.of("elsewhere", "busy", "unknown", "refused");
  const { expired, misplaced } = giving;
  if (asJson)
    sayJson({ put, replaced, kept, expired, full, failed, misplaced, isComplete: failed + full === 0 });
  else say(givenInWords(giving));
  if (misplaced > 0)
    complain(
      `note: each server keeps its sessions alone, and for ${count(misplaced, "session")} none has the letter that was in their ids: ` +
        "their visitors may be sent to another server than the one that has them now",
    );
  complainOfMissing(giving, full, failed);
  return failed + full === 0 ? 0 : 1;
}

export function givenInWords(giving: Pick<Giving, "of" | "expired">): string {
  const [put, replaced, kept] = [giving.of("put"), giving.of("replaced"), giving.of("kept")];
  const parts = [`${count(put, "session")} put in place`];
  if (replaced > 0) parts.push(`${replaced} replaced`);
  if (kept > 0) parts.push(`${kept} there already, which stay as they are`);
  if (giving.expired > 0) parts.push(`${giving.expired} had expired`);
  return `${enumerate(parts)}.`;
}

export function complainOfMissing(
  { troubles }: Pick<Giving, "troubles">,
  full: number,
  failed: number,
): void {
  if (full > 0)
    complain(
      `${count(full, "session")} found no room: each would have taken the place of a visitor's. Raise \`memory:\`, or add servers.`,
    );
  if (failed > 0)
    complain(
      `${count(failed, "session")} could not be put in place, or it is not known: ${enumerate([...troubles]) || "the servers that keep them are busy"}. Run it again.`,
    );
}
