/**
 * An answer that is waited for no longer than a time. Time in which the process stood still does not count, for the answer may have come
 * meanwhile and wait unread (timer-wheel.ts); nor does the waiting keep the process alive.
 */
import { TimerWheel, WheelEntry } from "./timer-wheel.ts";

/** The answer did not come in time. */
export class Late extends Error {
  /** @param ms it was waited for. */
  static after(ms: number): Late {
    return new Late(`no answer within ${(Math.max(0, ms) / 1_000).toFixed(1)} s`);
  }
}

/** One timer for all of them, and for what is waited for without a promise. */
export const deadlines: TimerWheel = new TimerWheel(100, 6);

/** What the answer becomes later is heard by nobody, also when it is an error. @throws Late */
export function within<R>(answer: Promise<R>, ms: number): Promise<R> {
  return new Promise((resolve, reject) => {
    const deadline = new WheelEntry(() => reject(Late.after(ms)));
    deadlines.start(deadline, Math.max(0, ms));
    answer.then(
      (value) => {
        deadlines.stop(deadline);
        resolve(value);
      },
      (error) => {
        deadlines.stop(deadline);
        reject(error);
      },
    );
  });
}
