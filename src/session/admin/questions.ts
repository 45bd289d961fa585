/**
 * What `flotilla sessions` and an app server say to each other, over the cluster port (admin/service.ts): only who has the
 * cluster's secret can ask. What is asked may come from another release, so it is looked at, field by field.
 */
import type { FlotillaError } from "../../support/errors.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";
import { isKey } from "../id.ts";
import type { SessionAdmin, SessionCounts, Whereabouts } from "./session-admin.ts";
import { SlotSet } from "./slot-set.ts";

/** `sessions-count`. */
export interface CountAnswer extends SessionCounts {
  /** null: the server's application keeps no sessions with us. */
  readonly kind: SessionAdmin["kind"] | null;
  /** As SessionAdmin has it. */
  readonly database?: string | null;
  /** Those that it serves, as SlotSet. */
  readonly slots: string;
}

/** `sessions-count-common`: how many there are in the database, which is to be asked once for all servers. */
export interface CommonCountAnswer {
  readonly sessions: number;
}

/** One top-level key with the value that it is to have, as JSON text. */
export interface Where {
  readonly name: string;
  readonly text: string;
}

/** `sessions-page`: sessions of these slots, behind `after` in the first of them. */
export interface PageQuestion {
  readonly slots: string;
  readonly after: string;
  readonly where: Where | null;
  /** Nothing but keys are wanted. */
  readonly isForKeys: boolean;
}

export interface PageAnswer {
  /** Records (checkpoint/record.ts), or keys. */
  readonly sessions: readonly unknown[];
  /** How many others there were of which nothing can be read but their keys. */
  readonly damaged?: number;
  /** Slots of which all was told, as SlotSet. */
  readonly finished: string;
  /** Where the next page begins; null: at the end of what this server serves. */
  readonly next: { readonly slot: number; readonly after: string } | null;
}

/** `sessions-show`. */
export interface ShowQuestion {
  readonly key: string;
  readonly withValues: boolean;
}

export interface ShowAnswer extends Whereabouts {
  readonly kind: SessionAdmin["kind"] | null;
  /** As SessionAdmin has it. */
  readonly database?: string | null;
  /** It knows whether there is such a session. */
  readonly isServing: boolean;
  /** In words: there is one, and why it can't be read. */
  readonly damage?: string;
  readonly session: ShownSession | null;
}

export interface ShownSession {
  /** Of names and values, as stored. */
  readonly bytes: number;
  readonly idleForMs: number;
  readonly idleTimeoutMs: number;
  readonly ageMs: number;
  /** Null: it lives as long as it is used. */
  readonly absoluteTimeoutMs: number | null;
  readonly keys: readonly ShownKey[];
}

export interface ShownKey {
  readonly name: string;
  readonly bytes: number;
  /** As stored (value.ts); only where values are wanted. */
  readonly text?: string;
}

/** `sessions-end`. */
export interface EndQuestion {
  readonly keys: readonly string[];
  /** Those that are otherwise by now stay. */
  readonly where: Where | null;
  /** A page has just told of them: a disk is not asked once more whether they are there. */
  readonly areThere: boolean;
}

/** `sessions-put`. */
export interface PutQuestion {
  /** Records. */
  readonly sessions: readonly unknown[];
  /** The place of one that there is, is taken. */
  readonly replaces: boolean;
}

/**
 * What became of one session. `ended`, `absent`, `other` (it is not as `where` says any more), `put`, `replaced`, `kept` (there is one, which
 * stays); not done, and to be asked for again: `elsewhere`, `busy`; `full`; `refused` (it is no session, or none that can be kept here); `unknown` (done or not).
 */
export type Outcome =
  | "ended"
  | "absent"
  | "other"
  | "put"
  | "replaced"
  | "kept"
  | "elsewhere"
  | "busy"
  | "full"
  | "refused"
  | "unknown";

/** Of `sessions-end` and `sessions-put`: in the order of the question. */
export interface OutcomesAnswer {
  readonly outcomes: readonly Outcome[];
}

export function readPageQuestion(content: unknown): PageQuestion & { readonly wanted: SlotSet } {
  const { slots, after, where = null, isForKeys = false } = fieldsOf(content);
  const wanted = SlotSet.read(slots);
  if (wanted === null) throw malformed("slots");
  if (typeof after !== "string" || (after !== "" && !isKey(after))) throw malformed("after");
  return {
    ...{ slots: wanted.text, wanted, after, where: readWhere(where) },
    isForKeys: isForKeys === true,
  };
}

export function readShowQuestion(content: unknown): ShowQuestion {
  const { key, withValues } = fieldsOf(content);
  if (typeof key !== "string" || !isKey(key)) throw malformed("key");
  return { key, withValues: withValues === true };
}

export function readEndQuestion(content: unknown): EndQuestion {
  const { keys, where = null, areThere = false } = fieldsOf(content);
  const isRight =
    Array.isArray(keys) &&
    keys.length <= limits.keysMax &&
    keys.every((key) => typeof key === "string" && isKey(key));
  if (!isRight) throw malformed("keys");
  return { keys, where: readWhere(where), areThere: areThere === true };
}

export function readPutQuestion(content: unknown): PutQuestion {
  const { sessions, replaces } = fieldsOf(content);
  if (!Array.isArray(sessions) || sessions.length > limits.keysMax) throw malformed("sessions");
  return { sessions, replaces: replaces === true };
}

/** Of one session that something was to be done to. @param done what it is called when that is done. */
export function outcomeOf(error: FlotillaError | null, done: Outcome): Outcome {
  switch (error?.code) {
    case undefined:
      return done;
    case "FLOTILLA_SESSION_ELSEWHERE":
    case "FLOTILLA_SESSION_UNAVAILABLE":
      return "elsewhere";
    case "FLOTILLA_SESSION_BUSY":
      return "busy";
    case "FLOTILLA_SESSION_FULL":
      return "full";
    case "FLOTILLA_SESSION_UNFIT":
      return "refused";
    default:
      return "unknown";
  }
}

function readWhere(where: unknown): Where | null {
  if (where === null) return null;
  const { name, text } = fieldsOf(where);
  if (typeof name !== "string" || typeof text !== "string") throw malformed("where");
  return { name, text };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw malformed("content");
}

function malformed(what: string): Error {
  return new Error(
    `"${what}" of the question is not as this server knows it; is the command of another release?`,
  );
}
