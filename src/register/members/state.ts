/**
 * What voters keep and tell: ballots, states of the register and votes, with their forms as bytes.
 *
 * A state carries its version and the ids of the changes that made it and those before it, so that whoever lost the
 * answer to a compare-and-set finds later whether it is part of the chain.
 */
import { register as limits } from "../../support/limits.ts";
import { type ByteReader, ByteWriter } from "../bytes.ts";
import { recentAfter } from "../recent.ts";
import type { Voter, VoterSet } from "./voters.ts";

/** Orders proposals. No two proposals have the same: the node names one start of one process. */
export interface Ballot {
  readonly counter: number;
  readonly node: string;
}

export interface RegisterState {
  /** Of the whole register, made with its first version: another register's state is never taken for this one's. */
  readonly world: string;
  readonly version: number;
  /** Ids of the latest changes, the one that made this version last; at most `limits.recentMax`. */
  readonly recent: readonly string[];
  readonly voters: VoterSet;
  readonly value: Buffer;
}

/** A state that a voter has accepted. Committed once enough voters have. */
export interface Accepted {
  readonly ballot: Ballot;
  readonly state: RegisterState;
}

/** All that a voter remembers. */
export interface Vote {
  /** Made with the memory itself: a voter that lost it is another voter. */
  readonly marker: string;
  /** The highest ballot that it answered; it accepts none below. */
  readonly promised: Ballot;
  readonly accepted: Accepted | null;
}

export const noBallot: Ballot = Object.freeze({ counter: 0, node: "" });

/** Below 0: `one` is lower. */
export function compareBallots(one: Ballot, other: Ballot): number {
  if (one.counter !== other.counter) return one.counter - other.counter;
  if (one.node === other.node) return 0;
  return one.node < other.node ? -1 : 1;
}

/** The one with the higher ballot. */
export function higher(one: Accepted | null, other: Accepted): Accepted {
  return one === null || compareBallots(other.ballot, one.ballot) > 0 ? other : one;
}

/** The state that follows, made by `change`. */
export function successor(
  state: RegisterState,
  change: string,
  next: { readonly value?: Buffer; readonly voters?: VoterSet },
): RegisterState {
  return {
    world: state.world,
    version: state.version + 1,
    recent: recentAfter(state, change),
    voters: next.voters ?? state.voters,
    value: next.value ?? state.value,
  };
}

export function writeBallot(out: ByteWriter, ballot: Ballot): void {
  out.number(ballot.counter);
  out.text(ballot.node);
}

export function readBallot(input: ByteReader): Ballot {
  return { counter: input.number(), node: input.text(limits.nameBytesMax) };
}

/** One state goes to several voters and files: it is encoded once. */
const encodedStates = new WeakMap<RegisterState, Buffer>();

export function encodeState(state: RegisterState): Buffer {
  const known = encodedStates.get(state);
  if (known !== undefined) return known;
  const out = new ByteWriter();
  out.text(state.world);
  out.number(state.version);
  out.number(state.recent.length);
  for (const change of state.recent) out.text(change);
  writeVoters(out, state.voters.current);
  writeVoters(out, state.voters.next ?? []);
  out.bytes(state.value);
  const bytes = out.result();
  encodedStates.set(state, bytes);
  return bytes;
}

export function readState(input: ByteReader): RegisterState {
  const world = input.text(limits.nameBytesMax);
  const version = input.number();
  const recent: string[] = [];
  const count = input.number(limits.recentMax);
  for (let i = 0; i < count; i++) recent.push(input.text(limits.nameBytesMax));
  if (version === 0 || count === 0 || count > version)
    input.fail(`has ${count} changes up to version ${version}`);
  const current = readVoters(input);
  if (current.length === 0) input.fail("has no voters");
  const next = readVoters(input);
  const value = input.bytes(limits.valueBytesMax);
  return { world, version, recent, voters: { current, next: next.length === 0 ? null : next }, value };
}

function writeVoters(out: ByteWriter, voters: readonly Voter[]): void {
  out.number(voters.length);
  for (const { name, marker } of voters) {
    out.text(name);
    out.text(marker);
  }
}

function readVoters(input: ByteReader): Voter[] {
  const voters: Voter[] = [];
  const count = input.number(limits.votersMax);
  for (let i = 0; i < count; i++) {
    const name = input.text(limits.nameBytesMax);
    if (voters.some((voter) => voter.name === name)) input.fail(`has the voter ${name} twice`);
    voters.push({ name, marker: input.text(limits.nameBytesMax) });
  }
  return voters;
}
