/**
 * Which sessions make room where there are too many: those unused for longest. Of up to `lookedAtMax` sessions exactly those. Where there are
 * more, each call looks at some tables, in turn, and takes the longest idle of these, at most half: no call takes long.
 */
import { session as limits } from "../../support/limits.ts";
import type { SlotSessions } from "./slot-sessions.ts";

export class LongestIdle {
  #times: Float64Array = new Float64Array(64);
  #turn = 0;

  /** @param end is told of at most `count` of them: the index of the table, and the key; it ends them. */
  take(tables: readonly SlotSessions[], count: number, end: (table: number, key: string) => void): void {
    const first = this.#turn;
    let tableCount = 0;
    let sessions = 0;
    for (; tableCount < tables.length && sessions < limits.lookedAtMax; tableCount++)
      sessions = this.#look(tables[(first + tableCount) % tables.length]!, sessions);
    this.#turn = (first + tableCount) % Math.max(1, tables.length);
    const most = tableCount === tables.length ? sessions : sessions >>> 1;
    let rest = Math.min(count, most, limits.evictedAtOnceMax);
    if (rest === 0) return;
    const latest = this.#times.subarray(0, sessions).sort()[rest - 1]!;
    for (let i = 0; i < tableCount; i++) {
      const index = (first + i) % tables.length;
      for (const key of tables[index]!.unusedSince(latest)) if (rest-- > 0) end(index, key);
    }
  }

  #look(table: SlotSessions, sessions: number): number {
    const most = sessions + table.size;
    if (most > this.#times.length) {
      const larger = new Float64Array(2 * most);
      larger.set(this.#times.subarray(0, sessions));
      this.#times = larger;
    }
    return table.lastUses(this.#times, sessions);
  }
}
