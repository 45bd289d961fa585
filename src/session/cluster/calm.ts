/**
 * That a slot wants no change of the register, because those who share it are well: nearly all slots, nearly always.
 * What is known of a process is looked at once and not once per slot. In doubt a slot is not calm.
 */
import type { Holder, Slot } from "../../register/slot-map.ts";
import { replication as limits } from "../../support/limits.ts";
import type { Context } from "./context.ts";
import { PeerState } from "./messages.ts";
import type { Peer } from "./peer.ts";
import { Role, type SlotCopy } from "./slot.ts";

/** Processes that were found to be well, by their incarnations. */
type Well = Map<Peer, string>;

export class Calm {
  readonly #context: Context;
  readonly #version: number;
  readonly #heard: Well = new Map();
  readonly #promised: Well = new Map();

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
        return !slot.backup.isBroken && this.#isWell(this.#heard, slot.backup.holder, isHeard);
      case Role.backup:
        return this.#isWell(this.#promised, owner, isPromised);
      default:
        if (this.#isWell(this.#heard, owner, isHeard)) return true;
        return backup !== null && this.#isWell(this.#heard, backup, isHeard);
    }
  }

  /** Whether the map and those who were well then still are; slots in themselves are not looked at. */
  get lasts(): boolean {
    if (this.#version !== this.#context.version) return false;
    return this.#areWell(this.#heard, isHeard) && this.#areWell(this.#promised, isPromised);
  }

  #isWell(known: Well, holder: Holder, isWell: typeof isHeard): boolean {
    const peer = this.#context.connectedTo(holder);
    if (peer === null) return false;
    if (known.has(peer)) return true;
    if (!isWell(this.#context, peer)) return false;
    known.set(peer, peer.incarnation);
    return true;
  }

  #areWell(known: Well, isWell: typeof isHeard): boolean {
    for (const [peer, incarnation] of known) {
      if (peer.connection === null || peer.incarnation !== incarnation) return false;
      if (!isWell(this.#context, peer)) return false;
    }
    return true;
  }
}

/** It answered us a short while ago: it is neither gone nor silent. Nor does it leave. */
function isHeard(context: Context, peer: Peer): boolean {
  if (peer.state === PeerState.leaving) return false;
  return context.clock.now() - Math.max(peer.answeredAt, context.resumedAt) <= limits.silentMs;
}

/** We promised it something a short while ago: it may not be replaced yet. */
function isPromised(context: Context, peer: Peer): boolean {
  const quietMs = context.clock.now() - Math.max(peer.promisedAt, context.resumedAt);
  return quietMs <= context.rules.promiseMs(limits.promiseMs);
}
