import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome, PutQuestion } from "../../session/admin/questions.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";
import { type Given, Giving } from "./giving.ts";
import type { Keepers } from "./keepers.ts";

/** One server; questions are answered when the test says so. */
class FakeKeepers {
  readonly areShared = true;
  readonly alone = [];
  readonly #keeper = { server: { name: "app-a" } };
  readonly open: { readonly count: number; readonly answer: (outcome: Outcome) => void }[] = [];

  ownerOf(): unknown {
    return this.#keeper;
  }

  ask(_server: unknown, _ask: string, { sessions }: PutQuestion): Promise<unknown> {
    return new Promise((resolve) => {
      const answer = (outcome: Outcome): void => resolve({ outcomes: sessions.map(() => outcome) });
      this.open.push({ count: sessions.length, answer });
    });
  }
}

const options = { replace: false, rate: 1_000_000 };

function session(n: number, bytes = 100): Given {
  return { key: String(n).padStart(24, "A"), owner: "", value: { n }, bytes };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

test("several questions are open at the same time, and no more than that: whoever gives waits", async () => {
  const keepers = new FakeKeepers();
  const giving = new Giving(keepers as unknown as Keepers, options);
  let taken = 0;
  const all = (async () => {
    const count = (limits.questionsAtOnce + 2) * limits.importBatchMax;
    for (; taken < count; taken++) await giving.take(session(taken));
    await giving.end();
  })();
  await turns();
  assert.equal(keepers.open.length, limits.questionsAtOnce);
  assert.ok(taken < (limits.questionsAtOnce + 1) * limits.importBatchMax);
  for (let at = 0; at < limits.questionsAtOnce + 2; at++) {
    keepers.open[at]!.answer("put");
    await turns();
  }
  await all;
  assert.equal(giving.of("put"), taken);
});

test("a question has no more than a server takes at once", async () => {
  const keepers = new FakeKeepers();
  const giving = new Giving(keepers as unknown as Keepers, options);
  for (let n = 0; n < 3; n++) await giving.take(session(n, limits.pageBytes / 2));
  const ended = giving.end();
  await turns();
  assert.deepEqual(
    keepers.open.map(({ count }) => count),
    [2, 1],
  );
  for (const { answer } of keepers.open) answer("kept");
  await ended;
});

test("a place is reached when all before it is there, in whatever order it comes; what found no room holds it back", async () => {
  const keepers = new FakeKeepers();
  const giving = new Giving(keepers as unknown as Keepers, options);
  await giving.reachedPlace("begin");
  assert.equal(giving.reached, "begin", "before anything");
  for (const [n, place] of ["one", "two", "three"].entries()) {
    await giving.take(session(n));
    await giving.reachedPlace(place);
  }
  const [first, second, third] = keepers.open;
  second!.answer("kept");
  await turns();
  assert.equal(giving.reached, "begin");
  first!.answer("refused");
  await turns();
  assert.equal(giving.reached, "two");
  third!.answer("full");
  await giving.reachedPlace("four");
  await giving.end();
  assert.equal(giving.reached, "two");
});
