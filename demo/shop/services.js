// Other companies' services that the shop asks while a visitor waits. Here they only take their time.
import { setTimeout as sleep } from "node:timers/promises";

const answerMs = 150;

/** Pieces in the warehouse. */
export async function stockOf(product) {
  await sleep(answerMs);
  return 3 + (product.cents % 17);
}

/** Resolves when the payment is through. */
export async function pay(_cents) {
  await sleep(answerMs);
}
