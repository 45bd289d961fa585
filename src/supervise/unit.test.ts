import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock, Timer } from "../support/clock.ts";
import { supervise as limits } from "../support/limits.ts";
import { againCode } from "../support/signals.ts";
import type { Ending } from "./program.ts";
import { inWords, restartDelayMs, Unit } from "./unit.ts";

class FakeClock implements Clock {
  #now = 0;
  #timers = new Set<{ at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  advance(ms: number): void {
    const target = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= target).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#now = due.at;
      due.callback();
    }
    this.#now = target;
  }
}

const killed: Ending = { code: null, signal: "SIGKILL", failure: null };
const lost = "sessions that it had neither handed over nor saved are lost [FLOTILLA_SESSIONS_NOT_SAVED]";
const failed: Ending = { code: 1, signal: null, failure: null };

function bench(keepsSessions: boolean = true) {
  const clock = new FakeClock();
  const events: string[] = [];
  /** What the server says when it is asked, one after the other; afterwards that it is not in its end. */
  const holds: (boolean | null)[] = [];
  const answerMs = { of: 0 };
  let end: (ending: Ending) => void = () => {};
  let print: (line: string) => void = () => {};
  const tell = (level: string) => (first: unknown, second?: string) => {
    const { code } = first as { code?: string };
    events.push(`${level}: ${second ?? first}${code === undefined ? "" : ` [${code}]`}`);
    if (typeof first === "object" && first !== null && "lastOutput" in first)
      events.push(`last: ${(first as { lastOutput: string[] }).lastOutput.join("/")}`);
  };
  const unit = new Unit({
    name: "app-a",
    drainTimeoutMs: 30_000,
    keepsSessions,
    clock,
    random: () => 1,
    log: { info: tell("info"), warn: tell("warn"), error: tell("error") } as never,
    start: (onLine, onEnd) => {
      end = onEnd;
      print = onLine;
      return {
        pid: 42,
        terminate: () => events.push("TERM"),
        interrupt: () => events.push("INT"),
        kill: () => events.push("KILL"),
      };
    },
    onStopped: () => events.push("onStopped"),
    askHolding(answer) {
      const isHolding = holds.length > 0 ? holds.shift()! : false;
      if (answerMs.of === 0) answer(isHolding);
      else clock.after(answerMs.of, () => answer(isHolding));
    },
  });
  const take = () => events.splice(0);
  return {
    clock,
    unit,
    holds,
    answerMs,
    take,
    end: (ending: Ending) => end(ending),
    print: (line: string) => print(line),
  };
}

test("a program that dies is started again after a short while", () => {
  const { clock, unit, take, end } = bench();
  unit.start();
  assert.deepEqual(take(), ["info: app-a started (process 42)"]);
  assert.equal(unit.pid, 42);
  end(killed);
  assert.deepEqual(take(), ["warn: app-a was ended by SIGKILL; it is started again in 0.1 s"]);
  assert.equal(unit.state, "waiting");
  assert.equal(unit.pid, null);
  clock.advance(99);
  assert.equal(unit.state, "waiting");
  clock.advance(1);
  assert.equal(unit.state, "running");
  assert.equal(unit.restarts, 1);
});

test("after a stable time it is started again at once", () => {
  const { clock, unit, take, end } = bench();
  unit.start();
  end(failed);
  clock.advance(100);
  clock.advance(limits.stableAfterMs);
  take();
  end(failed);
  assert.deepEqual(take(), ["warn: app-a ended with code 1; it is started again at once"]);
  clock.advance(0);
  assert.equal(unit.state, "running");
});

test("the delay doubles up to its maximum, and half of it is chance", () => {
  const delays = [1, 2, 3, 8, 9, 50].map((deaths) => restartDelayMs(deaths, () => 1));
  assert.deepEqual(delays, [100, 200, 400, 12_800, 15_000, 15_000]);
  assert.equal(
    restartDelayMs(3, () => 0),
    200,
  );
});

test("a crash loop is told once with the last lines, and its end is told too", () => {
  const { clock, unit, take, end, print } = bench();
  unit.start();
  for (let death = 1; death < limits.crashLoopDeaths; death++) {
    end(failed);
    clock.advance(restartDelayMs(death, () => 1));
  }
  take();
  for (let line = 1; line <= 9; line++) print(`line ${line}`);
  end(failed);
  const [loop, last, ...more] = take();
  assert.match(loop!, /^error: app-a crashes in a loop: 5 times in a row, at last it ended with code 1/);
  assert.equal(last, "last: line 5/line 6/line 7/line 8/line 9");
  assert.deepEqual(more, []);
  for (let death = limits.crashLoopDeaths; death < 20; death++) {
    clock.advance(restartDelayMs(death, () => 1));
    end(failed);
  }
  assert.deepEqual(take(), []);
  assert.equal(unit.note, "it ended with code 1, and is started again");
  clock.advance(limits.restartMaxMs);
  clock.advance(limits.stableAfterMs);
  assert.deepEqual(take(), ["info: app-a runs again (process 42)"]);
  assert.equal(unit.note, "");
});

test("a program that goes into the background: its `run:` must not", () => {
  const { clock, unit, take, end } = bench();
  unit.start();
  take();
  const left: Ending = { code: 0, signal: null, failure: null };
  for (let death = 1; death < limits.crashLoopDeaths; death++) {
    end(left);
    clock.advance(restartDelayMs(death, () => 1));
  }
  const [first] = take();
  assert.match(
    first!,
    /^warn: app-a ended with code 0 \(the program of `run:` must stay in the foreground\); it is/,
  );
  end(left);
  const [loop] = take();
  assert.match(
    loop!,
    /^error: app-a ends again and again: 5 times .* must stay in the foreground\); it is tried/,
  );
  assert.doesNotMatch(loop!, /crashes|printed nothing/);
  assert.match(unit.note, /must stay in the foreground/);
});

