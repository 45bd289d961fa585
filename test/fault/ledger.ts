/**
 * What the site owes one session. Every counter is incremented by requests of which each was acknowledged, or has an
 * outcome that nobody knows (503, no answer); every answer shows all counters. So at any time a counter is at least
 * what any answer showed before the request began, and at most all that was sent.
 */

/** The application's answer (app.ts). */
export interface Shown {
  /** The session's own text, or null: there is no such session. */
  readonly token: string | null;
  readonly counts: Readonly<Record<string, number>>;
}

export const wrongs = ["lost", "stale", "crossed", "resurrected", "impossible"] as const;
/**
 * lost: an acknowledged change, or a session, is gone. stale: an answer shows less than was known before it was asked
 * for. crossed: another visitor's session. resurrected: alive after an acknowledged logout. impossible: more than was sent.
 */
export type Wrong = (typeof wrongs)[number];

const detailsMax = 20;

/** All that went wrong in one run, of all sessions. */
export class Wrongs {
  readonly counts: Record<Wrong, number> = { lost: 0, stale: 0, crossed: 0, resurrected: 0, impossible: 0 };
  readonly details: string[] = [];

  add(wrong: Wrong, detail: string): void {
    this.counts[wrong]++;
    if (this.details.length < detailsMax) this.details.push(`${wrong}: ${detail}`);
  }

  get total(): number {
    return wrongs.reduce((sum, wrong) => sum + this.counts[wrong], 0);
  }
}

/** One counter. */
export class Counter {
  acknowledged = 0;
  unknown = 0;
  underWay = 0;
  /** The most that any answer showed. */
  floor = 0;
}

/** What was known when a request was sent. */
export interface Before {
  readonly floors: ReadonlyMap<string, number>;
  readonly isAlive: boolean;
}

export class Ledger {
  readonly token: string;
  readonly counters: Map<string, Counter> = new Map();
  readonly #wrongs: Wrongs;
  /** Its creation was acknowledged. */
  isAlive = false;
  /** Both servers that kept it died: it may be gone, or be as it was before. */
  isForgiven = false;

  constructor(token: string, wrongs: Wrongs) {
    this.token = token;
    this.#wrongs = wrongs;
  }

  /** To be taken when a request is sent. */
  before(): Before {
    return {
      floors: new Map([...this.counters].map(([key, { floor }]) => [key, floor])),
      isAlive: this.isAlive,
    };
  }

  counter(key: string): Counter {
    const known = this.counters.get(key);
    if (known !== undefined) return known;
    const counter = new Counter();
    this.counters.set(key, counter);
    return counter;
  }

  /** An increment is sent. */
  send(key: string): void {
    this.counter(key).underWay++;
  }

  /** Its outcome; `shown` is its answer, or null when nobody knows whether it was done. */
  settle(key: string, before: Before, shown: Shown | null, where: string): void {
    const counter = this.counter(key);
    counter.underWay--;
    if (shown === null) {
      counter.unknown++;
      return;
    }
    counter.acknowledged++;
    const known = before.floors.get(key) ?? 0;
    const value = shown.counts[key] ?? 0;
    this.check(before, shown, where);
    if (value === known && !this.isForgiven)
      this.#wrongs.add("lost", `${this.token} ${key}: incremented, and still ${value} (${where})`);
  }

  /** It was never sent, or is known not to have been done. */
  takeBack(key: string): void {
    this.counter(key).underWay--;
  }

  /** Any answer to a request that was sent at `before`. */
  check(before: Before, shown: Shown, where: string): void {
    if (shown.token === null) {
      if (before.isAlive && !this.isForgiven)
        this.#wrongs.add("lost", `${this.token}: the session is gone (${where})`);
      return;
    }
    if (shown.token !== this.token) {
      this.#wrongs.add("crossed", `${this.token} was shown ${shown.token} (${where})`);
      return;
    }
    for (const [key, counter] of this.counters) this.#checkCounter(key, counter, before, shown, where);
  }

  #checkCounter(key: string, counter: Counter, before: Before, { counts }: Shown, where: string): void {
    const value = counts[key] ?? 0;
    const known = before.floors.get(key) ?? 0;
    const sent = counter.acknowledged + counter.unknown + counter.underWay;
    if (value < known && !this.isForgiven)
      this.#wrongs.add("stale", `${this.token} ${key}: ${value} shown, ${known} was known before (${where})`);
    if (value > sent)
      this.#wrongs.add("impossible", `${this.token} ${key}: ${value} shown, ${sent} sent (${where})`);
    if (value > counter.floor) counter.floor = value;
  }

  /** An answer when nothing is under way and everything is whole again. */
  checkAtRest(shown: Shown, where: string): void {
    this.check(this.before(), shown, where);
    if (shown.token !== this.token || this.isForgiven) return;
    for (const [key, { acknowledged }] of this.counters) {
      const value = shown.counts[key] ?? 0;
      if (value < acknowledged)
        this.#wrongs.add("lost", `${this.token} ${key}: ${value} left of ${acknowledged} (${where})`);
    }
  }

  /** An answer to the id of a session whose logout was acknowledged before the request was sent. */
  checkGone({ token }: Shown, where: string): void {
    if (token === this.token) this.#wrongs.add("resurrected", `${this.token} is alive again (${where})`);
    else if (token !== null) this.#wrongs.add("crossed", `${this.token} was shown ${token} (${where})`);
  }
}
