import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { OperatorWords, readServerWords, type ServerWords, type Word, weightOf } from "./operator-words.ts";
import type { Order } from "./server-news.ts";

const wordOf = <T extends string>(...values: T[]): fc.Arbitrary<Word<T> | null> =>
  fc
    .tuple(fc.constantFrom(...values), fc.nat(3), fc.constantFrom("a", "b", "c"))
    .map(([value, atMs, id]) => (id === "c" && atMs === 0 ? null : { value, atMs, id }));

const words: fc.Arbitrary<ServerWords> = fc
  .tuple(
    fc.constantFrom("app-a", "app-b"),
    wordOf<Order>("ready", "drain", "maint"),
    wordOf("0", "50%", "1000"),
  )
  .map(([name, order, weight]) => ({ name, order, weight }));

/** One moment and one id are one word: two words of the same operator never share both. */
function unique(list: readonly ServerWords[]): ServerWords[] {
  const seen = new Map<string, string>();
  const isFirst = (
    kind: string,
    name: string,
    word: ServerWords["order"] | ServerWords["weight"],
  ): boolean => {
    if (word === null) return true;
    const key = `${kind} ${name} ${word.atMs} ${word.id}`;
    const value = seen.get(key) ?? word.value;
    seen.set(key, value);
    return value === word.value;
  };
  return list.filter(
    ({ name, order, weight }) => isFirst("order", name, order) && isFirst("weight", name, weight),
  );
}

test("whoever hears the same words comes to the same, in whatever order and however often", () => {
  fc.assert(
    fc.property(fc.array(words, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (heard, chance) => {
      const list = unique(heard);
      const shuffled = [...list, ...list]
        .map((one) => ({ one, at: chance.next().value as number }))
        .sort((one, other) => one.at - other.at)
        .map(({ one }) => one);
      const [first, second] = [new OperatorWords(), new OperatorWords()];
      for (const one of list) first.hear(one);
      for (const one of shuffled) second.hear(one);
      for (const name of ["app-a", "app-b"]) assert.deepEqual(first.of(name), second.of(name));
    }),
    { seed: 7 },
  );
});

test("an order and a weight are told apart: neither undoes the other", () => {
  const known = new OperatorWords();
  known.hear({ name: "app-a", order: { value: "drain", atMs: 5, id: "x" }, weight: null });
  assert.equal(known.hear({ name: "app-a", order: null, weight: { value: "50%", atMs: 4, id: "y" } }), true);
  assert.equal(known.of("app-a").order?.value, "drain");
  assert.equal(known.of("app-a").weight?.value, "50%");
  assert.equal(
    known.hear({ name: "app-a", order: { value: "ready", atMs: 4, id: "z" }, weight: null }),
    false,
  );
});

test("a weight is a number, or a share of the file's", () => {
  assert.equal(weightOf("3", 10), 3);
  assert.equal(weightOf("50%", 1), 0.5);
  assert.equal(weightOf("200%", 800), 1_000);
  for (const text of ["", "-1", "1001", "1001%", "5 %", "1.5", "50%%", "abc"])
    assert.equal(weightOf(text, 1), null, text);
});

test("what is no word of an operator is not taken for one", () => {
  const order = { value: "drain", atMs: 1, id: "x" };
  assert.deepEqual(readServerWords({ name: "app-a", order }), { name: "app-a", order, weight: null });
  const wrong: unknown[] = [
    null,
    "app-a",
    { order },
    { name: "app-a", order: { ...order, value: "dance" } },
    { name: "app-a", order: { ...order, atMs: -1 } },
    { name: "app-a", order: { ...order, atMs: 9e15 } },
    { name: "app-a", order: { ...order, id: "a b" } },
    { name: "app-a", order: "drain" },
    { name: "app-a", order, weight: { value: "a lot", atMs: 1, id: "x" } },
  ];
  for (const value of wrong) assert.equal(readServerWords(value), null, JSON.stringify(value));
});
