import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/harness/link-pair.ts";
import { seededRandom } from "./clock.ts";
import { polling as limits } from "./limits.ts";
import { type Asking, Polling, type Question } from "./polling.ts";

/** Notes when it is asked; answers when the test says so. */
class Asked implements Question<string> {
  readonly intervalMs: number;
  readonly timeoutMs = 500;
  readonly askedAtMs: number[] = [];
  readonly answers: string[] = [];
  cuts = 0;
  answer: (answer: string) => void = () => {};
  readonly #clock: FakeClock;
  readonly #atOnce: string | null;

  constructor(clock: FakeClock, { intervalMs = 1_000, atOnce = null as string | null } = {}) {
    this.#clock = clock;
    this.intervalMs = intervalMs;
    this.#atOnce = atOnce;
  }

  ask(answer: (answer: string) => void): Asking<string> {
    this.askedAtMs.push(this.#clock.now());
    this.answer = answer;
    if (this.#atOnce !== null) answer(this.#atOnce);
    return {
      cut: () => {
        this.cuts++;
        return "too late";
      },
    };
  }

  heard(answer: string): void {
    this.answers.push(answer);
  }
}

function started(count: number, atOnceMax = 1_000, options = {}) {
  const clock = new FakeClock();
  const polling = new Polling<string>({ clock, random: seededRandom(1), atOnceMax });
  const all = Array.from({ length: count }, () => new Asked(clock, options));
  polling.follow(all);
  return { clock, polling, all };
}

test("first questions are spread over the first second, the next ones come at the interval, give or take a tenth", () => {
  const { clock, polling, all } = started(400, 400, { intervalMs: 10_000, atOnce: "well" });
  clock.advance(30_000);
  const firsts = all.map(({ askedAtMs }) => askedAtMs[0]! - 1_000);
  for (let tenth = 0; tenth < 10; tenth++) {
    const within = firsts.filter((at) => Math.floor(at / 100) === tenth).length;
    assert.ok(within > 20 && within < 60, `${within} of 400 in tenth ${tenth}`);
  }
  const pauses = all.flatMap(({ askedAtMs }) =>
    askedAtMs.slice(1).map((at, index) => at - askedAtMs[index]!),
  );
  assert.ok(Math.min(...pauses) >= 9_000 && Math.min(...pauses) < 9_100);
  assert.ok(Math.max(...pauses) <= 11_000 && Math.max(...pauses) > 10_900);
  assert.equal(polling.openCount, 0);
});

test("one that does not answer is cut after its time, and asked again at its interval, never twice at once", () => {
  const { clock, polling, all } = started(1);
  clock.advance(10_000);
  const [question] = all as [Asked];
  assert.ok(question.askedAtMs.length >= 9);
  assert.ok(question.answers.every((answer) => answer === "too late"));
  assert.ok(question.cuts - question.answers.length <= 1);
  question.askedAtMs.slice(1).forEach((at, index) => {
    assert.ok(at - question.askedAtMs[index]! >= 900);
  });
  polling.stop();
  assert.equal(clock.nextDelayMs, null);
});

test("no more than so many are open; the others wait in their order and get their turn", () => {
  const { clock, polling, all } = started(30, 3);
  let openMax = 0;
  for (let step = 0; step < 1_000; step++) {
    clock.advance(10);
    openMax = Math.max(openMax, polling.openCount);
  }
  assert.equal(openMax, 3);
  const counts = all.map(({ askedAtMs }) => askedAtMs.length);
  // 3 at once, 500 ms each, 10 s: 60 questions for 30.
  assert.deepEqual([Math.min(...counts) >= 1, Math.max(...counts) <= 3], [true, true]);
});

/** Until it is asked once more. */
function nextOf(clock: FakeClock, { askedAtMs }: Asked): void {
  for (const before = askedAtMs.length; askedAtMs.length === before; ) clock.advance(1);
}

test("what comes after its time, a second time or after its end is not heard", () => {
  const { clock, polling, all } = started(1);
  const [question] = all as [Asked];
  nextOf(clock, question);
  const first = question.answer;
  clock.advance(question.timeoutMs);
  first("late");
  nextOf(clock, question);
  question.answer("good");
  question.answer("twice");
  nextOf(clock, question);
  const last = question.answer;
  assert.deepEqual(polling.follow([]), [question]);
  last("removed");
  clock.advance(10_000);
  assert.deepEqual(question.answers, ["too late", "good"]);
  assert.equal(clock.nextDelayMs, null);
});

test("after a pause of our own nobody is judged by what was open, and all are asked anew", () => {
  const { clock, polling, all } = started(20, 10);
  clock.advance(limits.firstWithinMs);
  assert.equal(polling.openCount, 10);
  const before = all.map(({ answers }) => answers.length);
  const cutBefore = all.reduce((sum, { cuts }) => sum + cuts, 0);
  clock.pause(5_000);
  assert.deepEqual(
    all.map(({ answers }) => answers.length),
    before,
  );
  assert.equal(all.reduce((sum, { cuts }) => sum + cuts, 0) - cutBefore, 10);
  clock.advance(5_000);
  assert.ok(all.every(({ answers }, at) => answers.length > before[at]!));
});

test("an answer that is read before any timer after a pause is not heard either", () => {
  const { clock, all } = started(1);
  const [question] = all as [Asked];
  nextOf(clock, question);
  const { answer } = question;
  clock.standStill(limits.lookIntervalMs + limits.ownPauseMs + 1);
  answer("the connection was closed");
  clock.advance(0);
  assert.deepEqual(question.answers, []);
  nextOf(clock, question);
  question.answer("good");
  assert.deepEqual(question.answers, ["good"]);
});
