/**
 * The middleware's store of sessions on two servers. The owner of a session answers from memory: two comparisons
 * (its leases), one look-up. All other cases are `remote.ts`. An idle timeout that is no time ends here: a backup that is
 * sent one takes the frame for a mistake of the link, and closes it, again and again.
 */
import type { Random } from "../../support/clock.ts";
import { noEntries, type SessionChanges } from "../entry.ts";
import type { Letter, SessionIds, VerifiedId } from "../id.ts";
import type { SessionLife } from "../snapshot.ts";
import {
  checkedIdleTimeoutMs,
  type Done,
  type Expected,
  type Loaded,
  noIdleTimeout,
  type SessionStore,
} from "../store.ts";
import { compareAndSet } from "./compare-and-set.ts";
import { OpKind, RequestKind } from "./messages.ts";
import type { SessionNode } from "./node.ts";
import { Role, type SlotCopy } from "./slot.ts";

/** How a server is written in ids. */
export interface ServerMark {
  readonly letter: Letter;
  readonly processIndex: number;
}

export interface ClusterStoreOptions {
  readonly node: SessionNode;
  readonly ids: Pick<SessionIds, "create" | "verify" | "reissue">;
  /** By the server's name. */
  readonly marks: ReadonlyMap<string, ServerMark>;
  readonly random: Random;
}

export class ClusterStore implements SessionStore {
  readonly #node: SessionNode;
  readonly #ids: Pick<SessionIds, "create" | "verify" | "reissue">;
  readonly #marks: ReadonlyMap<string, ServerMark>;
  readonly #random: Random;
  #served: SlotCopy[] = [];
  #servedVersion = -1;

  constructor({ node, ids, marks, random }: ClusterStoreOptions) {
    this.#node = node;
    this.#ids = ids;
    this.#marks = marks;
    this.#random = random;
  }

  /** Of the slots that this process owns. */
  get count(): number {
    let count = 0;
    for (const { role, sessions } of this.#node.context.slots) {
      if (role === Role.owner) count += sessions.size;
    }
    return count;
  }

  newId(): VerifiedId {
    const { context } = this.#node;
    if (this.#servedVersion !== context.version) {
      this.#servedVersion = context.version;
      this.#served = context.slots.filter(({ role }) => role === Role.owner);
    }
    const among = this.#served.length > 0 ? this.#served : context.slots;
    const slot = among[Math.floor(this.#random() * among.length)]!;
    const entry = context.map === null ? null : context.entryOf(slot);
    const owner = this.#marks.get(entry?.owner?.server ?? "") ?? this.#marks.get(context.self.server)!;
    const backup = this.#marks.get(entry?.backup?.server ?? "")?.letter ?? "-";
    return this.#ids.verify(this.#ids.create(owner.letter, backup, slot.index, owner.processIndex))!;
  }

  renewed(id: VerifiedId): VerifiedId | null {
    const { context } = this.#node;
    if (context.map === null) return null;
    const { owner, backup } = context.entryOf(context.slots[id.slot]!);
    const mark = this.#marks.get(owner?.server ?? "");
    const ownerLetter = mark?.letter ?? id.owner;
    const processIndex = mark?.processIndex ?? id.processIndex;
    // While a slot has no backup the old letter does no harm, and the new one will be known soon.
    const backupLetter =
      this.#marks.get(backup?.server ?? "")?.letter ?? (id.backup === ownerLetter ? "-" : id.backup);
    if (ownerLetter === id.owner && backupLetter === id.backup && processIndex === id.processIndex)
      return null;
    return this.#ids.reissue(id, ownerLetter, backupLetter, processIndex);
  }

  load(id: VerifiedId, done: Loaded): void {
    const { owner, remote, context } = this.#node;
    const slot = context.slots[id.slot]!;
    const now = context.clock.now();
    if (!owner.mayShow(slot, now) || remote.isBusy(id.key)) {
      remote.load(id, done);
      return;
    }
    const session = owner.find(slot, id.key, now);
    if (session === null) {
      if (context.disk?.isCold(slot, id.key)) remote.load(id, done);
      else owner.afterPending(slot, null, (error) => done(error, null, 0, 0));
      return;
    }
    owner.show(slot, session, done, now);
  }

  create(
    id: VerifiedId,
    changes: SessionChanges,
    idleTimeoutMs: number,
    life: SessionLife,
    done: Done,
  ): void {
    this.#change(OpKind.create, id, changes, idleTimeoutMs, life, done);
  }

  update(id: VerifiedId, changes: SessionChanges, idleTimeoutMs: number, done: Done): void {
    this.#change(OpKind.update, id, changes, idleTimeoutMs, null, done);
  }

  destroy(id: VerifiedId, done: Done): void {
    this.#change(OpKind.destroy, id, noEntries, 0, null, done);
  }

  compareAndSet(
    id: VerifiedId,
    changes: SessionChanges,
    expected: Expected,
    idleTimeoutMs: number,
    done: Done,
  ): void {
    const { owner, remote, context } = this.#node;
    const slot = context.slots[id.slot]!;
    const { key } = id;
    const timeoutMs = checkedIdleTimeoutMs(idleTimeoutMs);
    if (timeoutMs === null) return done(noIdleTimeout(idleTimeoutMs));
    const kind = RequestKind.compareAndSet;
    const operation = { kind, key, changes, idleTimeoutMs: timeoutMs, life: null, expected };
    if (owner.mayShow(slot) && !remote.isBusy(key) && !context.disk?.isCold(slot, key))
      compareAndSet(context, owner, slot, operation, false, done);
    else remote.change(id, operation, done);
  }

  touch(id: VerifiedId, idleTimeoutMs: number, isRecent: boolean): void {
    const { owner, remote, context } = this.#node;
    const timeoutMs = checkedIdleTimeoutMs(idleTimeoutMs);
    if (timeoutMs === null) return;
    const slot = context.slots[id.slot]!;
    if (!slot.isServing) {
      if (!isRecent) remote.touch(id, timeoutMs);
      return;
    }
    owner.touch(slot, id.key, timeoutMs);
  }

  #change(
    kind: typeof OpKind.create | typeof OpKind.update | typeof OpKind.destroy,
    id: VerifiedId,
    changes: SessionChanges,
    idleTimeoutMs: number,
    life: SessionLife | null,
    done: Done,
  ): void {
    const timeoutMs = kind === OpKind.destroy ? 0 : checkedIdleTimeoutMs(idleTimeoutMs);
    if (timeoutMs === null) return done(noIdleTimeout(idleTimeoutMs));
    const { owner, remote, context } = this.#node;
    const slot = context.slots[id.slot]!;
    const { key } = id;
    const isCold = kind !== OpKind.create && context.disk?.isCold(slot, key) === true;
    if (owner.mayShow(slot) && !remote.isBusy(key) && !isCold)
      owner.submit(slot, { kind, key, idleTimeoutMs: timeoutMs, life, changes }, done);
    else {
      const operation = { key, idleTimeoutMs: timeoutMs, life, changes, expected: null };
      remote.change(id, { ...operation, kind: requestKinds[kind] }, done);
    }
  }
}

const requestKinds = {
  [OpKind.create]: RequestKind.create,
  [OpKind.update]: RequestKind.update,
  [OpKind.destroy]: RequestKind.destroy,
} as const;
