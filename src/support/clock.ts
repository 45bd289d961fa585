/** Time and chance as parameters, so that a test or a simulation can replay them from a seed. */

export interface Clock {
  /** Monotonic milliseconds from an arbitrary start. Never wall-clock time. */
  now(): number;
  /** Calls back once after `delayMs`; the timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** A number from 0 (included) to 1 (excluded). */
export type Random = () => number;

export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    // What is left of a time may be less than nothing; Node warns of that on standard error.
    const timer = setTimeout(callback, Math.max(0, delayMs));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** As `clock.after`, but time in which this process stood still counts for no more than `stepMs`. */
export function afterAwake(clock: Clock, delayMs: number, stepMs: number, callback: () => void): Timer {
  let timer: Timer;
  const wait = (restMs: number): void => {
    const nextMs = Math.min(stepMs, restMs);
    timer = clock.after(nextMs, () => (restMs > nextMs ? wait(restMs - nextMs) : callback()));
  };
  wait(delayMs);
  return { cancel: () => timer.cancel() };
}

/** A small seeded generator (mulberry32), for tests and simulations. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
