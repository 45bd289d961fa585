/**
 * One timer for any number of deadlines. A connection or request owns an entry and moves it; starting,
 * moving and ending an entry cost a few pointer writes and no allocation. Deadlines are coarse: they fire
 * between `delayMs` and `delayMs` + three ticks. (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987,
 * scheme 6; a deadline further away than one turn waits in its slot for its round.)
 *
 * Time in which the process stood still (stopped, swapped out, a machine with too much to do) does not count: what
 * was sent to it meanwhile waits unread, and nobody was silent. Each advance therefore moves on by two ticks at most:
 * a loop whose turns take a second makes deadlines five times as long.
 */

/** Embed one per deadline: `new WheelEntry(() => ...)`, the callback made once, not per start. */
export class WheelEntry {
  readonly onExpire: () => void;
  /** @internal */ next: WheelEntry | null = null;
  /** @internal */ previous: WheelEntry | null = null;
  /** @internal The tick at which it fires. */ dueTick = 0;

  constructor(onExpire: () => void) {
    this.onExpire = onExpire;
  }

  get active(): boolean {
    return this.next !== null;
  }
}

/** More have passed: the process stood still. Two, for an interval drifts by about a tick in a hundred. */
const ticksPerAdvanceMax = 2;

export class TimerWheel {
  readonly #tickMs: number;
  readonly #slots: WheelEntry[];
  readonly #mask: number;
  readonly #now: () => number;
  #tick = 0;
  #startedAt: number;
  #active = 0;
  #interval: NodeJS.Timeout | null = null;

  /** @param slotsPowerOfTwo number of slots, 2 ** this. */
  constructor(
    tickMs: number = 100,
    slotsPowerOfTwo: number = 10,
    now: () => number = () => performance.now(),
  ) {
    this.#tickMs = tickMs;
    this.#now = now;
    this.#startedAt = now();
    this.#mask = 2 ** slotsPowerOfTwo - 1;
    this.#slots = Array.from({ length: 2 ** slotsPowerOfTwo }, () => {
      const head = new WheelEntry(() => {});
      head.next = head.previous = head;
      return head;
    });
  }

  /** Entries that wait. */
  get size(): number {
    return this.#active;
  }

  /** Starts the entry, or moves it when it waits already. */
  start(entry: WheelEntry, delayMs: number): void {
    if (entry.next !== null) this.#unlink(entry);
    else this.#active++;
    if (this.#interval === null) this.#run();
    // One for the tick that is under way, one for an advance that is late.
    const dueTick = this.#tick + Math.ceil(delayMs / this.#tickMs) + ticksPerAdvanceMax;
    entry.dueTick = dueTick;
    this.#append(this.#slots[dueTick & this.#mask]!, entry);
  }

  /** What is left of the entry's delay, to the tick; 0 when it does not wait. */
  leftMs(entry: WheelEntry): number {
    return entry.next === null ? 0 : (entry.dueTick - this.#tick - ticksPerAdvanceMax) * this.#tickMs;
  }

  /** Ends the entry without calling it. */
  stop(entry: WheelEntry): void {
    if (entry.next === null) return;
    this.#unlink(entry);
    entry.next = entry.previous = null;
    this.#active--;
  }

  /** Fires what is due; called by its own interval, or by a test with a clock of its own. */
  advance(): void {
    let target = Math.floor((this.#now() - this.#startedAt) / this.#tickMs);
    const lost = target - this.#tick - ticksPerAdvanceMax;
    if (lost > 0) {
      this.#startedAt += lost * this.#tickMs;
      target -= lost;
    }
    while (this.#tick < target) {
      this.#tick++;
      this.#fire(this.#slots[this.#tick & this.#mask]!);
    }
    if (this.#active === 0 && this.#interval !== null) {
      clearInterval(this.#interval);
      this.#interval = null;
    }
  }

  #fire(head: WheelEntry): void {
    if (head.next === head) return;
    // The slot's entries move to a list of their own first: a callback may start or stop any of them.
    const batch = new WheelEntry(() => {});
    batch.next = head.next!;
    batch.previous = head.previous!;
    batch.next.previous = batch.previous.next = batch;
    head.next = head.previous = head;
    while (batch.next !== batch) {
      const entry: WheelEntry = batch.next!;
      this.#unlink(entry);
      if (entry.dueTick > this.#tick) {
        this.#append(head, entry);
        continue;
      }
      entry.next = entry.previous = null;
      this.#active--;
      entry.onExpire();
    }
  }

  #append(head: WheelEntry, entry: WheelEntry): void {
    const last = head.previous!;
    last.next = entry;
    entry.previous = last;
    entry.next = head;
    head.previous = entry;
  }

  #run(): void {
    // An idle wheel has not ticked: skip the ticks in which nothing could wait.
    this.#tick = Math.floor((this.#now() - this.#startedAt) / this.#tickMs);
    this.#interval = setInterval(() => this.advance(), this.#tickMs);
    this.#interval.unref();
  }

  #unlink(entry: WheelEntry): void {
    entry.previous!.next = entry.next;
    entry.next!.previous = entry.previous;
  }
}
