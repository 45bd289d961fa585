/**
 * What operators want of app servers, as each web server keeps it. It is said at all web servers at once; one that does not
 * hear it learns it from the others. Of two words about the same the newer counts, whoever hears them in which order.
 */
import { config as limits } from "../support/limits.ts";
import type { Order } from "./server-news.ts";

export interface Word<T> {
  readonly value: T;
  /** Milliseconds since 1970 on the operator's clock, and later than any word about the same that he could learn of. */
  readonly atMs: number;
  /** Made by chance: decides between two of the same moment. */
  readonly id: string;
}

export interface ServerWords {
  readonly name: string;
  /** Null: nobody ever said anything. */
  readonly order: Word<Order> | null;
  /** "5", or "50%" of the file's. */
  readonly weight: Word<string> | null;
}

const weightPattern = /^\d{1,4}%?$/;
const idPattern = /^[\w-]{1,32}$/;
/** The last moment that a Date can have. */
const atMsMax = 8.64e15;

export function isNewer(word: Word<unknown> | null, than: Word<unknown> | null): boolean {
  if (word === null || than === null) return word !== null;
  return word.atMs === than.atMs ? word.id > than.id : word.atMs > than.atMs;
}

export class OperatorWords {
  readonly #words: Map<string, ServerWords> = new Map();

  /** Of servers of which something was said. */
  get all(): readonly ServerWords[] {
    return [...this.#words.values()];
  }

  of(name: string): ServerWords {
    return this.#words.get(name) ?? { name, order: null, weight: null };
  }

  /** @returns whether any of it was new. */
  hear({ name, order, weight }: ServerWords): boolean {
    const known = this.of(name);
    const isNewOrder = isNewer(order, known.order);
    const isNewWeight = isNewer(weight, known.weight);
    if (!isNewOrder && !isNewWeight) return false;
    this.#words.set(name, {
      name,
      order: isNewOrder ? order : known.order,
      weight: isNewWeight ? weight : known.weight,
    });
    return true;
  }

  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#words.keys()) if (!names.has(name)) this.#words.delete(name);
  }
}

/** @returns null when it is no weight. */
export function weightOf(text: string, ofFile: number): number | null {
  if (!weightPattern.test(text)) return null;
  const number = Number.parseInt(text, 10);
  if (number > limits.weightMax) return null;
  return text.endsWith("%") ? Math.min(limits.weightMax, (ofFile * number) / 100) : number;
}

/** From a file, or from another server. @returns null when it is nothing of the kind. */
export function readServerWords(value: unknown): ServerWords | null {
  if (typeof value !== "object" || value === null) return null;
  const { name, order = null, weight = null } = value as Partial<Record<keyof ServerWords, unknown>>;
  if (typeof name !== "string") return null;
  const readOrder = readWord(order, isOrder);
  const readWeight = readWord(weight, isWeight);
  if (readOrder === undefined || readWeight === undefined) return null;
  return { name, order: readOrder, weight: readWeight };
}

/** @returns undefined when it is neither null nor a word. */
function readWord<T>(value: unknown, isValue: (value: unknown) => value is T): Word<T> | null | undefined {
  if (value === null) return null;
  const word = value as Partial<Word<unknown>>;
  const isWord =
    typeof value === "object" &&
    isValue(word.value) &&
    Number.isSafeInteger(word.atMs) &&
    word.atMs! >= 0 &&
    word.atMs! <= atMsMax &&
    typeof word.id === "string" &&
    idPattern.test(word.id);
  return isWord ? { value: word.value as T, atMs: word.atMs!, id: word.id! } : undefined;
}

function isOrder(value: unknown): value is Order {
  return value === "ready" || value === "drain" || value === "maint";
}

function isWeight(value: unknown): value is string {
  return typeof value === "string" && weightOf(value, 1) !== null;
}
