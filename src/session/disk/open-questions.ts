/** Questions to the database's thread that are not answered yet. What comes back is whole, or an error. */
import { FlotillaError, messageOf } from "../../support/errors.ts";
import type { DiskSession } from "../cluster/slot-disk.ts";
import { readEntries } from "../entry-bytes.ts";
import type { StoredSession } from "./change-batch.ts";
import type { Answer, NumberedQuestion, Question } from "./thread-messages.ts";

export type AnswerDone = (error: FlotillaError | null, answer: Answer | null) => void;

interface Open extends NumberedQuestion {
  readonly done: AnswerDone;
}

export class OpenQuestions {
  #lastId = 0;
  readonly #open: Map<number, Open> = new Map();
  #unsent: Open[] = [];

  get count(): number {
    return this.#open.size;
  }

  add(question: Question, done: AnswerDone): void {
    const open = { id: ++this.#lastId, question, done };
    this.#open.set(open.id, open);
    this.#unsent.push(open);
  }

  /** Those that were not sent yet. */
  takeUnsent(): readonly NumberedQuestion[] {
    const unsent = this.#unsent;
    this.#unsent = [];
    return unsent;
  }

  /** All, for a thread that has heard none of them. */
  takeAll(): Iterable<NumberedQuestion> {
    this.#unsent = [];
    return this.#open.values();
  }

  /** None of them will be answered. */
  fail(problem: string): void {
    const all = [...this.#open.values()];
    this.#unsent = [];
    this.#open.clear();
    for (const { done } of all) done(unread(problem), null);
  }

  answered(answer: Answer): void {
    const open = this.#open.get(answer.id);
    if (open === undefined) return;
    this.#open.delete(answer.id);
    if (answer.problem === null) open.done(null, answer);
    else open.done(unread(answer.problem), null);
  }
}

/**
 * @param now on the database's clock.
 * @param onDamage told of sessions that no writer made, although their checksum is right.
 */
export function sessionsOf(
  error: FlotillaError | null,
  answer: Answer | null,
  now: number,
  onDamage: (reason: string) => void,
): { readonly error: FlotillaError | null; readonly sessions: readonly DiskSession[] } {
  try {
    const stored = answer?.sessions ?? [];
    return { error, sessions: stored.map((session) => diskSession(session, now)) };
  } catch (damage) {
    const reason = `it is damaged: a session can't be read: ${messageOf(damage)}`;
    onDamage(reason);
    return { error: unread(reason), sessions: [] };
  }
}

function diskSession(stored: StoredSession, now: number): DiskSession {
  const { key, idleTimeoutMs, usedAt, absoluteTimeoutMs, createdAt, data } = stored;
  return {
    ...{ key, idleTimeoutMs, absoluteTimeoutMs },
    idleForMs: Math.max(0, now - usedAt),
    ageMs: Math.max(0, now - createdAt),
    entries: readEntries(Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  };
}

function unread(problem: string): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSIONS_DISK",
    `a session could not be read from the disk: ${problem}`,
    { source: "server" },
  );
}
