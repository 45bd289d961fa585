/**
 * The owner's part: a change gets its place in the slot's order, goes to whoever follows, and is committed when all
 * whose answers are needed have answered. Loads see what is committed and nothing else.
 *
 * Who must answer: the backup that the register names, and, while a change of the register that names another one is
 * about to be made, open, or of unknown outcome, that one too; without a backup nobody. And nothing is committed by who does not know
 * the register to be what it was (`Context.registerLease`).
 */
import type { FlotillaError } from "../../support/errors.ts";
import { replication as limits, session as sessionLimits } from "../../support/limits.ts";
import { applied, bytesOf, noEntries, type SessionEntries } from "../entry.ts";
import { type Done, type Loaded, sessionGone, tooLarge } from "../store.ts";
import { KeptSession } from "../table/kept-session.ts";
import { answeredByAll } from "./commit-rule.ts";
import type { Context } from "./context.ts";
import { busy, noRoom, unknownOutcome } from "./failures.ts";
import { noLease } from "./lease.ts";
import { type Change, type Op, OpKind } from "./messages.ts";
import { type Follower, Role, type SlotCopy } from "./slot.ts";
import { WaitingChanges } from "./waiting-changes.ts";

export class Owner {
  readonly #context: Context;
  /** Slots that had changes under way at the last tick or since: few of all. */
  readonly #underWay: Set<SlotCopy> = new Set();
  /** Of the changes of all slots that are not committed. */
  #pendingBytes = 0;
  #isPlacing = false;
  readonly #waiting: WaitingChanges = new WaitingChanges();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether what this process holds of the slot may be shown now. */
  mayShow(slot: SlotCopy, now: number = this.#context.clock.now()): boolean {
    return now < slot.lease.until && now < slot.leaseToo.until;
  }

  /** The session if it lives; one that has been idle for too long, or is too old, is ended here. `mayShow` was asked before. */
  find(slot: SlotCopy, key: string, now: number = this.#context.clock.now()): KeptSession | null {
    const session = slot.sessions.get(key);
    if (session === undefined || session.tip === null) return null;
    if (this.#isExpired(slot, session, now)) {
      this.#expire(slot, session);
      return null;
    }
    return session;
  }

  use(
    slot: SlotCopy,
    session: KeptSession,
    idleTimeoutMs: number,
    now: number = this.#context.clock.now(),
  ): void {
    slot.sessions.use(session, now, idleTimeoutMs);
    if (session.isTouched) return;
    session.isTouched = true;
    slot.touched.push(session.key);
  }

