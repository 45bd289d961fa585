/**
 * Failures of strangers, logged without letting them fill the log: one line per address and kind in 10 s, and no
 * more than so many lines in all.
 */
import type { Clock } from "../support/clock.ts";
import * as limits from "../support/limits.ts";
import type { Log } from "../support/log.ts";

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

  /**
   * @param remote "address:port"; another port makes no other complaint.
   * @param kind what makes two complaints the same; nothing that a stranger chooses.
   */
  say(remote: string, kind: string, text: string): void {
    const now = this.#clock.now();
    const key = `${remote.slice(0, remote.lastIndexOf(":"))} ${kind}`;
    const before = this.#said.get(key);
    if (before !== undefined && now - before.saidAt < limits.link.complaintIntervalMs) {
      before.unsaid++;
      return;
    }
    this.#said.delete(key);
    if (this.#said.size >= limits.link.complaintsMax && !this.#forgetOldest(now)) return;
    this.#said.set(key, { saidAt: now, unsaid: 0 });
    const more = before === undefined || before.unsaid === 0 ? "" : ` (and ${before.unsaid} times before)`;
    this.#log.warn({ remote }, `cluster port: ${remote} ${text}${more}`);
  }

  #forgetOldest(now: number): boolean {
    const [key, oldest] = this.#said.entries().next().value!;
    return now - oldest.saidAt >= limits.link.complaintIntervalMs && this.#said.delete(key);
  }
}
