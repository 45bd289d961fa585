/** What a request handed to the store and was not told the outcome of; a response waits for it. */
import type { FlotillaError } from "../support/errors.ts";
import type { Done } from "./store.ts";

export class UnderWay {
  #count = 0;
  #failure: FlotillaError | null = null;
  #waiting: Done[] | null = null;

  get isSettled(): boolean {
    return this.#count === 0;
  }

  /** Why the store refused at once what was handed over last; null when it did not, or has not answered yet. */
  get refusal(): FlotillaError | null {
    return this.#count === 0 ? this.#failure : null;
  }

  /** One that was told to the application, by the method that it called, is the application's. */
  forgetFailure(): void {
    if (this.#count === 0) this.#failure = null;
  }

  /** Calls back, at once where nothing is under way, when all that was handed over is committed or has failed. */
  whenSettled(done: Done): void {
    if (this.#count === 0) done(this.#failure);
    else if (this.#waiting === null) this.#waiting = [done];
    else this.#waiting.push(done);
  }

  /** Counts an operation as under way until the store calls what is returned. */
  launch(done: Done): Done {
    if (this.#count++ === 0) this.#failure = null;
    return (failure) => {
      if (failure !== null) this.#failure = failure;
      done(failure);
      if (--this.#count > 0 || this.#waiting === null) return;
      const waiting = this.#waiting;
      this.#waiting = null;
      for (const tell of waiting) tell(this.#failure);
    };
  }
}