  /** Loads it. `find` has found it. */
  show(slot: SlotCopy, session: KeptSession, done: Loaded, now: number = this.#context.clock.now()): void {
    this.use(slot, session, session.idleTimeoutMs, now);
    const ageMs = Math.max(0, now - session.createdAt);
    done(null, this.#context.rules.visible(session), ageMs, session.absoluteTimeoutMs);
  }

  /** It was used, wherever it is; one that is absent is not. */
  touch(slot: SlotCopy, key: string, idleTimeoutMs: number): void {
    const session = this.find(slot, key);
    if (session !== null && session.entries !== null) this.use(slot, session, idleTimeoutMs);
    else if (this.#context.disk?.isCold(slot, key)) this.#context.disk.touch(slot, key, idleTimeoutMs, 0);
  }

  /**
   * The slot is being served here. `done` is called at the commit, or with why it can't be told to be committed.
   * It may have to wait for its place in the order; what must have it at once calls `submitNow`.
   */
  submit(slot: SlotCopy, change: Change, done: Done): void {
    const bytes = bytesOf(change.changes);
    // Nobody overtakes: small ones would go on taking the room that a large one waits for.
    if (this.#waiting.first === null && this.#fits(bytes)) {
      this.#place(slot, change, done);
      return;
    }
    const askedAt = this.#context.clock.now();
    if (!this.#waiting.add({ slot, change, bytes, askedAt, done })) done(busy());
  }

  /** The same for a change that may not wait: it rests on what was compared before, or another server has given it a time. */
  submitNow(slot: SlotCopy, change: Change, done: Done): void {
    if (this.#fits(bytesOf(change.changes)) && !this.#waiting.has(change.key))
      this.#place(slot, change, done);
    else done(busy());
  }

  #fits(bytes: number): boolean {
    return this.#pendingBytes === 0 || this.#pendingBytes + bytes <= limits.pendingBytesMax;
  }

  /** Gives those that wait their places, as far as what is under way leaves room. */
  #placeWaiting(): void {
    // One that is committed at once makes room for the next, here and not within this call once more.
    if (this.#isPlacing) return;
    this.#isPlacing = true;
    try {
      this.#placeInTurn(this.#context.clock.now());
    } finally {
      // Whoever is called back may throw.
      this.#isPlacing = false;
    }
  }

  #placeInTurn(now: number): void {
    for (let next = this.#waiting.first; next !== null; next = this.#waiting.first) {
      const { slot, change, bytes, askedAt, done } = next;
      const isLate = now - askedAt >= limits.placeWaitMs;
      if (!isLate && !this.#fits(bytes)) return;
      this.#waiting.shift();
      if (isLate || !slot.isServing || !this.mayShow(slot, now)) done(busy());
      else this.#place(slot, change, done);
    }
  }

  #place(slot: SlotCopy, change: Change, done: Done): void {
    const { kind, key, changes, idleTimeoutMs } = change;
    if (slot.pending.length + slot.answers.length >= limits.pendingPerSlotMax) {
      done(busy());
      return;
    }
    const session = this.find(slot, key);
    if (session === null && kind !== OpKind.create && !this.#createsAbsent(kind)) {
      this.afterPending(slot, kind === OpKind.update ? sessionGone() : null, done);
      return;
    }
    const base = kind === OpKind.create ? noEntries : (session?.tip ?? noEntries);
    const bytes = bytesOf(applied(base, changes));
    if (bytes > sessionLimits.dataBytesMax) {
      // One larger than a frame could not be copied any more.
      done(tooLarge(changes));
      return;
    }
    const bytesBefore = bytesOf(session?.tip ?? noEntries);
    if (
      kind !== OpKind.destroy &&
      this.#hasNoRoom(slot, session === null || bytes > bytesBefore + limits.heldGrowthBytes)
    ) {
      done(noRoom());
      return;
    }
    this.#append(slot, session ?? this.#begun(slot, key, idleTimeoutMs), change, done);
  }

  /** Sessions can't leave the memory of one of the pair, for its disk can't be written, and it is full (disk-room.ts). */
  #hasNoRoom({ backup }: SlotCopy, grows: boolean): boolean {
    const { disk } = this.#context;
    if (disk === null) return false;
    const peer = backup === null ? null : this.#context.connectedTo(backup.holder);
    const fullness = Math.max(disk.heldFullness, peer?.heldFullness ?? 0);
    return fullness > (grows ? 1 : limits.heldFullnessMax);
  }

  /**
   * A session that begins. In the place of one that is about to end it is the same object: until that end is committed, what was
   * there before is what a load shows, and what stays when the changes are dropped.
   */
  #begun(slot: SlotCopy, key: string, idleTimeoutMs: number): KeptSession {
    const ending = slot.sessions.get(key);
    if (ending === undefined) return new KeptSession(key, idleTimeoutMs);
    slot.sessions.use(ending, this.#context.clock.now(), idleTimeoutMs);
    return ending;
  }

  /** Tells an outcome that rests on what is under way: when that is committed, and not before. */
  afterPending(slot: SlotCopy, outcome: FlotillaError | null, done: Done): void {
    if (slot.pending.length === 0) done(outcome);
    else if (slot.answers.length >= limits.pendingPerSlotMax) done(busy());
    else slot.answers.push({ pos: slot.pos, askedAt: this.#context.clock.now(), outcome, done });
  }

  /** Sends what the follower has not answered; a burst of refusals is answered once. */
  resend(slot: SlotCopy, follower: Follower): void {
    const now = this.#context.clock.now();
    if (follower.resentEpoch === slot.epoch && now - follower.resentAt < limits.resendPauseMs) return;
    follower.progressAt = follower.resentAt = now;
    follower.resentEpoch = slot.epoch;
    const peer = this.#context.connectedTo(follower.holder);
    for (const { op } of slot.pending) {
      // The writer is asked for each time: a frame that has grown large leaves.
      if (op.pos > follower.ackedPos) this.#context.writerTo(peer)?.op({ ...op, epoch: slot.epoch });
    }
  }

  /** @param durablePos its disk has all up to here, and may have had more before it was damaged; -1: nothing, or it has no disk. */
  onAck(slot: SlotCopy, follower: Follower, pos: number, durablePos: number): void {
    follower.progressAt = this.#context.clock.now();
    const isMoreDurable = durablePos > follower.durablePos && durablePos <= slot.pos;
    if (durablePos <= slot.pos) follower.durablePos = durablePos;
    if (pos > follower.ackedPos && pos <= slot.pos) follower.ackedPos = pos;
    else if (!isMoreDurable) return;
    this.advance(slot);
  }

  /** Commits what all have answered. */
  advance(slot: SlotCopy): void {
    const to = answeredByAll(this.#context, slot);
    while (slot.pending.length > 0 && slot.pending[0]!.op.pos <= to) this.#commit(slot);
    while (slot.answers.length > 0 && slot.answers[0]!.pos <= slot.committedPos) {
      const { done, outcome } = slot.answers.shift()!;
      done(outcome);
    }
    if (this.#waiting.first !== null) this.#placeWaiting();
  }

  /** What is not committed is dropped; whoever waits for it is told that its outcome is unknown. */
  dropPending(slot: SlotCopy): void {
    const { pending, answers } = slot;
    slot.pending = [];
    slot.answers = [];
    const { disk } = this.#context;
    if (disk === null) slot.pos = slot.committedPos;
    for (const { session, bytes } of pending) {
      this.#pendingBytes -= bytes;
      // What this server's disk was given stays in the copy, as it does in a backup's: committed or not, it has its place there.
      if (disk !== null) slot.sessions.setEntries(session, session.tip);
      session.tip = session.entries;
      if (session.entries === null && slot.sessions.isOf(session)) {
        slot.sessions.delete(session.key);
      }
    }
    for (const { done } of pending) done?.(unknownOutcome());
    for (const { done } of answers) done(unknownOutcome());
    for (const { done } of this.#waiting.takeOf(slot)) done(busy());
  }

  /** Under which leases the slot is served now; to be called whenever its role, followers or open changes change. */
  assignLeases(slot: SlotCopy): void {
    if (!slot.isServing || this.#context.disk?.holdsBack(slot)) {
      slot.lease = slot.leaseToo = noLease;
      return;
    }
    const { rules, registerLease } = this.#context;
    for (const follower of [slot.backup, slot.joining]) {
      if (follower !== null) follower.lease = this.#context.leaseOf(follower.holder);
    }
    const lease = slot.backup?.lease ?? registerLease;
    const named = slot.joining?.isNamed ? slot.joining.lease : null;
    slot.lease = rules.leaseOf(lease);
    slot.leaseToo = rules.leaseOf(named ?? (slot.removesBackup ? registerLease : lease));
  }

  /** Outcomes that took too long, ops that were lost on their way. */
  tick(): void {
    this.#placeWaiting();
    for (const slot of this.#underWay) {
      if (slot.pending.length > 0) this.#tickSlot(slot);
      else this.#underWay.delete(slot);
    }
  }

  #tickSlot(slot: SlotCopy): void {
    const now = this.#context.clock.now();
    for (const pending of slot.pending) {
      if (now - pending.submittedAt < sessionLimits.commitTimeoutMs) break;
      const { done } = pending;
      pending.done = null;
      done?.(unknownOutcome());
    }
    while (slot.answers.length > 0 && now - slot.answers[0]!.askedAt >= sessionLimits.commitTimeoutMs)
      slot.answers.shift()!.done(unknownOutcome());
    this.advance(slot);
    for (const follower of [slot.backup, slot.joining]) {
      if (follower === null || follower.ackedPos === slot.pos) continue;
      if (now - follower.progressAt >= limits.resendAfterMs) this.resend(slot, follower);
    }
  }

  /** Ends expired sessions of the slot, at most so many. @returns how many. */
  sweep(slot: SlotCopy, sessionsMax: number): number {
    if (slot.sessions.size === 0 || !this.mayShow(slot)) return 0;
    const lag = slot.lagsBefore === Number.NEGATIVE_INFINITY ? 0 : limits.touchLagMs;
    const keys = slot.sessions.expired(this.#context.clock.now(), lag, sessionsMax);
    for (const key of keys) this.end(slot, key);
    return keys.length;
  }

  /** The same of one that may be on disk alone. */
  expireOnDisk(slot: SlotCopy, key: string): void {
    if (slot.pending.length >= limits.pendingPerSlotMax) return;
    if (slot.sessions.has(key)) this.end(slot, key);
    else this.#endCold(slot, OpKind.expire, key, () => {});
  }

  /** Ends one that is not in memory, and may be on disk, for somebody who has asked to. */
  endOnDisk(slot: SlotCopy, key: string, done: Done): void {
    if (slot.pending.length + slot.answers.length >= limits.pendingPerSlotMax) done(busy());
    else this.#endCold(slot, OpKind.destroy, key, done);
  }

  #endCold(
    slot: SlotCopy,
    kind: typeof OpKind.expire | typeof OpKind.destroy,
    key: string,
    done: Done,
  ): void {
    const change = { kind, key, idleTimeoutMs: 0, life: null, changes: noEntries };
    this.#append(slot, new KeptSession(key, 0), change, done);
  }

  /** A change of the session waits for its place: it has to stay in memory. */
  isAwaited(key: string): boolean {
    return this.#waiting.has(key);
  }

  /** Ends a session that nobody has asked to. @returns the bytes it took. */
  end(slot: SlotCopy, key: string): number {
    const session = slot.sessions.get(key);
    if (session === undefined) return 0;
    // Without a backup it is over, and takes none any more, when this call ends.
    const { bytes } = session;
    this.#expire(slot, session);
    return bytes;
  }

  /** Tells the backup who was used, so that idle times survive a takeover about right. */
  sendTouches(slot: SlotCopy): void {
    const { touched, backup } = slot;
    slot.touched = [];
    const peer = backup === null ? null : this.#context.connectedTo(backup.holder);
    for (const key of touched) {
      const idleTimeoutMs = slot.sessions.untouch(key);
      // The writer is asked for each time: a frame that has grown large leaves.
      if (idleTimeoutMs === null) continue;
      this.#context.writerTo(peer)?.touch(slot.index, slot.epoch, key, idleTimeoutMs);
      this.#context.disk?.touch(slot, key, idleTimeoutMs, 0);
    }
  }

  #append(slot: SlotCopy, session: KeptSession, change: Change, done: Done): void {
    const { clock, rules, disk } = this.#context;
    const { kind, changes, life, idleTimeoutMs } = change;
    const ends = kind === OpKind.destroy || kind === OpKind.expire;
    const base = kind === OpKind.create ? noEntries : (session.tip ?? noEntries);
    const after = ends ? null : applied(base, changes);
    session.tip = after;
    if (life !== null) session.begin(life, clock.now());
    slot.sessions.set(session);
    // A joining server that has not got the session yet leaves out what is not whole.
    const isUse = kind === OpKind.update && changes.size === 0 && slot.joining === null;
    // With disks the whole session travels: the backup may have it on disk alone, and writes all of it there as this server does.
    const whole =
      disk === null || after === null || isUse ? null : wholeOf(session, after, idleTimeoutMs, clock.now());
    const op: Op = { ...(whole ?? change), slot: slot.index, epoch: slot.epoch, pos: ++slot.pos };
    const early = rules.acknowledgesEarly();
    const bytes = bytesOf(op.changes);
    this.#pendingBytes += bytes;
    slot.pending.push({ op, session, after, submittedAt: clock.now(), bytes, done: early ? null : done });
    this.#underWay.add(slot);
    this.#send(slot, slot.backup, op);
    this.#send(slot, slot.joining, op);
    if (early) done(null);
    if (isUse) disk?.use(slot, session.key, idleTimeoutMs);
    else disk?.write(slot, session, after);
    slot.joining?.transfer?.pages?.changed.add(session.key);
    this.advance(slot);
  }

  #send(slot: SlotCopy, follower: Follower | null, op: Op): void {
    if (follower === null) return;
    if (follower.ackedPos === slot.pos - 1) follower.progressAt = this.#context.clock.now();
    this.#context.writerTo(this.#context.connectedTo(follower.holder))?.op(op);
  }

  /** More of the slot is on disk, or need not be any more. @returns whether it may be shown only from now on. */
  onSynced(slot: SlotCopy): boolean {
    const isHeldBack = slot.onDisk!.shownFrom >= 0 && !this.#context.disk!.holdsBack(slot);
    if (isHeldBack) {
      if (slot.onDisk!.syncedPos >= slot.onDisk!.shownFrom) slot.onDisk!.shownFrom = -1;
      this.assignLeases(slot);
    }
    this.advance(slot);
    return isHeldBack;
  }

  #commit(slot: SlotCopy): void {
    const { op, session, after, bytes, done } = slot.pending.shift()!;
    this.#pendingBytes -= bytes;
    slot.committedPos = op.pos;
    slot.sessions.setEntries(session, after);
    if (after === null) {
      if (session.tip === null && slot.sessions.isOf(session)) slot.sessions.delete(session.key);
    } else if (session.tip !== null) {
      slot.sessions.use(session, this.#context.clock.now(), op.idleTimeoutMs);
    }
    this.#context.observer.onCommit(slot.index, slot.epoch, op.pos);
    done?.(null);
  }

  #isExpired(slot: SlotCopy, session: KeptSession, now: number): boolean {
    // Not committed yet: it has not begun to be idle.
    if (session.entries === null) return false;
    if (session.isOver(now)) return true;
    // A change under way is a use that nobody has been told of yet.
    if (session.isChanging) return false;
    const lag = session.lastUsedAt < slot.lagsBefore ? limits.touchLagMs : 0;
    return now - session.lastUsedAt >= session.idleTimeoutMs + lag;
  }

  #expire(slot: SlotCopy, session: KeptSession): void {
    if (slot.role !== Role.owner || session.tip === null) return;
    const { key } = session;
    const change = { kind: OpKind.expire, key, idleTimeoutMs: 0, life: null, changes: noEntries };
    this.#append(slot, session, change, () => {});
  }

  #createsAbsent(kind: OpKind): boolean {
    return kind === OpKind.update && this.#context.rules.createsAbsent();
  }
}

/** A change that makes the session all that it is after the change. */
function wholeOf(session: KeptSession, after: SessionEntries, idleTimeoutMs: number, now: number): Change {
  const { key, createdAt, absoluteTimeoutMs } = session;
  const life = { ageMs: Math.max(0, now - createdAt), absoluteTimeoutMs };
  return { kind: OpKind.create, key, idleTimeoutMs, life, changes: after };
}
