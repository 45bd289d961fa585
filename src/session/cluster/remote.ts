/**
 * Operations on slots that this process does not serve (R32): they go to the owner, and wait for one while there is
 * none that may answer. The owner loads, the changed keys go back to it at the end.
 *
 * Operations on one session are sent one after the other, each when the one before is over. A change travels with
 * how long it may be under way, measured by the owner's own clock: one that arrives later is refused, so that no change
 * takes effect after its requester was told that its outcome is unknown and went on.
 */
import type { FlotillaError } from "../../support/errors.ts";
import { replication as limits, session as sessionLimits } from "../../support/limits.ts";
import { bytesOf, noEntries, type SessionEntries } from "../entry.ts";
import type { VerifiedId } from "../id.ts";
import type { SessionLife } from "../snapshot.ts";
import {
  contended,
  type Done,
  isContended,
  isGone,
  isTooLarge,
  type Loaded,
  sessionGone,
  tooLarge,
} from "../store.ts";
import { compareAndSet } from "./compare-and-set.ts";
import type { Context } from "./context.ts";
import { busy, noRoom, unavailable, unknownOutcome } from "./failures.ts";
import { type Operation, OpKind, ReplyStatus, RequestKind, type RequestMessage } from "./messages.ts";
import type { Owner } from "./owner.ts";
import type { Peer, PeerConnection } from "./peer.ts";
import type { SlotCopy } from "./slot.ts";

/** One operation that is not over. */
class Attempt {
  readonly operation: Operation;
  readonly slot: SlotCopy;
  readonly done: Loaded;
  readonly startedAt: number;
  /** Of its values. */
  readonly bytes: number;
  /** Of the request under way, else 0. */
  requestId = 0;
  connection: PeerConnection | null = null;
  isOver = false;
  /** The disk is being asked for the session. */
  isFetching = false;
  /** The operation before on the same session is not over. */
  isBehind = false;
  next: Attempt | null = null;

  constructor(operation: Operation, slot: SlotCopy, startedAt: number, done: Loaded) {
    this.operation = operation;
    this.slot = slot;
    this.startedAt = startedAt;
    this.bytes = bytesOf(operation.changes);
    this.done = done;
  }

  get isLoad(): boolean {
    return this.operation.kind === RequestKind.load;
  }

  /** After so long whoever asked is told an error, and nothing is done for it any more. */
  get waitMs(): number {
    return this.isLoad ? limits.loadWaitMs : sessionLimits.commitTimeoutMs;
  }
}

export class Remote {
  readonly #context: Context;
  readonly #owner: Owner;
  readonly #refresh: () => void;
  /** All that are not over, in the order of their begin. */
  readonly #attempts: Set<Attempt> = new Set();
  readonly #sent: Map<number, Attempt> = new Map();
  /** The last one of each session. */
  readonly #tails: Map<string, Attempt> = new Map();
  /** Of all attempts. */
  #waitingBytes = 0;
  #lastId = 0;
  #isRetrying = false;

  constructor(context: Context, owner: Owner, refresh: () => void) {
    this.#context = context;
    this.#owner = owner;
    this.#refresh = refresh;
  }

  /** Whether an operation on the session has to wait for its turn here. */
  isBusy(key: string): boolean {
    return this.#tails.size > 0 && this.#tails.has(key);
  }

