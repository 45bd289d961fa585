/** Broken protocols, each by one decision. The simulation must catch every one of them, or it proves nothing. */
import { Lease } from "../../../src/session/cluster/lease.ts";
import { protocolRules, type Rules } from "../../../src/session/cluster/rules.ts";
import { Role } from "../../../src/session/cluster/slot.ts";
import type { App } from "./simulation.ts";

const eternal = new Lease();
eternal.extend(Number.POSITIVE_INFINITY);
const never = new Lease();

export interface Mutant {
  readonly rules?: Partial<Rules>;
  /** Done to each server every now and then. */
  readonly meddle?: (app: App) => void;
  readonly hidesLosses?: boolean;
  /** Of two voters one decides without waiting for the other. */
  readonly isImpatient?: boolean;
  /** Servers have disks. */
  readonly hasDisks?: true;
  /** The seed to begin with, for one that few notice. */
  readonly from?: number;
  /** The sites in which it can be noticed. */
  readonly pair?: "uncut";
}

export const mutants: { readonly [name: string]: Mutant } = {
  "a backup takes ops of an old epoch": { rules: { accepts: (copy) => copy.role !== Role.nobody } },
  "an owner serves without a lease": {
    rules: { leaseOf: (given) => (given.until === never.until ? given : eternal) },
  },
  "committed before the register's answer": { rules: { waitsForOld: () => false } },
  "a pair commits without the register": { rules: { needsRegister: (isAlone) => isAlone } },
  "a joining server is promoted": {
    rules: { mayTakeOver: ({ role }) => role === Role.backup || role === Role.joining },
  },
  "a copy under way is named": { rules: { mayName: () => true } },
  "a copy is named without what was committed meanwhile": {
    rules: { waitsForNew: () => false, mayName: (isComplete) => isComplete },
  },
  "a restarted process resumes its role": {
    rules: { isSelf: (holder, self) => holder?.server === self.server },
  },
  "a new copy is merged into the old one": { rules: { copyBegins: (old) => old } },
  "an update creates": { rules: { createsAbsent: () => true } },
  "a backup expires": { meddle: expireBackups },
  "a load shows what is not committed": { rules: { visible: (session) => session.tip } },
  "the head is not held": { rules: { acknowledgesEarly: () => true } },
  "a backup does not keep its promise": { rules: { promiseMs: (promiseMs) => promiseMs / 4 } },
  "a promise counts whatever its giver has taken since": { rules: { countsPromise: () => true } },
  "an update does not compare": { rules: { matches: () => true } },
  "the oldest of saved copies is used": {
    rules: { isNewer: (one, other) => protocolRules.isNewer(other, one) },
  },
  "a saved copy counts whoever saved it": { rules: { takesSaved: () => true } },
  "a loss is not told": { hidesLosses: true },
  "one of two voters does not wait for the other": { isImpatient: true, pair: "uncut" },
  "a late change is taken": { rules: { refusesLate: () => false } },
  "committed before any disk has synced": {
    hasDisks: true,
    rules: { durablePos: () => Number.POSITIVE_INFINITY, answeredPos: (_synced, pos) => pos },
  },
  "committed without a disk while one's own is full": {
    hasDisks: true,
    rules: {
      durablePos: (own, isWell) => (isWell ? own : Number.POSITIVE_INFINITY),
    },
  },
  "what a damaged disk had counts": {
    hasDisks: true,
    from: 2_400,
    rules: { lostPos: (syncedPos) => syncedPos },
  },
  "an offer of what a damaged disk had stands": {
    hasDisks: true,
    from: 1_780,
    rules: { withdraws: () => false },
  },
  "a place is written before its changes": { hasDisks: true, from: 170, rules: { placeWaits: () => false } },
  "absent is told before the disk was asked": { hasDisks: true, rules: { asksDisk: () => false } },
  "a session that is over is forgotten before the disk has it": {
    hasDisks: true,
    rules: { keepsTombstones: () => false },
  },
  "a session leaves memory before the disk has it": {
    hasDisks: true,
    from: 40,
    rules: { mayLeave: () => true },
  },
  "a new owner shows what no disk has": { hasDisks: true, from: 2_380, rules: { waitsToShow: () => false } },
  "an old copy on disk is used as whole": { hasDisks: true, rules: { isWhole: () => true } },
  "an owner's disk counts alone whatever it knows": {
    hasDisks: true,
    from: 1_110,
    rules: { knowsItIsAlone: () => true },
  },
  "the oldest of copies on disks is used": {
    hasDisks: true,
    rules: { isNewer: (one, other) => protocolRules.isNewer(other, one) },
  },
};

function expireBackups({ node, process }: App): void {
  const now = process.clock.now();
  for (const { role, sessions } of node.context.slots) {
    if (role !== Role.backup) continue;
    for (const session of sessions.values()) if (session.isExpired(now)) sessions.delete(session.key);
  }
}
