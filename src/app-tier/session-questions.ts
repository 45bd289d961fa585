/**
 * An app server's answers to `flotilla sessions` (session/admin/questions.ts). They go over many sessions in short turns, and
 * one answer holds a bounded part of them: visitors are served in between.
 */
import { type Answers, JsonText } from "../admin/service.ts";
import type { Server } from "../config/model.ts";
import { DatabaseAdmin } from "../session/admin/database-admin.ts";
import {
  type CommonCountAnswer,
  type CountAnswer,
  type EndQuestion,
  type Outcome,
  type OutcomesAnswer,
  outcomeOf,
  type PageQuestion,
  type PutQuestion,
  readEndQuestion,
  readPageQuestion,
  readPutQuestion,
  readShowQuestion,
  type ShowAnswer,
  type ShownSession,
  type ShowQuestion,
  type Where,
} from "../session/admin/questions.ts";
import type { LivingSession, SessionAdmin } from "../session/admin/session-admin.ts";
import { SlotSet } from "../session/admin/slot-set.ts";
import { RecordProblem, readRecord, recordText } from "../session/checkpoint/record.ts";
import { bytesOf } from "../session/entry.ts";
import { slotCount, slotOfKey } from "../session/id.ts";
import type { FlotillaError } from "../support/errors.ts";
import { sessionAdmin as limits } from "../support/limits.ts";
import { Turns } from "../support/turns.ts";

const nothingKept = { sessions: 0, bytes: 0 };

/** @param admin asked with each question: an application may come to its sessions late; null: it has none with us. */
export function sessionAnswers({ letter, processIndex }: Server, admin: () => SessionAdmin | null): Answers {
  const owner = `${letter}${processIndex === 0 ? "" : processIndex}`;
  const some = (): SessionAdmin => {
    const one = admin();
    if (one === null) throw new Error("its application keeps no sessions with Flotilla");
    return one;
  };
  return {
    "sessions-count": (): CountAnswer => counted(admin()),
    "sessions-count-common": () => countedInCommon(some()),
    "sessions-page": ({ content }) => page(some(), owner, readPageQuestion(content)),
    "sessions-show": ({ content }) => show(admin(), readShowQuestion(content)),
    "sessions-end": ({ content }) => endAll(some(), readEndQuestion(content)),
    "sessions-put": ({ content }) => putAll(some(), readPutQuestion(content)),
  };
}

function counted(admin: SessionAdmin | null): CountAnswer {
  const slots = SlotSet.none();
  if (admin === null)
    return {
      ...{ kind: null, slots: slots.text, owned: nothingKept, backedUp: nothingKept },
      ...{ onDisk: null, singleCopy: null },
    };
  for (let slot = 0; slot < slotCount; slot++) if (admin.serves(slot)) slots.add(slot);
  return { kind: admin.kind, database: admin.database, slots: slots.text, ...admin.counts() };
}

async function countedInCommon(admin: SessionAdmin): Promise<CommonCountAnswer> {
  if (!(admin instanceof DatabaseAdmin)) throw new Error("it keeps no sessions in a database");
  return { sessions: await admin.count() };
}

async function page(
  admin: SessionAdmin,
  owner: string,
  { wanted, after, where, isForKeys }: PageQuestion & { readonly wanted: SlotSet },
): Promise<JsonText> {
  const turns = new Turns(limits.turnMs);
  const until = performance.now() + limits.pageMs;
  const finished = SlotSet.none();
  const texts: string[] = [];
  let bytes = 0;
  let damaged = 0;
  let behind = after;
  const answer = (next: { slot: number; after: string } | null): JsonText =>
    new JsonText(
      `{"sessions":[${texts.join(",")}],"damaged":${damaged},"finished":"${finished.text}","next":${JSON.stringify(next)}}`,
    );
  const isCommon = admin.kind === "common";
  for (let slot = wanted.next(0); slot !== -1; slot = wanted.next(slot + 1), behind = "") {
    for (;;) {
      const sessions = await pageOf(admin, slot, behind, limits.pageBytes);
      if (sessions?.length === 0) finished.add(slot);
      if (isCommon && sessions === null) throw new Error(`${admin.database} does not answer`);
      if (sessions === null || sessions.length === 0) break;
      for (const session of sessions) {
        behind = session.key;
        const isHidden = session.damage !== undefined && (!isForKeys || where !== null);
        if (isHidden) damaged++;
        if (isHidden || !isAs(session, where)) continue;
        const text = isForKeys ? JSON.stringify(session.key) : recordText(session, owner);
        bytes += text.length;
        texts.push(text);
      }
      if (bytes >= limits.pageBytes || performance.now() >= until) return answer({ slot, after: behind });
      if (turns.isOver) await turns.next();
    }
    if (isCommon) {
      for (let told = wanted.next(0); told !== -1; told = wanted.next(told + 1)) finished.add(told);
      break;
    }
    if (turns.isOver) await turns.next();
  }
  return answer(null);
}

