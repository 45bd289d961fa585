/**
 * One session's row while a process has operations on it: its statements, and what they leave in this process's memory. Whether that may
 * be served later is decided here: the row names this process as its holder, and nobody has written since the statement was sent.
 */
import type { Clock, Random } from "../../support/clock.ts";
import { messageOf } from "../../support/errors.ts";
import { sessionStores as limits } from "../../support/limits.ts";
import type { SessionEntries } from "../entry.ts";
import type { VerifiedId } from "../id.ts";
import { type Copies, type Copy, copyBytes } from "./copies.ts";
import type { SessionEngine, SessionRow, SessionWrite } from "./engine.ts";
import type { Failure, Guard } from "./guard.ts";
import type { Notices } from "./notices.ts";
import { checkColumns, readRowData } from "./row-data.ts";
import { damaged } from "./store-errors.ts";
import type { Touches } from "./touches.ts";

/** What all sessions of a process share. */
export interface StoreContext {
  readonly engine: SessionEngine;
  readonly guard: Guard;
  readonly copies: Copies;
  readonly touches: Touches;
  /** Null: every load reads. */
  readonly notices: Notices | null;
  readonly clock: Clock;
  readonly random: Random;
  /** This process's name in rows that it holds; "" where every load reads. */
  readonly holder: string;
  /** The id's letters name this process. */
  isMine(id: VerifiedId): boolean;
}

type Answered<Answer> = (failure: Failure | null, answer: Answer | null) => void;

export class RowAccess {
  readonly key: string;
  readonly context: StoreContext;
  /** Since the last statement was sent, somebody else wrote. */
  isNoticed = false;
  /** When that was. */
  sentAt = 0;
  /** On which notices came then. */
  #way = 0;

  constructor(key: string, context: StoreContext) {
    this.key = key;
    this.context = context;
  }

  /**
   * One statement; one that fails at once is made again.
   * @param again when: `always`, of one that may be made twice, or `unmade`, when the one before surely was not.
   * @param done with outcome unknown when that of any attempt is.
   */
  ask<Answer>(
    deadline: number,
    begin: () => Promise<Answer>,
    done: Answered<Answer>,
    again: "always" | "unmade" | "never" = "always",
    retries: number = limits.retriesMax,
  ): void {
    const { guard, notices, clock } = this.context;
    this.isNoticed = false;
    this.#way = notices === null ? 0 : notices.way;
    this.sentAt = clock.now();
    guard.run<Answer>(deadline, begin, (failure, answer) => {
      const isOver = failure === null || retries === 0 || !failure.isWorthRetrying || again === "never";
      if (isOver || (again === "unmade" && failure.outcome === "unknown")) return done(failure, answer);
      const doneAgain: Answered<Answer> = (next, nextAnswer) => {
        if (next === null || failure.outcome === "nothing") done(next, nextAnswer);
        else done({ ...next, outcome: "unknown" }, null);
      };
      const pauseMs = limits.retryMs * 2 ** (limits.retriesMax - retries);
      this.pause(pauseMs, () => this.ask(deadline, begin, doneAgain, again, retries - 1));
    });
  }

  pause(ms: number, then: () => void): void {
    this.context.clock.after(ms * (0.5 + this.context.random()), then);
  }

  /** @param holderBefore whose it stays, unless the id says that it is ours. */
  writeBy(id: VerifiedId, data: string, idleTimeoutMs: number, holderBefore: string): SessionWrite {
    const { holder } = this.context;
    return { data, writer: holder, holder: this.context.isMine(id) ? holder : holderBefore, idleTimeoutMs };
  }

  /** The row as it was read just now. @throws FlotillaError FLOTILLA_SESSION_DAMAGED */
  take(row: SessionRow | null): Copy | null {
    const { copies, touches } = this.context;
    if (row === null) {
      copies.delete(this.key);
      touches.forget(this.key);
      return null;
    }
    return this.keep(this.#entriesOf(row), row.data, row, this.sentAt - row.idleForMs);
  }

  #entriesOf(row: SessionRow): SessionEntries {
    const { copies, engine } = this.context;
    const { version, data } = row;
    const before = copies.get(this.key);
    try {
      checkColumns(row);
      if (before !== undefined && before.version === version && before.data === data) return before.entries;
      return readRowData(data);
    } catch (error) {
      copies.delete(this.key);
      throw damaged(this.key, engine.name, messageOf(error));
    }
  }

  /** What this process knows to be there. @param toldAt the database knows of uses up to then. */
  keep(
    entries: SessionEntries,
    data: string,
    row: Omit<SessionRow, "data" | "idleForMs">,
    toldAt: number,
  ): Copy {
    const { version, holder, idleTimeoutMs, absoluteTimeoutMs } = row;
    const mayServe = this.#mayServe(holder, version);
    const text = mayServe ? "" : data;
    const copy: Copy = {
      entries,
      data: text,
      bytes: copyBytes(entries, text),
      version,
      holder,
      mayServe,
      createdAt: this.sentAt - row.ageMs,
      absoluteTimeoutMs,
      idleTimeoutMs,
      usedAt: toldAt,
      toldAt,
    };
    this.context.copies.set(this.key, copy);
    return copy;
  }

  #mayServe(holder: string, version: number): boolean {
    const { notices, copies } = this.context;
    if (notices === null || holder !== this.context.holder || this.isNoticed) return false;
    return this.#way !== 0 && this.#way === notices.way && !copies.isUnsure(this.key, version);
  }
}
