/**
 * Decisions on which safety rests, each a function, in one place. Docs: docs/decisions/session-protocol.md.
 * The core asks them; the simulation replaces one at a time by what it must not be, and has to notice.
 */
import { type Holder, sameHolder } from "../../register/slot-map.ts";
import type { SessionEntries } from "../entry.ts";
import type { KeptSession } from "../table/kept-session.ts";
import type { SlotSessions } from "../table/slot-sessions.ts";
import type { Lease } from "./lease.ts";
import { Role, type SlotCopy } from "./slot.ts";

/** A copy's place in its slot's history. */
export interface CopyPlace {
  readonly epoch: number;
  readonly pos: number;
}

export interface Rules {
  /** Whether a holder named in the map is this very process: a restarted one is another. */
  isSelf(holder: Holder | null, self: Holder): boolean;
  /** Whether a backup takes an op of that epoch. */
  accepts(copy: SlotCopy, epoch: number): boolean;
  /** Under which lease the owner serves. @param given what its backup or the register gives. */
  leaseOf(given: Lease): Lease;
  /** Whether an op waits for the backup of the map that is in force, while another map without it is proposed. */
  waitsForOld(copy: SlotCopy): boolean;
  /** Whether a commit rests on fresh knowledge of the register. @param isAlone no backup answers for it. */
  needsRegister(isAlone: boolean): boolean;
  /** Whether a change is told to its requester at submission instead of at commit. */
  acknowledgesEarly(): boolean;
  /** What a load may show. */
  visible(session: KeptSession): SessionEntries | null;
  /** Whether this role, of a copy that is whole, may take over. */
  mayTakeOver(copy: SlotCopy): boolean;
  /** Whether a change waits for a joining server that has all of the copy and is not named yet. */
  waitsForNew(): boolean;
  /** Whether a copy under way may be named as backup. */
  mayName(isComplete: boolean, ackedPos: number, committedPos: number): boolean;
  /** Whether a change of an absent session makes one. */
  createsAbsent(): boolean;
  /** What a new copy begins with. */
  copyBegins(old: SlotSessions, empty: SlotSessions): SlotSessions;
  /** Of the copies that are left of a slot: whether the first is to be used rather than the second. */
  isNewer(one: CopyPlace, other: CopyPlace): boolean;
  /** Whether an owner counts a promise. @param takenVersion the map in which its giver last took slots over from the owner. */
  countsPromise(takenVersion: number, knownVersion: number): boolean;
  /** Whether a copy that an earlier process saved may count. @param isNamed the register still names that very process. */
  takesSaved(isNamed: boolean): boolean;
  /** How long a backup that promised on a heartbeat keeps still. */
  promiseMs(promiseMs: number): number;
  /** Whether a key is as an update that rests on it expects. @param now its text with all changes under way; null: absent. */
  matches(now: string | null, expected: string | null): boolean;
  /** Up to which position a server with a disk answers for its copy. @param isWell the disk can be written. */
  answeredPos(syncedPos: number, pos: number, isWell: boolean): number;
  /** Up to which position the disks of a pair allow to commit. @param theirs what the backup's has; -1: there is none. */
  durablePos(own: number, isWell: boolean, theirs: number): number;
  /** Up to which position the copy on a disk counts when that is found to be damaged. @param syncedPos before. */
  lostPos(syncedPos: number): number;
  /** Whether what was offered of a disk that is damaged is taken back before the disk is begun anew. */
  withdraws(): boolean;
  /** Whether a copy's place is written only with all changes up to it. */
  placeWaits(): boolean;
  /** Whether a session that is not in memory is looked for on disk before it is told to be absent. */
  asksDisk(): boolean;
  /** Whether one that is over is remembered until the disk was given that. */
  keepsTombstones(): boolean;
  /** Whether a session may leave memory. @param isSynced the disk has it as it is. */
  mayLeave(isSynced: boolean): boolean;
  /** Whether a new owner shows nothing before its disk has what it took over. */
  waitsToShow(): boolean;
  /**
   * Of copies that were found on disks: whether the best one is known to have all that was acknowledged.
   * @param haveAllCome the copies of all that the register names with the owner. @param hasCaughtUp the owner's had all that it took over.
   */
  isWhole(haveAllCome: boolean, hasCaughtUp: boolean): boolean;
  /** Whether the disk of an owner without a backup has all. @param copyEpoch that it knows. @param epoch the register's. */
  knowsItIsAlone(copyEpoch: number, epoch: number): boolean;
  /** Whether a change that was under way for longer than it may be is refused. */
  refusesLate(): boolean;
}

export const protocolRules: Rules = {
  isSelf: sameHolder,
  accepts: (copy, epoch) => copy.role === Role.backup && copy.epoch === epoch,
  leaseOf: (given) => given,
  waitsForOld: () => true,
  needsRegister: () => true,
  acknowledgesEarly: () => false,
  visible: (session) => session.entries,
  mayTakeOver: (copy) => copy.role === Role.backup,
  waitsForNew: () => true,
  mayName: (isComplete, ackedPos, committedPos) => isComplete && ackedPos >= committedPos,
  createsAbsent: () => false,
  copyBegins: (_old, empty) => empty,
  isNewer: (one, other) => one.epoch > other.epoch || (one.epoch === other.epoch && one.pos > other.pos),
  countsPromise: (takenVersion, knownVersion) => takenVersion <= knownVersion,
  takesSaved: (isNamed) => isNamed,
  promiseMs: (promiseMs) => promiseMs,
  matches: (now, expected) => now === expected,
  answeredPos: (syncedPos, pos, isWell) => (isWell ? syncedPos : pos),
  durablePos: (own, isWell, theirs) => (isWell ? own : Math.max(own, theirs)),
  lostPos: () => -1,
  withdraws: () => true,
  placeWaits: () => true,
  asksDisk: () => true,
  keepsTombstones: () => true,
  mayLeave: (isSynced) => isSynced,
  waitsToShow: () => true,
  isWhole: (haveAllCome, hasCaughtUp) => haveAllCome && hasCaughtUp,
  knowsItIsAlone: (copyEpoch, epoch) => copyEpoch >= epoch,
  refusesLate: () => true,
};
