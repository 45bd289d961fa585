/**
 * What the shop owes one visitor: everything that was acknowledged, and nothing else. A POST without an answer may have
 * been done or not; both are right until a page shows which, and only that one is right from then on.
 */
import { type Cart, type Change, piecesOf, type Shown } from "./storefront.ts";

/**
 * session-lost: all that the visitor left is gone, or the visitor is signed out by nobody. item-lost and item-added: pieces in
 * the cart, too few or too many. foreign: another visitor's session. revived: alive after it was ended.
 */
export type Trouble = "session-lost" | "item-lost" | "item-added" | "foreign" | "revived";

/** How often each; those that did not happen are missing. Items are counted by the piece. */
export type Troubles = ReadonlyMap<Trouble, number>;

/** What a page meant. */
export interface Finding {
  readonly troubles: Troubles;
  /** Whether the POST without an answer was done, when this page showed it. */
  readonly wasDone: boolean | null;
}

interface Content {
  readonly name: string | null;
  readonly cart: Cart;
}

/** The shop keeps at most so many pieces of one product in a cart. */
const quantityMax = 99;
const nothing: Content = { name: null, cart: new Map() };
const noTroubles: Troubles = new Map();

export class Ledger {
  readonly #name: string;
  /**
   * Whatever the next page may show: one content; several after a POST without an answer, the one without it first; none after
   * a page that showed something wrong, and not the whole of it.
   */
  #possible: readonly Content[] = [nothing];

  constructor(name: string) {
    this.#name = name;
  }

  /** False: the cart must be looked at before anything else is done, or nobody could tell any more what is owed. */
  get isSettled(): boolean {
    return this.#possible.length === 1;
  }

  /** Pieces in the cart, and whether the visitor is signed in; to be asked when it is settled. */
  get count(): number {
    return piecesOf((this.#possible[0] ?? nothing).cart);
  }

  get isSignedIn(): boolean {
    return (this.#possible[0]?.name ?? null) !== null;
  }

  /** What may be shown, for a person. */
  get expected(): string {
    return this.#possible.map(described).join(", or ");
  }

  acknowledged(change: Change): void {
    this.#possible = this.#possible.map((content) => this.#after(content, change));
  }

  /** Nobody answered, or the answer says that nobody knows. */
  unanswered(change: Change): void {
    const done = this.#possible.map((content) => this.#after(content, change));
    // Signing in ends the old id. When the answer with the new one is lost, nobody has an id any more.
    const cutOff = change.kind === "sign-in" ? [nothing] : [];
    this.#possible = [...this.#possible, ...done, ...cutOff];
  }

  check(shown: Shown): Finding {
    const possible = this.#possible;
    const matching = possible.filter((content) => isAs(content, shown));
    if (possible.length === 0 || matching.length === 0) {
      // From here on it is owed as it is now: one loss is counted once.
      this.#possible = shown.cart === null ? [] : [{ name: shown.name, cart: shown.cart }];
      return { troubles: this.#nearest(possible, shown), wasDone: null };
    }
    this.#possible = shown.cart === null ? matching : matching.slice(0, 1);
    const hasShown = possible.length > 1 && this.isSettled;
    return { troubles: noTroubles, wasDone: hasShown ? matching[0] !== possible[0] : null };
  }

  /** A page that was asked for with the id of a session whose end was acknowledged. */
  checkEnded({ name, count }: Shown): Troubles {
    if (name === null && count === 0) return noTroubles;
    return new Map([[name === null || name === this.#name ? "revived" : "foreign", 1]]);
  }

  #after(content: Content, change: Change): Content {
    const { name, cart } = content;
    switch (change.kind) {
      case "add": {
        const quantity = Math.min((cart.get(change.product) ?? 0) + change.quantity, quantityMax);
        return { name, cart: new Map([...cart, [change.product, quantity]]) };
      }
      case "order":
        return { name, cart: nothing.cart };
      case "sign-in":
        return { name: this.#name, cart };
      case "sign-out":
        return nothing;
    }
  }

  /** What is wrong, judged by the content that comes nearest. */
  #nearest(possible: readonly Content[], shown: Shown): Troubles {
    const judged = possible.map((content) => this.#differences(content, shown));
    return judged.toSorted((left, right) => weightOf(left) - weightOf(right))[0] ?? noTroubles;
  }

  #differences(owed: Content, shown: Shown): Troubles {
    if (shown.name !== null && shown.name !== this.#name) return new Map([["foreign", 1]]);
    if (shown.name !== null && owed.name === null) return new Map([["revived", 1]]);
    const isNothing = shown.name === null && shown.count === 0;
    if (isNothing || shown.name !== owed.name) return new Map([["session-lost", 1]]);
    const [lost, added] = itemDifferences(owed.cart, shown);
    const troubles = new Map<Trouble, number>();
    if (lost > 0) troubles.set("item-lost", lost);
    if (added > 0) troubles.set("item-added", added);
    return troubles;
  }
}

function isAs({ name, cart }: Content, shown: Shown): boolean {
  if (name !== shown.name || piecesOf(cart) !== shown.count) return false;
  return shown.cart === null || itemDifferences(cart, shown).every((pieces) => pieces === 0);
}

/** Pieces that are missing, and pieces that are too many. */
function itemDifferences(owed: Cart, shown: Shown): [lost: number, added: number] {
  if (shown.cart === null) {
    const difference = piecesOf(owed) - shown.count;
    return [Math.max(difference, 0), Math.max(-difference, 0)];
  }
  let lost = 0;
  let added = 0;
  for (const product of new Set([...owed.keys(), ...shown.cart.keys()])) {
    const difference = (owed.get(product) ?? 0) - (shown.cart.get(product) ?? 0);
    if (difference > 0) lost += difference;
    else added -= difference;
  }
  return [lost, added];
}

/** A whole session weighs more than any cart. */
function weightOf(troubles: Troubles): number {
  let weight = 0;
  for (const [trouble, count] of troubles)
    weight += trouble === "item-lost" || trouble === "item-added" ? count : Number.MAX_SAFE_INTEGER;
  return weight;
}

function described({ name, cart }: Content): string {
  const items = [...cart].map(([product, quantity]) => `${quantity} ${product}`);
  return `${name === null ? "nobody signed in" : name} with ${items.join(" ") || "an empty cart"}`;
}

/** For a person. */
export function shownText({ name, count, cart }: Shown): string {
  if (cart !== null) return described({ name, cart });
  return `${name === null ? "nobody signed in" : name} with ${count} pieces`;
}
