/** Failures of strangers, logged without letting them fill the log: one line per address and kind in 10 s. */
import type { Clock } from "../support/clock.ts";
import * as limits from "../support/limits.ts";
import type { Log } from "../support/log.ts";

/** Addresses and kinds remembered; the oldest makes room. */
const complaintsMax = 256;

interface Complaint {
  readonly saidAt: number;
  unsaid: number;
}

export class Complaints {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #said: Map<string, Complaint> = new Map();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** @param remote "address:port"; the port is not part of what makes two complaints the same. */
  say(remote: string, text: string): void {
    const now = this.#clock.now();
    const key = `${remote.slice(0, remote.lastIndexOf(":"))} ${text}`;
    const before = this.#said.get(key);
    if (before !== undefined && now - before.saidAt < limits.link.complaintIntervalMs) {
      before.unsaid++;
      return;
    }
    this.#said.delete(key);
    if (this.#said.size >= complaintsMax) this.#said.delete(this.#said.keys().next().value!);
    this.#said.set(key, { saidAt: now, unsaid: 0 });
    const more = before === undefined || before.unsaid === 0 ? "" : ` (and ${before.unsaid} times before)`;
    this.#log.warn({ remote }, `cluster port: ${remote} ${text}${more}`);
  }
}
