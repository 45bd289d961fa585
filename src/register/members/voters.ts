/**
 * Who votes, and how many votes decide. Voters are machines, one vote per address, and they stay voters while they
 * are down: a set that shrank to who is alive would let two halves decide on their own.
 *
 * With one or two voters there is no majority that stands the loss of one, and availability wins: of two, the one that
 * answers decides alone when the other can't be reached. A cut between the two can then make two chains. When they
 * meet again the one with the higher ballot goes on under a higher version than either, and the other's changes are lost.
 */
import { register as limits } from "../../support/limits.ts";

export interface Voter {
  /** Its address, or the witness's name. */
  readonly name: string;
  /** Of its memory; "" while it has not been seen yet: then it has no vote. `anyMarker` only before the first version. */
  readonly marker: string;
}

export interface VoterSet {
  readonly current: readonly Voter[];
  /** While the set is changed: both sets must agree. Else null. */
  readonly next: readonly Voter[] | null;
}

/** Before the first version nobody knows the markers: whoever answers under the name is meant. */
export const anyMarker = "*";

/** The voters of the file, before the first version. */
export function anyOf(names: readonly string[]): VoterSet {
  return { current: names.map((name) => ({ name, marker: anyMarker })), next: null };
}

export type Standing =
  | "yes"
  /** It answered, and knows a higher ballot. */
  | "refused"
  /** No answer so far, for longer than a healthy voter takes. */
  | "late"
  | "waiting"
  /** It can't be reached, can't vote, or is not the voter that is meant. */
  | "lost";

export type Verdict = "yes" | "no" | "open";

/** Whether the votes suffice, under both sets while the set is changed. */
export function tally(set: VoterSet, standingOf: (voter: Voter) => Standing): Verdict {
  const current = tallyPart(set.current, standingOf);
  if (set.next === null || current === "no") return current;
  const next = tallyPart(set.next, standingOf);
  if (next === "no") return "no";
  return current === "yes" && next === "yes" ? "yes" : "open";
}

function tallyPart(voters: readonly Voter[], standingOf: (voter: Voter) => Standing): Verdict {
  let [yes, refused, late, waiting] = [0, 0, 0, 0];
  for (const voter of voters) {
    const standing = voter.marker === "" ? "lost" : standingOf(voter);
    if (standing === "yes") yes++;
    else if (standing === "refused") refused++;
    else if (standing === "late") late++;
    else if (standing === "waiting") waiting++;
  }
  if (voters.length === 2) return tallyPair(yes, refused, late, waiting);
  const majority = Math.floor(voters.length / 2) + 1;
  if (yes >= majority) return "yes";
  return yes + late + waiting >= majority ? "open" : "no";
}

/** Both, or the one that answers when the other is lost or late. */
function tallyPair(yes: number, refused: number, late: number, waiting: number): Verdict {
  if (refused > 0) return "no";
  if (waiting > 0) return "open";
  if (yes > 0) return "yes";
  return late > 0 ? "open" : "no";
}

/** Two chains are possible in a set of two; see above. */
export function canFork(set: VoterSet): boolean {
  return set.current.length === 2 || set.next?.length === 2;
}

export function votersOf(set: VoterSet): readonly Voter[] {
  return set.next === null ? set.current : [...set.current, ...set.next];
}

export function namesOf(set: VoterSet): Set<string> {
  return new Set(votersOf(set).map(({ name }) => name));
}

export function sameVoters(one: readonly Voter[], other: readonly Voter[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ name, marker }, at) => name === other[at]!.name && marker === other[at]!.marker)
  );
}

/** @returns true when the set names this voter with this memory. */
export function hasVoter(set: VoterSet, name: string, marker: string): boolean {
  return votersOf(set).some(
    (voter) =>
      voter.name === name && voter.marker !== "" && (voter.marker === anyMarker || voter.marker === marker),
  );
}

/**
 * The voters by the file: an odd number, since an even one stands no more failures than the odd one below it.
 * @param addresses of all machines, those of app servers first; the same on every machine.
 * @param witness a process that only votes, or null.
 */
export function chooseVoters(addresses: readonly string[], witness: string | null): string[] {
  const distinct = [...new Set(addresses)];
  if (witness !== null) return [...distinct.slice(0, 2), witness];
  if (distinct.length <= 2) return distinct;
  return distinct.slice(0, distinct.length < limits.votersMax ? 3 : limits.votersMax);
}
