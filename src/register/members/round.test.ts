/** Who is waited for, and for how long: on a clock that goes only when it is told to. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock } from "../../../test/harness/link-pair.ts";
import { register as limits } from "../../support/limits.ts";
import { unreachable } from "../unreachable.ts";
import type { AnswerDone } from "./acceptor.ts";
import type { VoterAnswer } from "./messages.ts";
import { Patience } from "./patience.ts";
import { Round } from "./round.ts";
import { noBallot } from "./state.ts";
import { anyOf, tally } from "./voters.ts";

const yes: VoterAnswer = {
  ok: true,
  marker: "m",
  promised: noBallot,
  acceptedBallot: noBallot,
  accepted: null,
};

/** Two voters: one answers at once, the other when the test says so. */
class Pair {
  readonly clock: FakeClock = new FakeClock();
  readonly #waiting: AnswerDone[] = [];
  readonly #patience: Patience;

  constructor() {
    const send = (voter: string, _request: unknown, done: AnswerDone): void => {
      if (voter === "near") done(null, yes);
      else this.#waiting.push(done);
    };
    this.#patience = new Patience({ send }, this.clock);
  }

  ask(): Round {
    const round = new Round(this.#patience, this.clock, () => {});
    round.ask(["near", "far"], () => ({ kind: "query", have: noBallot }));
    return round;
  }

  answer(): void {
    for (const done of this.#waiting.splice(0)) done(null, yes);
  }
}

function verdict(round: Round): string {
  return tally(anyOf(["near", "far"]), (voter) => round.standing(voter));
}

test("a round is not complete with a voter that can't be reached, before the others were asked", () => {
  const send = (voter: string, _request: unknown, done: AnswerDone): void =>
    voter === "down" ? done(unreachable("there is no link"), null) : done(null, yes);
  const clock = new FakeClock();
  const seen: boolean[] = [];
  const round = new Round(new Patience({ send }, clock), clock, ({ complete }) => seen.push(complete));
  round.ask(["down", "near"], () => ({ kind: "query", have: noBallot }));
  assert.deepEqual(seen, [false, true]);
});

describe("one of two voters", () => {
  test("is waited for, and then decided without", () => {
    const pair = new Pair();
    const round = pair.ask();
    pair.clock.advance(limits.pairPatienceMs - 1);
    assert.equal(verdict(round), "open");
    pair.clock.advance(1);
    assert.equal(verdict(round), "yes");
  });

  test("is not waited for again while it is silent", () => {
    const pair = new Pair();
    const first = pair.ask();
    pair.clock.advance(limits.pairPatienceMs);
    first.end();
    const second = pair.ask();
    assert.equal(verdict(second), "yes");
    second.end();
    pair.clock.advance(limits.silentVoterMs);
    assert.equal(verdict(pair.ask()), "open");
  });

  test("is waited for again from its next answer on, however late that is", () => {
    const pair = new Pair();
    const first = pair.ask();
    pair.clock.advance(limits.pairPatienceMs);
    first.end();
    pair.answer();
    assert.equal(verdict(pair.ask()), "open");
  });

  test("is not late for the time in which the asking process stood still: its answer lies unread", () => {
    const pair = new Pair();
    const round = pair.ask();
    pair.clock.pause(60_000);
    assert.equal(verdict(round), "open");
    assert.ok(!round.complete);
    pair.answer();
    assert.ok(round.complete);
  });
});
