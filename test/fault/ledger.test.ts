/** The ledger finds what it is there to find. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ledger, type Shown, Wrongs } from "./ledger.ts";

function shown(n0: number, token: string | null = "me"): Shown {
  return { token, counts: { n0 } };
}

function begun(): { ledger: Ledger; wrongs: Wrongs; add: (answer: Shown | null) => void } {
  const wrongs = new Wrongs();
  const ledger = new Ledger("me", wrongs);
  ledger.isAlive = true;
  const add = (answer: Shown | null): void => {
    const before = ledger.before();
    ledger.send("n0");
    ledger.settle("n0", before, answer, "");
  };
  return { ledger, wrongs, add };
}

test("acknowledged, unknown and taken back: what may be shown", () => {
  const { ledger, wrongs, add } = begun();
  add(shown(1));
  add(null);
  add(shown(2));
  ledger.send("n0");
  ledger.takeBack("n0");
  ledger.checkAtRest(shown(2), "");
  ledger.checkAtRest(shown(3), "");
  assert.equal(wrongs.total, 0);
});

test("an acknowledged increment that is missing", () => {
  const { ledger, wrongs, add } = begun();
  add(shown(1));
  add(shown(1));
  assert.equal(wrongs.counts.lost, 1);
  ledger.checkAtRest(shown(1), "");
  assert.equal(wrongs.counts.lost, 2);
});

test("a read that shows less than an answer before it did, and one that was sent before that answer came", () => {
  const { ledger, wrongs, add } = begun();
  const early = ledger.before();
  add(shown(1));
  add(shown(2));
  const late = ledger.before();
  ledger.check(early, shown(0), "");
  assert.equal(wrongs.total, 0);
  ledger.check(late, shown(1), "");
  assert.equal(wrongs.counts.stale, 1);
});

test("what a read showed, whoever wrote it, may not be lost again", () => {
  const { ledger, wrongs, add } = begun();
  add(null);
  ledger.check(ledger.before(), shown(1), "");
  ledger.check(ledger.before(), shown(0), "");
  assert.equal(wrongs.counts.stale, 1);
});

test("more than was sent, another one's session, a session that is gone", () => {
  const { ledger, wrongs, add } = begun();
  add(shown(1));
  ledger.check(ledger.before(), shown(2), "");
  ledger.check(ledger.before(), shown(1, "you"), "");
  ledger.check(ledger.before(), shown(0, null), "");
  assert.deepEqual({ ...wrongs.counts }, { lost: 1, stale: 0, crossed: 1, resurrected: 0, impossible: 1 });
});

test("after a logout: alive again, or another one's", () => {
  const { ledger, wrongs } = begun();
  ledger.checkGone(shown(0, null), "");
  assert.equal(wrongs.total, 0);
  ledger.checkGone(shown(0), "");
  ledger.checkGone(shown(0, "you"), "");
  assert.deepEqual([wrongs.counts.resurrected, wrongs.counts.crossed], [1, 1]);
});

test("a session whose two servers died may be gone or older, but never another one's", () => {
  const { ledger, wrongs, add } = begun();
  add(shown(1));
  ledger.isForgiven = true;
  ledger.checkAtRest(shown(0, null), "");
  ledger.checkAtRest(shown(0), "");
  assert.equal(wrongs.total, 0);
  ledger.checkAtRest(shown(1, "you"), "");
  assert.equal(wrongs.counts.crossed, 1);
});
