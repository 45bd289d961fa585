import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "./ask.ts";
import { shopApi } from "./shop-api.ts";

const answer = (text: string): Answer => ({ failure: null, status: 200, headers: {}, text });

test("an answer shows who is signed in, the cart, and who served it", () => {
  const text = '{"user":"ann","cart":{"bell":2,"mug":1},"servedBy":"shop-a/17"}';
  const cart = new Map([
    ["bell", 2],
    ["mug", 1],
  ]);
  assert.deepEqual(shopApi.shownBy(text), { name: "ann", count: 3, cart });
  assert.deepEqual(shopApi.shownBy('{"user":null,"cart":{}}'), { name: null, count: 0, cart: new Map() });
  assert.equal(shopApi.servedBy(answer(text)), "shop-a/17");
  assert.equal(shopApi.servedBy(answer("502 Bad Gateway")), "");
});

test("what is no whole answer of the shop shows nothing", () => {
  for (const text of [
    "",
    '{"user":null,"cart":{"bell":',
    "null",
    '{"cart":{}}',
    '{"user":null,"cart":{"bell":"2"}}',
  ])
    assert.equal(shopApi.shownBy(text), null, text);
});

test("an order that found nothing says so", () => {
  assert.equal(shopApi.foundEmptyCart(answer('{"ordered":{}}')), true);
  assert.equal(shopApi.foundEmptyCart(answer('{"ordered":{"bell":2}}')), false);
});
