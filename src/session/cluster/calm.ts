/**
 * That a slot wants no change of the register, because those who share it are well: nearly all slots, nearly always.
 * What is known of a process is looked at once and not once per slot. In doubt a slot is not calm.
 */
import type { Holder, Slot } from "../../register/slot-map.ts";
import { replication as limits } from "../../support/limits.ts";
import type { Context } from "./context.ts";
import { PeerState } from "./messages.ts";
import { Role, type SlotCopy } from "./slot.ts";

export class Calm {
  readonly #context: Context;
  readonly #version: number;
  /** Processes that were asked about, and the answer. */
  readonly #heard: Map<Holder, boolean> = new Map();
  readonly #promised: Map<Holder, boolean> = new Map();

  constructor(context: Context) {
    this.#context = context;
    this.#version = context.version;
  }

  has(slot: SlotCopy, { owner, backup }: Slot): boolean {
    if (owner === null) return false;
    switch (slot.role) {
      case Role.owner:
        if (slot.isChallenged || slot.isStopping || slot.joining !== null || slot.backup === null)
          return false;
        return !slot.backup.isBroken && this.#isHeard(slot.backup.holder);
      case Role.backup:
        return this.#isPromised(owner);
      default:
        return this.#isHeard(owner) || (backup !== null && this.#isHeard(backup));
    }
  }

  /** Whether the map and those who were well then still are; slots in themselves are not looked at. */
  get lasts(): boolean {
    if (this.#version !== this.#context.version) return false;
    for (const [holder, was] of this.#heard) if (was && !isHeard(this.#context, holder)) return false;
    for (const [holder, was] of this.#promised) if (was && !isPromised(this.#context, holder)) return false;
    return true;
  }

  #isHeard(holder: Holder): boolean {
    const known = this.#heard.get(holder);
    if (known !== undefined) return known;
    const heard = isHeard(this.#context, holder);
    this.#heard.set(holder, heard);
    return heard;
  }

  #isPromised(holder: Holder): boolean {
    const known = this.#promised.get(holder);
    if (known !== undefined) return known;
    const promised = isPromised(this.#context, holder);
    this.#promised.set(holder, promised);
    return promised;
  }
}

/** It answered us a short while ago: it is neither gone nor silent. Nor does it leave. */
function isHeard(context: Context, holder: Holder): boolean {
  const peer = context.connectedTo(holder);
  if (peer === null || peer.state === PeerState.leaving) return false;
  return context.clock.now() - Math.max(peer.answeredAt, context.resumedAt) <= limits.silentMs;
}

/** We answered it a short while ago: it may not be replaced yet. */
function isPromised(context: Context, holder: Holder): boolean {
  const peer = context.connectedTo(holder);
  if (peer === null) return false;
  const quietMs = context.clock.now() - Math.max(peer.promisedAt, context.resumedAt);
  return quietMs <= context.rules.promiseMs(limits.promiseMs);
}
