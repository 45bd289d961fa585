/**
 * What must never happen, checked while it may (I1 to I11 of docs/decisions/session-protocol.md). The oracle knows
 * what every visitor was told, when each request began and ended, what the register says and which processes live.
 *
 * A write has taken effect by the time that its requester was told so, or that somebody was shown it. One of unknown
 * outcome may take effect or not, but not in the place of one that began after its requester was told. Sessions of a slot whose last named copy has died are
 * forgiven: no protocol could have kept them.
 */
import type { SessionEntries } from "../../../src/session/entry.ts";
import type { VerifiedId } from "../../../src/session/id.ts";
import { decode } from "../../../src/session/value.ts";
import type { World } from "./world.ts";

interface Write {
  readonly id: number;
  readonly startedAt: number;
  /** When it had certainly taken effect. */
  effectiveAt: number;
  /** When its requester was told that it failed: it has its place in the order by then, or never takes effect. */
  failedAt: number;
}

/** One visitor's session as the outside world knows it. */
export class KnownSession {
  readonly visitor: string;
  readonly id: VerifiedId;
  readonly idleTimeoutMs: number;
  /** Whatever its use; Infinity for most. */
  readonly absoluteTimeoutMs: number;
  /** When its visitor's request for it began. */
  readonly beganAt: number;
  /** What the visitor's browser has: the same session, with the letters of its servers as last told. */
  cookie: VerifiedId;
  readonly writes: Map<string, Map<number, Write>> = new Map();
  /** It certainly exists since. */
  existsSince: number = Number.POSITIVE_INFINITY;
  /** The begin of the last operation that was told to be a use. */
  usedAt = 0;
  /** A logout was asked for: it may be gone. */
  endingSince: number = Number.POSITIVE_INFINITY;
  /** Nobody may ever see it again. */
  deadSince: number = Number.POSITIVE_INFINITY;
  /** Its slot's last named copy died: it may be lost, or old, if that is told. */
  forgivenAt: number = Number.POSITIVE_INFINITY;
  countAcknowledged = 0;
  countStarted = 0;
  /** Increments by `session.update`, several at once. */
  updatesAcknowledged = 0;
  updatesStarted = 0;

  /** For a person. */
  get name(): string {
    return `${this.visitor} (slot ${this.slot})`;
  }

  constructor(
    visitor: string,
    id: VerifiedId,
    idleTimeoutMs: number,
    absoluteTimeoutMs: number,
    beganAt: number,
  ) {
    this.visitor = visitor;
    this.id = this.cookie = id;
    this.idleTimeoutMs = idleTimeoutMs;
    this.absoluteTimeoutMs = absoluteTimeoutMs;
    this.beganAt = beganAt;
  }

  get slot(): number {
    return this.id.slot;
  }

  get isForgiven(): boolean {
    return this.forgivenAt !== Number.POSITIVE_INFINITY;
  }
}

const never = Number.POSITIVE_INFINITY;

/** Clocks run up to a tenth too fast: an idle timeout may seem shorter by that much, and a little for rounding. */
const idleShare = 0.9;

export class Oracle {
  readonly violations: string[] = [];
  readonly #world: World;
  readonly #sessions: Set<KnownSession> = new Set();
  /** When losses were told, by slot. */
  readonly #losses: Map<number, number[]> = new Map();
  /** What is wrong with sessions that may be lost or old, if that is told. */
  readonly #suspicions: { readonly session: KnownSession; readonly violation: string }[] = [];
  /** The session that is looked at. */
  #judged: KnownSession | null = null;
  /** Slot and epoch to the process that committed in it. */
  readonly #committers: Map<string, string> = new Map();

  constructor(world: World) {
    this.#world = world;
  }