/** Null: it is not served here now. */
function pageOf(
  admin: SessionAdmin,
  slot: number,
  after: string,
  bytesMax: number,
): Promise<readonly LivingSession[] | null> {
  return new Promise((resolve) => {
    admin.page(slot, after, bytesMax, (error, sessions) => resolve(error === null ? sessions : null));
  });
}

async function show(admin: SessionAdmin | null, { key, withValues }: ShowQuestion): Promise<ShowAnswer> {
  if (admin === null)
    return {
      ...{ kind: null, role: "nobody", owner: null, backup: null, epoch: 0 },
      ...{ isServing: false, session: null },
    };
  const slot = slotOfKey(key);
  const { error, session } = await find(admin, slot, key);
  return {
    ...{ kind: admin.kind, database: admin.database, ...admin.whereabouts(slot) },
    ...{ isServing: error === null, session: session === null ? null : shown(session, withValues) },
    ...(isDamaged(error) ? { damage: error.message } : {}),
  };
}

function shown(session: LivingSession, withValues: boolean): ShownSession {
  const { entries, idleForMs, idleTimeoutMs, ageMs } = session;
  const absoluteTimeoutMs = Number.isFinite(session.absoluteTimeoutMs) ? session.absoluteTimeoutMs : null;
  const keys = [...entries].map(([name, { bytes, text }]) => ({
    name,
    bytes,
    ...(withValues ? { text } : {}),
  }));
  return { bytes: bytesOf(entries), idleForMs, idleTimeoutMs, ageMs, absoluteTimeoutMs, keys };
}

function find(
  admin: SessionAdmin,
  slot: number,
  key: string,
): Promise<{ error: FlotillaError | null; session: LivingSession | null }> {
  return new Promise((resolve) => {
    admin.find(slot, key, (error, session) => resolve({ error, session }));
  });
}

async function endAll(admin: SessionAdmin, { keys, where, areThere }: EndQuestion): Promise<OutcomesAnswer> {
  return await each(keys, async (key): Promise<Outcome> => {
    const slot = slotOfKey(key);
    if (areThere && where === null) return await endOne(admin, slot, key);
    const { error, session } = await find(admin, slot, key);
    if (isDamaged(error) && where === null) return await endOne(admin, slot, key);
    if (error !== null) return outcomeOf(error, "absent");
    if (session === null) return "absent";
    if (!isAs(session, where)) return "other";
    return await endOne(admin, slot, key);
  });
}

function endOne(admin: SessionAdmin, slot: number, key: string): Promise<Outcome> {
  return new Promise((resolve) => {
    admin.end(slot, key, (failure) => resolve(outcomeOf(failure, "ended")));
  });
}

async function putAll(admin: SessionAdmin, { sessions, replaces }: PutQuestion): Promise<OutcomesAnswer> {
  return await each(sessions, async (record): Promise<Outcome> => {
    const given = readGiven(record);
    if (given === null) return "refused";
    const slot = slotOfKey(given.key);
    const { error, session } = await find(admin, slot, given.key);
    if (error !== null && !isDamaged(error)) return outcomeOf(error, "put");
    const isThere = session !== null || error !== null;
    if (isThere && !replaces) return "kept";
    return await new Promise((resolve) => {
      const done = isThere ? "replaced" : "put";
      admin.put(slot, given, (failure) => resolve(outcomeOf(failure, done)));
    });
  });
}

/** A row of a database that somebody else wrote to. */
function isDamaged(error: FlotillaError | null): error is FlotillaError {
  return error?.code === "FLOTILLA_SESSION_DAMAGED";
}

function readGiven(record: unknown): LivingSession | null {
  try {
    return readRecord(record).session;
  } catch (error) {
    if (error instanceof RecordProblem) return null;
    throw error;
  }
}

/** All are begun in short turns, and each ends when it is committed. */
async function each<T>(items: readonly T[], act: (item: T) => Promise<Outcome>): Promise<OutcomesAnswer> {
  const turns = new Turns(limits.turnMs);
  const outcomes: Promise<Outcome>[] = [];
  for (const item of items) {
    const outcome = act(item);
    // Until all are begun nobody listens to what the first ones throw.
    outcome.catch(() => {});
    outcomes.push(outcome);
    if (turns.isOver) await turns.next();
  }
  return { outcomes: await Promise.all(outcomes) };
}

function isAs({ entries }: LivingSession, where: Where | null): boolean {
  return where === null || entries.get(where.name)?.text === where.text;
}
