/** Virtual time: events in the order of their times, and clocks that may run fast or slow. */
import type { Clock, Timer } from "../../../src/support/clock.ts";

interface Event {
  readonly at: number;
  readonly order: number;
  run: (() => void) | null;
}

export class Scheduler {
  nowMs = 0;
  /** A binary heap by time, then by the order of scheduling. */
  readonly #heap: Event[] = [];
  #order = 0;

  after(delayMs: number, run: () => void): Timer {
    const event: Event = { at: this.nowMs + delayMs, order: this.#order++, run };
    this.#push(event);
    return {
      cancel: () => {
        event.run = null;
      },
    };
  }

  /** A clock that starts anywhere and runs at `rate` times the true speed. */
  clock(rate: number, startMs: number): Clock {
    return {
      now: () => startMs + this.nowMs * rate,
      after: (delayMs, run) => this.after(delayMs / rate, run),
    };
  }

  runUntil(endMs: number): void {
    for (let first = this.#heap[0]; first !== undefined && first.at <= endMs; first = this.#heap[0]) {
      this.#pop();
      this.nowMs = first.at;
      first.run?.();
    }
    this.nowMs = endMs;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent]!, event)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
