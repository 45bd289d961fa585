import assert from "node:assert/strict";
import test from "node:test";
import { operations as limits } from "../support/limits.ts";
import { Turn } from "./operators-turn.ts";

test("the turn is one command's, until it gives it back or is not heard of any more", () => {
  const clock = { at: 0, now: () => clock.at, after: () => ({ cancel() {} }) };
  const turn = new Turn(clock);
  const take = (id: string, isOver = false): object => turn.take({ id, what: `restart of ${id}`, isOver });
  take("one");
  clock.at = 12_000;
  take("one");
  assert.throws(() => take("two"), {
    code: "FLOTILLA_RESTART_REFUSED",
    message: "another flotilla restart (restart of one) is under way for 12 s; wait until it is over",
  });
  clock.at += limits.turnMs - 1;
  assert.throws(() => take("two"));
  clock.at += 1;
  take("two");
  assert.throws(() => take("one"), /restart of two\) is under way for 0 s/);
  take("two", true);
  take("one");
  for (const wish of [null, undefined, "x", { id: 1, what: "x" }, { id: "x" }])
    assert.throws(() => turn.take(wish), { code: "FLOTILLA_RESTART_REFUSED" });
});
