/**
 * Asks one thing of each of many again and again: spread over the interval, never twice at once of one, at most so many at
 * a time, each within its time. Time in which this process stood still judges nobody: what was open then is asked anew.
 */
import type { Clock, Random, Timer } from "./clock.ts";
import { polling as limits } from "./limits.ts";

/** What is asked of one. */
export interface Question<Answer> {
  /** From one begin to the next, give or take a tenth. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Asks once. @param answer to be called when it is over, at once or later; what comes after the first call is not heard. */
  ask(answer: (answer: Answer) => void): Asking<Answer>;
  heard(answer: Answer): void;
}

/** One question that is open. */
export interface Asking<Answer> {
  /** Ends it, with all its sockets. @returns what is said of it, should that be because its time is over. */
  cut(): Answer;
}

export interface PollingOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Open at once; the others wait for their turn. */
  readonly atOnceMax: number;
}

/** One question in its rounds. */
class Poll<Answer, Asked extends Question<Answer>> {
  readonly question: Asked;
  /** Until it is asked, or until its time is over. */
  timer: Timer | null = null;
  /** Null while it is not open. */
  asking: Asking<Answer> | null = null;
  begunAtMs = 0;
  /** Grows with each asking: an answer that belongs to an earlier one is known by it. */
  turn = 0;

  constructor(question: Asked) {
    this.question = question;
  }
}

export class Polling<Answer, Asked extends Question<Answer> = Question<Answer>> {
  readonly #options: PollingOptions;
  readonly #polls: Map<Asked, Poll<Answer, Asked>> = new Map();
  readonly #open: Set<Poll<Answer, Asked>> = new Set();
  /** Those whose time has come while too many are open, in this order. */
  readonly #waiting: Set<Poll<Answer, Asked>> = new Set();
  #look: Timer | null = null;
  #lookedAtMs = 0;

  constructor(options: PollingOptions) {
    this.#options = options;
  }

  /** Questions that are open. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Asks these from now on, and no others; what was asked before goes on. @returns those that are asked no more: an open one was cut. */
  follow(questions: Iterable<Asked>): Asked[] {
    const wanted = new Set(questions);
    const ended = [...this.#polls.keys()].filter((question) => !wanted.has(question));
    for (const question of ended) this.#remove(question);
    for (const question of wanted) if (!this.#polls.has(question)) this.#add(question);
    return ended;
  }

  stop(): void {
    this.#waiting.clear();
    this.follow([]);
  }

  #add(question: Asked): void {
    const poll = new Poll<Answer, Asked>(question);
    this.#polls.set(question, poll);
    this.#soon(poll);
  }

  #remove(question: Asked): void {
    const poll = this.#polls.get(question)!;
    this.#polls.delete(question);
    this.#waiting.delete(poll);
    this.#close(poll)?.cut();
    this.#next();
  }

  /** At some moment of the next interval, or of the next second. */
  #soon(poll: Poll<Answer, Asked>): void {
    const withinMs = Math.min(poll.question.intervalMs, limits.firstWithinMs);
    this.#after(poll, this.#options.random() * withinMs);
  }

  #after(poll: Poll<Answer, Asked>, delayMs: number): void {
    poll.timer = this.#options.clock.after(delayMs, () => {
      this.#waiting.add(poll);
      this.#next();
    });
  }

  /** Asks what waits, as far as there is room. */
  #next(): void {
    for (const poll of this.#waiting) {
      if (this.#open.size >= this.#options.atOnceMax) return;
      this.#waiting.delete(poll);
      this.#ask(poll);
    }
  }

  #ask(poll: Poll<Answer, Asked>): void {
    const { clock } = this.#options;
    const { question } = poll;
    const turn = ++poll.turn;
    poll.begunAtMs = clock.now();
    this.#open.add(poll);
    if (this.#look === null) this.#lookLater();
    poll.timer = clock.after(question.timeoutMs, () => this.#expired(poll));
    const asking = question.ask((answer) => this.#answered(poll, turn, answer));
    if (this.#open.has(poll) && poll.turn === turn) poll.asking = asking;
  }

  #answered(poll: Poll<Answer, Asked>, turn: number, answer: Answer): void {
    if (poll.turn !== turn || !this.#open.has(poll) || this.#stoodStill()) return;
    this.#close(poll);
    this.#over(poll, answer);
  }

  #expired(poll: Poll<Answer, Asked>): void {
    if (this.#stoodStill()) return;
    this.#over(poll, this.#close(poll)!.cut());
  }

  #over(poll: Poll<Answer, Asked>, answer: Answer): void {
    const { clock, random } = this.#options;
    const { intervalMs } = poll.question;
    const nextMs = intervalMs * (1 + (random() * 2 - 1) * limits.jitterShare);
    this.#after(poll, Math.max(0, poll.begunAtMs + nextMs - clock.now()));
    this.#next();
    poll.question.heard(answer);
  }

  /** @returns what was open. */
  #close(poll: Poll<Answer, Asked>): Asking<Answer> | null {
    const { asking } = poll;
    poll.timer?.cancel();
    poll.timer = poll.asking = null;
    this.#open.delete(poll);
    if (this.#open.size > 0) return asking;
    this.#look?.cancel();
    this.#look = null;
    return asking;
  }

  #lookLater(): void {
    this.#lookedAtMs = this.#options.clock.now();
    this.#look = this.#options.clock.after(limits.lookIntervalMs, () => {
      if (!this.#stoodStill()) this.#lookLater();
    });
  }

  /** Whoever was waited for may have answered in time, and closed the connection since: what is open is asked anew. */
  #stoodStill(): boolean {
    const sinceMs = this.#options.clock.now() - this.#lookedAtMs;
    if (this.#look === null || sinceMs <= limits.lookIntervalMs + limits.ownPauseMs) return false;
    for (const poll of [...this.#open]) {
      this.#close(poll)?.cut();
      this.#soon(poll);
    }
    this.#next();
    return true;
  }
}