  /** A server told that sessions of this slot are lost, or may be. */
  hearLoss(slot: number): void {
    const heard = this.#losses.get(slot);
    if (heard === undefined) this.#losses.set(slot, [this.#world.now]);
    else heard.push(this.#world.now);
  }

  /** At the end: whatever was lost has to have been told by then. */
  judgeSilence(): void {
    for (const { session, violation } of this.#suspicions) {
      const isTold = this.#losses.get(session.slot)?.some((at) => at >= session.forgivenAt) ?? false;
      if (!isTold) this.violations.push(`${violation}; lost without a word`);
    }
  }

  fail(invariant: string, what: string): void {
    if (this.#judged?.isForgiven && invariant !== "I9") {
      const violation = `${invariant} at ${this.#world.now.toFixed(1)} ms: ${what}`;
      this.#suspicions.push({ session: this.#judged, violation });
      return;
    }
    this.violations.push(`${invariant} at ${this.#world.now.toFixed(1)} ms: ${what}`);
    this.#world.tell("oracle", `VIOLATION ${invariant}: ${what}`);
  }

  meet(session: KnownSession): void {
    this.#sessions.add(session);
  }

  /** The slot's last copy died: what was in it may be lost, and may be old. */
  forgive(slot: number, why: string): void {
    this.#world.tell("oracle", `slot ${slot} is forgiven: ${why}`);
    for (const session of this.#sessions) {
      if (session.slot !== slot) continue;
      session.forgivenAt = this.#world.now;
      this.#sessions.delete(session);
    }
  }

  /** I1. */
  commits(slot: number, epoch: number, process: string): void {
    const key = `${slot}/${epoch}`;
    const before = this.#committers.get(key);
    if (before === undefined) this.#committers.set(key, process);
    else if (before !== process) {
      this.fail("I1", `${before} and ${process} both committed in slot ${slot}, epoch ${epoch}`);
    }
  }

  beginWrite(session: KnownSession, key: string, id: number, at: string): void {
    this.#tell(session, () => `writes ${key}=${id} at ${at}`);
    let writes = session.writes.get(key);
    if (writes === undefined) {
      writes = new Map();
      session.writes.set(key, writes);
    }
    writes.set(id, { id, startedAt: this.#world.now, effectiveAt: never, failedAt: never });
  }

  failWrite(session: KnownSession, key: string, id: number): void {
    this.#tell(session, () => `is told that ${key}=${id} failed, or is unknown`);
    session.writes.get(key)!.get(id)!.failedAt = this.#world.now;
  }

  acknowledgeWrite(session: KnownSession, key: string, id: number): void {
    this.#tell(session, () => `${key}=${id} is acknowledged`);
    const write = session.writes.get(key)!.get(id)!;
    if (write.startedAt > session.deadSince && !session.isForgiven) {
      this.fail("I5", `${session.name} was ended before, and ${key}=${id} was acknowledged all the same`);
    }
    write.effectiveAt = Math.min(write.effectiveAt, this.#world.now);
    this.#exists(session, write.startedAt);
  }

  acknowledgeDestroy(session: KnownSession): void {
    this.#tell(session, () => "its logout is acknowledged");
    session.deadSince = Math.min(session.deadSince, this.#world.now);
  }

  /** A load, or an update that found nothing (`entries` null), ended now. */
  see(session: KnownSession, entries: SessionEntries | null, startedAt: number, at: string): void {
    this.#judged = session;
    this.#judge(session, entries, startedAt, at);
    this.#judged = null;
  }

  #judge(session: KnownSession, entries: SessionEntries | null, startedAt: number, at: string): void {
    this.#tell(session, () => `is shown ${textOf(entries)} at ${at} (asked at ${startedAt.toFixed(1)})`);
    if (entries === null) {
      this.#seeAbsent(session, startedAt, at);
      return;
    }
    if (startedAt > session.deadSince) {
      this.fail("I5", `${session.name} was ended before, and alive again at ${at}`);
    }
    const who = decode(entries.get("who")?.text ?? "null");
    if (who !== session.visitor) {
      this.fail("I9", `${session.name} was shown the session of ${String(who)} at ${at}`);
      return;
    }
    this.#exists(session, startedAt);
    for (const key of session.writes.keys()) this.#seeValue(session, key, entries, startedAt, at);
  }

  #tell(session: KnownSession, what: () => string): void {
    if (this.#world.history !== null) this.#world.tell(session.visitor, what());
  }

  #exists(session: KnownSession, usedAt: number): void {
    session.existsSince = Math.min(session.existsSince, this.#world.now);
    session.usedAt = Math.max(session.usedAt, usedAt);
  }

  #seeAbsent(session: KnownSession, startedAt: number, at: string): void {
    const { now } = this.#world;
    const existed = session.existsSince <= startedAt;
    const mayBeEnded = session.endingSince <= now;
    const mayBeExpired =
      now - session.usedAt >= session.idleTimeoutMs * idleShare ||
      now - session.beganAt >= session.absoluteTimeoutMs * idleShare;
    if (existed && !mayBeEnded && !mayBeExpired) {
      this.fail(
        "I3",
        `the session of ${session.name} was lost, or expired early, at ${at}: used at ` +
          `${session.usedAt.toFixed(1)}, idle timeout ${session.idleTimeoutMs} ms, begun at ${session.beganAt.toFixed(1)}, ` +
          `absolute timeout ${session.absoluteTimeoutMs} ms`,
      );
    }
    if (existed) session.deadSince = Math.min(session.deadSince, now);
  }

  #seeValue(
    session: KnownSession,
    key: string,
    entries: SessionEntries,
    startedAt: number,
    at: string,
  ): void {
    const writes = session.writes.get(key)!;
    const entry = entries.get(key);
    const shown = entry === undefined ? null : writes.get(numberIn(entry.text));
    if (shown === undefined) {
      this.fail("I9", `${session.name} was shown ${key}=${entry!.text}, which nobody wrote, at ${at}`);
      return;
    }
    const shownBy = shown === null ? 0 : Math.min(shown.effectiveAt, shown.failedAt);
    for (const write of writes.values()) {
      if (write === shown || write.effectiveAt > startedAt || write.startedAt <= shownBy) continue;
      this.fail(
        "I3/I4",
        `${session.name} was shown ${key}=${shown?.id ?? "nothing"} at ${at}, but ${write.id} was ` +
          `acknowledged or shown at ${write.effectiveAt.toFixed(1)}, before that load began (${startedAt.toFixed(1)})`,
      );
      return;
    }
    if (shown !== null) shown.effectiveAt = Math.min(shown.effectiveAt, this.#world.now);
  }
}

/** Values are `[number of the write, ...]` or the number alone. */
function numberIn(text: string): number {
  const value = decode(text);
  return Array.isArray(value) ? (value[0] as number) : (value as number);
}

function textOf(entries: SessionEntries | null): string {
  if (entries === null) return "nothing";
  return [...entries].map(([key, { text }]) => `${key}=${text}`).join(" ");
}