  /** Changes that were sent to their owner and not answered. */
  get changesUnderWay(): number {
    let count = 0;
    for (const { isLoad } of this.#sent.values()) if (!isLoad) count++;
    return count;
  }

  load(id: VerifiedId, done: Loaded): void {
    const { key } = id;
    this.#begin(id, { ...nothing, kind: RequestKind.load, key }, done);
  }

  change(id: VerifiedId, operation: Operation, done: Done): void {
    this.#begin(id, operation, done);
  }

  touch(id: VerifiedId, idleTimeoutMs: number): void {
    const slot = this.#context.slots[id.slot]!;
    const peer = this.#ownerOf(slot);
    const writer = this.#context.writerTo(peer);
    if (peer === null || writer === null) return;
    writer.request({
      ...{ ...nothing, id: 0, kind: RequestKind.touch, slot: slot.index, key: id.key, idleTimeoutMs },
      ownerClock: peer.clock,
      freshMs: sessionLimits.commitTimeoutMs,
    });
  }

  /** Something changed for the better: those that wait try again. */
  retry(): void {
    if (this.#attempts.size === 0 || this.#isRetrying) return;
    this.#isRetrying = true;
    try {
      for (const attempt of this.#attempts) if (!attempt.isBehind) this.#retryOne(attempt);
    } finally {
      // Whoever is called back may throw.
      this.#isRetrying = false;
    }
  }

  #retryOne(attempt: Attempt): void {
    // A load may be asked again of another owner; a change may not, it may have been made.
    const isMisplaced = attempt.isLoad && !this.#isWithOwner(attempt);
    if (isMisplaced && attempt.requestId !== 0) this.#unsend(attempt);
    if (attempt.requestId === 0) this.#run(attempt);
  }

  tick(): void {
    const now = this.#context.clock.now();
    for (const attempt of this.#attempts) {
      if (now - attempt.startedAt < attempt.waitMs) continue;
      const mayBeMade = attempt.requestId !== 0 && !attempt.isLoad;
      this.#finish(attempt, mayBeMade ? unknownOutcome() : unavailable(attempt.waitMs));
    }
    this.retry();
  }

  onConnectionLost(peer: Peer): void {
    for (const attempt of this.#attempts) {
      if (attempt.requestId === 0 || attempt.connection!.server !== peer.server) continue;
      if (attempt.isLoad) this.#unsend(attempt);
      else this.#finish(attempt, unknownOutcome());
    }
  }

  onReply(id: number, status: ReplyStatus, entries: SessionEntries | null, life: SessionLife | null): void {
    const attempt = this.#sent.get(id);
    if (attempt === undefined) return;
    const { kind, changes } = attempt.operation;
    switch (status) {
      case ReplyStatus.done:
        return this.#finish(attempt, null, entries, life);
      case ReplyStatus.absent: {
        const isUpdate = kind === RequestKind.update || kind === RequestKind.compareAndSet;
        return this.#finish(attempt, isUpdate ? sessionGone() : null);
      }
      case ReplyStatus.contended:
        return this.#finish(attempt, contended([...changes.keys()].join()));
      case ReplyStatus.tooLarge:
        return this.#finish(attempt, tooLarge(changes));
      case ReplyStatus.busy:
        return this.#finish(attempt, busy());
      case ReplyStatus.unknown:
        return this.#finish(attempt, unknownOutcome());
      case ReplyStatus.moved:
        // Tried again with a newer map, or at the next tick.
        this.#unsend(attempt);
        this.#refresh();
    }
  }

  /** Another server asks. */
  onRequest(peer: Peer, request: RequestMessage, isAsked: boolean = false): void {
    const { connection } = peer;
    const reply = (
      status: ReplyStatus,
      entries: SessionEntries | null = null,
      life: SessionLife | null = null,
    ): void => {
      if (request.id === 0 || peer.connection !== connection) return;
      this.#context.writerTo(peer)?.reply(request.id, status, entries, life);
    };
    const slot = this.#context.slots[request.slot];
    if (slot === undefined || !slot.isServing || this.#isLate(request)) {
      reply(ReplyStatus.moved);
      return;
    }
    if (request.kind === RequestKind.touch) {
      this.#owner.touch(slot, request.key, request.idleTimeoutMs);
      return;
    }
    if (!isAsked && this.#isCold(slot, request)) {
      const isWaiting = this.#context.disk!.fetch(slot, request.key, (outcome) => {
        if (peer.connection !== connection) return;
        if (outcome === "asked") this.onRequest(peer, request, true);
        else reply(outcome === "no room" ? ReplyStatus.busy : ReplyStatus.moved);
      });
      if (!isWaiting) reply(ReplyStatus.moved, null);
      return;
    }
    const isTaken = this.#do(slot, request, true, (error, entries, ageMs, absoluteTimeoutMs) => {
      if (error === null) reply(ReplyStatus.done, entries, { ageMs, absoluteTimeoutMs });
      else reply(statusOf(error));
    });
    if (!isTaken) reply(ReplyStatus.moved);
  }

  #begin(id: VerifiedId, operation: Operation, done: Loaded): void {
    if (this.#attempts.size >= limits.waitingMax || this.#waitingBytes >= limits.waitingBytesMax) {
      done(busy(), null, 0, 0);
      return;
    }
    const slot = this.#context.slots[id.slot]!;
    const now = this.#context.clock.now();
    const attempt = new Attempt(operation, slot, now, done);
    this.#waitingBytes += attempt.bytes;
    this.#attempts.add(attempt);
    const before = this.#tails.get(id.key);
    this.#tails.set(id.key, attempt);
    if (before !== undefined) {
      before.next = attempt;
      attempt.isBehind = true;
    } else this.#run(attempt);
  }

  /** Does it here, or sends it, or leaves it to wait. */
  #run(attempt: Attempt, isAsked: boolean = false): void {
    const { slot, operation, done } = attempt;
    if (attempt.isFetching) return;
    // Its requester is being told, and may have gone on: what it wanted must not come after what it does next.
    const left = attempt.waitMs - (this.#context.clock.now() - attempt.startedAt);
    if (left <= 0) return;
    if (slot.isServing) {
      if (!isAsked && this.#isCold(slot, operation)) {
        this.#fetch(attempt);
        return;
      }
      const isTaken = this.#do(slot, operation, false, done);
      // Its place in the order is taken: the next one need not wait for the commit.
      if (isTaken) this.#forget(attempt);
      return;
    }
    const peer = this.#ownerOf(slot);
    const writer = this.#context.writerTo(peer);
    if (peer === null || writer === null) return;
    this.#lastId = this.#lastId === 0xffff_ffff ? 1 : this.#lastId + 1;
    attempt.requestId = this.#lastId;
    attempt.connection = peer.connection;
    this.#sent.set(attempt.requestId, attempt);
    writer.request({
      ...operation,
      id: attempt.requestId,
      slot: slot.index,
      ownerClock: peer.clock,
      freshMs: left * limits.freshShare,
    });
  }

  /** Whether the disk has to be asked first: a change needs the session that it changes. */
  #isCold(slot: SlotCopy, { kind, key }: Operation): boolean {
    return kind !== RequestKind.create && this.#context.disk?.isCold(slot, key) === true;
  }

  /** The attempt keeps its place; when the disk can't be asked, it is tried again at the next tick. */
  #fetch(attempt: Attempt): void {
    attempt.isFetching = this.#context.disk!.fetch(attempt.slot, attempt.operation.key, (outcome) => {
      attempt.isFetching = false;
      if (attempt.isOver) return;
      if (outcome === "asked") this.#run(attempt, true);
      else if (outcome === "no room") this.#finish(attempt, noRoom());
    });
  }

  /** @returns false when it can't be done now: nothing was. */
  #do(slot: SlotCopy, operation: Operation, isOfOther: boolean, done: Loaded): boolean {
    const { kind, key } = operation;
    const owner = this.#owner;
    const changed: Done = (error) => done(error, null, 0, 0);
    const mayShow = owner.mayShow(slot);
    if (kind === RequestKind.load) {
      if (!mayShow) return false;
      const session = owner.find(slot, key);
      if (session === null) owner.afterPending(slot, null, changed);
      else owner.show(slot, session, done);
      return true;
    }
    if (kind === RequestKind.compareAndSet) {
      if (!mayShow) return false;
      compareAndSet(this.#context, owner, slot, operation, isOfOther, changed);
      return true;
    }
    // That a session is absent may be told only by who may show it.
    if (!mayShow && kind !== RequestKind.create && !slot.sessions.has(key)) return false;
    const { idleTimeoutMs, life, changes } = operation;
    owner.submitNow(slot, { kind: opKinds[kind]!, key, idleTimeoutMs, life, changes }, changed);
    return true;
  }

  #isLate(request: RequestMessage): boolean {
    if (!this.#context.rules.refusesLate() || request.kind === RequestKind.load) return false;
    return this.#context.clock.now() - request.ownerClock > request.freshMs;
  }

  /** The connected owner of the slot, by the map as known; null when there is none or it is this process. */
  #ownerOf(slot: SlotCopy): Peer | null {
    const owner = this.#context.map === null ? null : this.#context.entryOf(slot).owner;
    const peer = owner === null ? null : this.#context.connectedTo(owner);
    return peer !== null && peer.clock >= 0 ? peer : null;
  }

  #isWithOwner(attempt: Attempt): boolean {
    return (
      !attempt.slot.isServing && attempt.connection === (this.#ownerOf(attempt.slot)?.connection ?? null)
    );
  }

  #finish(
    attempt: Attempt,
    error: FlotillaError | null,
    entries: SessionEntries | null = null,
    life: SessionLife | null = null,
  ): void {
    if (attempt.isOver) return;
    this.#forget(attempt);
    attempt.done(error, entries, life?.ageMs ?? 0, life?.absoluteTimeoutMs ?? 0);
  }

  #forget(attempt: Attempt): void {
    attempt.isOver = true;
    this.#attempts.delete(attempt);
    this.#waitingBytes -= attempt.bytes;
    if (attempt.requestId !== 0) this.#unsend(attempt);
    // One that gave up while it was behind another leaves its place in the order to the end of that one.
    if (attempt.isBehind) return;
    let { next } = attempt;
    while (next?.isOver) next = next.next;
    if (next === null) this.#tails.delete(attempt.operation.key);
    else {
      next.isBehind = false;
      this.#run(next);
    }
  }

  #unsend(attempt: Attempt): void {
    this.#sent.delete(attempt.requestId);
    attempt.requestId = 0;
    attempt.connection = null;
  }
}

const nothing = { idleTimeoutMs: 0, life: null, changes: noEntries, expected: null };

const opKinds: { readonly [kind: number]: OpKind } = {
  [RequestKind.create]: OpKind.create,
  [RequestKind.update]: OpKind.update,
  [RequestKind.destroy]: OpKind.destroy,
};

function statusOf(error: FlotillaError): ReplyStatus {
  if (isGone(error)) return ReplyStatus.absent;
  if (isTooLarge(error)) return ReplyStatus.tooLarge;
  if (isContended(error)) return ReplyStatus.contended;
  return error.code === "FLOTILLA_SESSION_BUSY" ? ReplyStatus.busy : ReplyStatus.unknown;
}
