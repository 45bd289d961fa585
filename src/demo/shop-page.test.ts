import assert from "node:assert/strict";
import { test } from "node:test";
import { shownBy } from "./shop-page.ts";

const page = (body: string): string => `<html><a data-count="3">Cart</a>${body}</html>\n`;

test("a page shows who is signed in and the number of pieces, the cart's own page each of them", () => {
  assert.deepEqual(shownBy(page("")), { name: null, count: 3, cart: null });
  assert.deepEqual(shownBy(page(`<b data-name="ann">`)), { name: "ann", count: 3, cart: null });
  const lines = `<li data-product="bell" data-quantity="2"><li data-product="mug" data-quantity="1">`;
  const cart = new Map([
    ["bell", 2],
    ["mug", 1],
  ]);
  assert.deepEqual(shownBy(page(`<ul data-cart>${lines}</ul>`)), { name: null, count: 3, cart });
});

test("half a page, another page and one that contradicts itself are none", () => {
  assert.equal(shownBy(page("").slice(0, -5)), null);
  assert.equal(shownBy("<html>Bad gateway</html>"), null);
  assert.equal(shownBy(page(`<ul data-cart><li data-product="bell" data-quantity="2"></ul>`)), null);
});
