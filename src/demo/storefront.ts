/** How a visitor asks a shop and reads its answers: the demo shop's pages (shop-page.ts), or the examples' JSON (shop-api.ts). */
import type { Answer } from "./ask.ts";

/** Pieces by product; a product of which there are none is not in it. */
export type Cart = ReadonlyMap<string, number>;

/** What an answer tells of the visitor's session. */
export interface Shown {
  /** Who is signed in, or null. */
  readonly name: string | null;
  /** Pieces in the cart: every page shows their number. */
  readonly count: number;
  /** The cart itself, or null: only its own page shows it. */
  readonly cart: Cart | null;
}

/** What a visitor does with its session. */
export type Change =
  | { readonly kind: "add"; readonly product: string; readonly quantity: number }
  | { readonly kind: "order" | "sign-in" | "sign-out" };

/** What is POSTed. */
export interface Form {
  readonly path: string;
  readonly type: string;
  readonly body: string;
}

export interface Storefront {
  /** What a visitor asks for when it arrives. */
  readonly arrival: readonly string[];
  /** Where it goes after it has signed in or out. */
  readonly home: string;
  /** Of a POST that did what it should. */
  readonly doneStatus: number;

  /** What somebody looks at who looks around. @param chance from 0 to 1. */
  page(chance: number, product: string): string;

  /** Whether it tells of the session. */
  isPage(path: string): boolean;

  form(change: Change, name: string): Form;

  /** Null when this is no whole answer of the shop, or one that contradicts itself. */
  shownBy(text: string): Shown | null;

  /** Whether an order that was answered found nothing to order. */
  foundEmptyCart(answer: Answer): boolean;

  /** "shop-a/1234", the server and process that answered; "" when it does not tell. */
  servedBy(answer: Answer): string;
}

export function piecesOf(cart: Cart): number {
  let pieces = 0;
  for (const quantity of cart.values()) pieces += quantity;
  return pieces;
}
