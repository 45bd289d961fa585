/** What a page of the demo shop tells of the visitor's session (demo/shop/pages.js). */

/** Pieces by product; a product of which there are none is not in it. */
export type Cart = ReadonlyMap<string, number>;

export interface Shown {
  /** Who is signed in, or null. */
  readonly name: string | null;
  /** Pieces in the cart: every page shows their number. */
  readonly count: number;
  /** The cart itself, or null: only its own page shows it. */
  readonly cart: Cart | null;
}

/** Null when this is no whole page of the shop, or one that contradicts itself. */
export function shownBy(page: string): Shown | null {
  const count = /data-count="([0-9]+)"/.exec(page)?.[1];
  if (count === undefined || !page.trimEnd().endsWith("</html>")) return null;
  const name = /data-name="([^"]*)"/.exec(page)?.[1] ?? null;
  const cart = page.includes("data-cart") ? cartOf(page) : null;
  if (cart !== null && piecesOf(cart) !== Number(count)) return null;
  return { name, count: Number(count), cart };
}

function cartOf(page: string): Cart {
  const lines = page.matchAll(/data-product="([^"]*)" data-quantity="([0-9]+)"/g);
  return new Map([...lines].map(([, product, quantity]) => [product!, Number(quantity)]));
}

export function piecesOf(cart: Cart): number {
  let pieces = 0;
  for (const quantity of cart.values()) pieces += quantity;
  return pieces;
}