test("stop: TERM, KILL after the drain time, no restart", () => {
  const { clock, unit, take, end } = bench(false);
  unit.start();
  take();
  unit.stop();
  unit.stop();
  assert.deepEqual(take(), ["TERM"]);
  clock.advance(30_000 + limits.killGraceMs);
  assert.deepEqual(take(), ["warn: app-a did not end within 31 s and is killed", "KILL"]);
  end(killed);
  assert.deepEqual(take(), ["info: app-a stopped", "onStopped"]);
  clock.advance(100_000);
  assert.equal(unit.state, "stopped");
  assert.deepEqual(take(), []);
});

test("stop, and hurry: TERM again, late enough to be no echo; KILL after a few seconds", () => {
  const { clock, unit, take } = bench();
  unit.start();
  unit.stop();
  take();
  unit.hurry();
  clock.advance(2 * limits.signalEchoMs - 1);
  assert.deepEqual(take(), []);
  clock.advance(1);
  assert.deepEqual(take(), ["TERM"]);
  clock.advance(limits.hurriedDrainMs - 1);
  assert.deepEqual(take(), []);
  clock.advance(1);
  assert.deepEqual(take(), [`error: app-a did not end within 5 s and is killed: ${lost}`, "KILL"]);
});

test("hurry gives no more time than is left, and does not kill who writes sessions", () => {
  const { clock, unit, holds, take } = bench();
  unit.start();
  unit.stop();
  clock.advance(30_000);
  take();
  holds.push(true);
  unit.hurry();
  clock.advance(limits.killGraceMs);
  assert.deepEqual(take(), ["TERM"]);
  clock.advance(limits.holdingIntervalMs);
  assert.deepEqual(take(), [`error: app-a did not end within 32 s and is killed: ${lost}`, "KILL"]);
});

test("kill: INT, and KILL a moment later, which is told", () => {
  const { clock, unit, take, end } = bench();
  unit.start();
  take();
  unit.kill();
  assert.deepEqual(take(), ["TERM", "INT"]);
  clock.advance(limits.lastWordMs);
  const [told, signal] = take();
  assert.equal(told, `error: app-a is killed: ${lost}`);
  assert.equal(signal, "KILL");
  end(killed);
  assert.deepEqual(take(), ["info: app-a stopped", "onStopped"]);
});

test("stop while it waits for its restart", () => {
  const { clock, unit, take, end } = bench();
  unit.start();
  end(failed);
  take();
  unit.stop();
  assert.deepEqual(take(), ["info: app-a stopped", "onStopped"]);
  clock.advance(100_000);
  assert.equal(unit.state, "stopped");
});

test("endings in words", () => {
  assert.equal(inWords({ code: null, signal: null, failure: "EAGAIN" }), "could not be started (EAGAIN)");
  assert.equal(
    inWords({ code: 127, signal: null, failure: null }),
    "ended with code 127 (command not found?)",
  );
  assert.equal(inWords({ code: 137, signal: null, failure: null }), "ended with code 137 (signal 9)");
  assert.equal(inWords({ code: 0, signal: null, failure: null }), "ended with code 0");
});

test("a server that keeps sessions which it can't save is not killed, until it does no more", () => {
  const { clock, unit, holds, take } = bench();
  unit.start();
  unit.stop();
  take();
  holds.push(true, true);
  clock.advance(30_000 + limits.killGraceMs + limits.holdingIntervalMs);
  assert.deepEqual(take(), []);
  clock.advance(limits.holdingIntervalMs);
  assert.deepEqual(take(), [`error: app-a did not end within 33 s and is killed: ${lost}`, "KILL"]);
});

test("a server that keeps sessions and gives no answer may be syncing them: it is killed after many questions in a row", () => {
  const { clock, unit, holds, answerMs, take } = bench();
  unit.start();
  unit.stop();
  take();
  answerMs.of = limits.holdingIntervalMs;
  const silence = Array.from({ length: limits.unansweredMax - 1 }, () => null);
  holds.push(...silence, true, ...silence, null);
  clock.advance(30_000 + limits.killGraceMs + 2 * limits.unansweredMax * limits.holdingIntervalMs - 1);
  assert.deepEqual(take(), []);
  clock.advance(1);
  assert.deepEqual(take(), [`error: app-a did not end within 51 s and is killed: ${lost}`, "KILL"]);
});

test("an answer that comes when it was told to end sooner, or has ended, counts no more", () => {
  const { clock, unit, holds, answerMs, take, end } = bench();
  unit.start();
  unit.stop();
  answerMs.of = limits.lastWordMs / 2;
  holds.push(null);
  clock.advance(30_000 + limits.killGraceMs);
  take();
  unit.kill();
  clock.advance(answerMs.of);
  end(killed);
  assert.deepEqual(take(), ["INT", "info: app-a stopped", "onStopped"]);
  clock.advance(100_000);
  assert.deepEqual(take(), []);
});

test("one that ends in order to be started again is no death; right after its start it is", () => {
  const { clock, unit, take, end } = bench();
  const again: Ending = { code: againCode, signal: null, failure: null };
  unit.start();
  take();
  clock.advance(2_000);
  end(again);
  clock.advance(0);
  assert.deepEqual(take(), ["info: app-a ended to be started again", "info: app-a started (process 42)"]);
  assert.equal(unit.restarts, 1);
  end(again);
  assert.match(take()[0]!, /^warn: app-a ended with code 85; it is started again in 0\.\d s$/);
});
