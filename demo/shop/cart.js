// The cart: product ids and quantities, kept in the session as plain data.
import { products } from "./products.js";

export const quantityMax = 99;

/** The lines of a cart, in the shop's order: `{ product, quantity, cents }`. */
export function linesOf(cart = {}) {
  const lines = [];
  for (const product of products.values()) {
    if (!Object.hasOwn(cart, product.id)) continue;
    const quantity = cart[product.id];
    lines.push({ product, quantity, cents: quantity * product.cents });
  }
  return lines;
}

export function countOf(cart = {}) {
  return linesOf(cart).reduce((sum, line) => sum + line.quantity, 0);
}

export function totalOf(cart = {}) {
  return linesOf(cart).reduce((sum, line) => sum + line.cents, 0);
}

/** A new cart with this many more of the product. */
export function added(cart = {}, id, quantity) {
  return withQuantity(cart, id, (Object.hasOwn(cart, id) ? cart[id] : 0) + quantity);
}

/** A new cart with exactly this many of the product; none of it when `quantity` is 0. */
export function withQuantity(cart = {}, id, quantity) {
  const { [id]: _, ...others } = cart;
  return quantity > 0 ? { ...others, [id]: Math.min(quantity, quantityMax) } : others;
}

/** A whole number from 0 to the maximum, or null for anything else that a form may send. */
export function quantityFrom(text) {
  if (typeof text !== "string" || !/^[0-9]{1,2}$/.test(text)) return null;
  return Number(text);
}
