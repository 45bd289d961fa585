/** Which tables are looked through for expired sessions: some at a time, so that all have had their turn within about a minute. */
import { session as limits } from "../../support/limits.ts";
import type { SlotSessions } from "./slot-sessions.ts";

const sweepsPerRound = limits.sweepRoundMs / limits.sweepIntervalMs;

export class Sweep {
  #turn = 0;

  /** @param end ends the expired of a table, at most so many; @returns how many. */
  next(tables: readonly SlotSessions[], end: (table: number, endsMax: number) => number): void {
    let sessions = 0;
    for (const { size } of tables) sessions += size;
    let toLookAt = Math.max(limits.lookedAtOnceMin, sessions / sweepsPerRound);
    let endsMax: number = limits.sweptAtOnceMax;
    for (let i = 0; i < tables.length && toLookAt > 0; i++) {
      const index = this.#turn % tables.length;
      toLookAt -= tables[index]!.size;
      endsMax -= end(index, endsMax);
      // Of this one there may be more: it is first the next time.
      if (endsMax <= 0) return;
      this.#turn = index + 1;
    }
  }
}
