/** The rules of voting, and what becomes of a memory that is gone, damaged or can't be written. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import type { FlotillaError } from "../../support/errors.ts";
import { register as limits } from "../../support/limits.ts";
import { unreachable } from "../unreachable.ts";
import { Acceptor, decide, type VoteStorage } from "./acceptor.ts";
import type { VoterAnswer, VoterRequest } from "./messages.ts";
import { type Ballot, noBallot, type RegisterState, type Vote } from "./state.ts";
import { decodeVote, encodeVote } from "./vote-codec.ts";

const ballot = (counter: number, node = "n"): Ballot => ({ counter, node });
const state = (version: number, world = "w"): RegisterState => ({
  world,
  version,
  recent: [`change-${version}`],
  voters: { current: [{ name: "a", marker: "m" }], next: null },
  value: Buffer.from(`value ${version}`),
});
const prepare = (counter: number, node = "n"): VoterRequest => ({
  kind: "prepare",
  ballot: ballot(counter, node),
  have: noBallot,
});
const accept = (counter: number, marker = "m"): VoterRequest => ({
  kind: "accept",
  ballot: ballot(counter),
  marker,
  state: state(counter),
});
const blank: Vote = { marker: "m", promised: noBallot, accepted: null };

/** A disk in memory that counts its writes and can fail. */
class Disk implements VoteStorage {
  bytes: Buffer | null = null;
  writes = 0;
  failing = false;
  locked = 0;
  /** Votes wait at the lock until it is given. */
  held: (() => void)[] | null = null;

  read(done: (error: FlotillaError | null, bytes: Buffer | null) => void): void {
    done(null, this.bytes);
  }

  write(bytes: Buffer, done: (error: FlotillaError | null) => void): void {
    assert.equal(this.locked, 1, "written without the lock");
    if (this.failing) return done(unreachable("no space left on device"));
    this.writes++;
    this.bytes = bytes;
    done(null);
  }

  lock(done: (error: FlotillaError | null, unlock: () => void) => void): void {
    const give = (): void => {
      this.locked++;
      done(null, () => this.locked--);
    };
    if (this.held === null) give();
    else this.held.push(give);
  }
}

function acceptorOn(
  disk: Disk,
  onDamage: (error: FlotillaError) => void = () => assert.fail("damaged"),
): Acceptor {
  let markers = 0;
  return new Acceptor({ name: "10.0.0.1", storage: disk, newMarker: () => `marker-${++markers}`, onDamage });
}

function ask(acceptor: Acceptor, request: VoterRequest): VoterAnswer {
  let given: VoterAnswer | null = null;
  acceptor.handle(request, (error, answer) => {
    assert.equal(error, null);
    given = answer;
  });
  assert.ok(given);
  return given;
}

test("a promise: nothing below it is promised or accepted any more, and it is told what was accepted", () => {
  const promised = decide(blank, prepare(5));
  assert.equal(promised.answer.ok, true);
  assert.equal(decide(promised.vote, prepare(4)).answer.ok, false);
  assert.equal(decide(promised.vote, prepare(5, "m")).answer.ok, false, "the same counter of a lower node");
  assert.equal(decide(promised.vote, accept(4)).answer.ok, false);
  const accepted = decide(promised.vote, accept(5));
  assert.equal(accepted.answer.ok, true);
  const { answer } = decide(accepted.vote, prepare(6));
  assert.deepEqual(answer.accepted, { ballot: ballot(5), state: state(5) });
});

test("asked twice, it answers the same and writes nothing", () => {
  const promised = decide(blank, prepare(5)).vote;
  assert.equal(decide(promised, prepare(5)).vote, promised);
  const accepted = decide(promised, accept(5)).vote;
  const again = decide(accepted, accept(5));
  assert.equal(again.vote, accepted);
  assert.equal(again.answer.ok, true);
});

test("what the asker has is not sent again", () => {
  const { vote } = decide(blank, accept(5));
  const { answer } = decide(vote, { kind: "query", have: ballot(5) });
  assert.equal(answer.accepted, null);
  assert.deepEqual(answer.acceptedBallot, ballot(5));
});

test("an accept that means another memory is refused", () => {
  const { vote, answer } = decide(blank, accept(5, "another"));
  assert.equal(answer.ok, false);
  assert.equal(vote, blank);
});

test("enlisted: what is left of the making of another register is forgotten, a used one never", () => {
  const enlist: VoterRequest = { kind: "enlist", marker: "m", world: "w" };
  const voteWith = (other: RegisterState): Vote => ({
    ...blank,
    accepted: { ballot: ballot(9), state: other },
  });
  assert.equal(decide(blank, enlist).answer.ok, true);
  assert.equal(decide(voteWith(state(7)), enlist).vote.accepted?.state.version, 7);
  assert.equal(decide(voteWith(state(1, "other")), enlist).vote.accepted, null);
  const used = voteWith(state(2, "other"));
  assert.deepEqual(decide(used, enlist), {
    vote: used,
    answer: { ...decide(used, enlist).answer, ok: false },
  });
});

test("the marker is on disk before anybody hears it, and stays", () => {
  const disk = new Disk();
  const { marker } = ask(acceptorOn(disk), { kind: "query", have: noBallot });
  assert.equal(decodeVote(disk.bytes!)?.marker, marker);
  assert.equal(ask(acceptorOn(disk), prepare(1)).marker, marker);
});

test("two processes on one file are one voter", () => {
  const disk = new Disk();
  const [one, other] = [acceptorOn(disk), acceptorOn(disk)];
  const { marker } = ask(one, prepare(3));
  assert.equal(ask(other, prepare(2)).ok, false);
  const taken = ask(other, { kind: "accept", ballot: ballot(3), marker, state: state(1) });
  assert.equal(taken.ok, true);
  assert.deepEqual(ask(one, { kind: "query", have: noBallot }).acceptedBallot, ballot(3));
});

test("a damaged memory is another voter, and is told", () => {
  const disk = new Disk();
  const before = ask(acceptorOn(disk), prepare(3));
  for (const cut of [0, 1, disk.bytes!.length - 1]) {
    const whole = disk.bytes!;
    disk.bytes = whole.subarray(0, cut);
    const told: string[] = [];
    const after = ask(
      acceptorOn(disk, (error) => told.push(error.message)),
      { kind: "query", have: noBallot },
    );
    assert.deepEqual(after.promised, noBallot);
    assert.match(told.join(), /10\.0\.0\.1 has lost its memory/);
    disk.bytes = whole;
  }
  const flipped = Buffer.from(disk.bytes!);
  flipped[20]! ^= 1;
  assert.equal(decodeVote(flipped), null);
  assert.equal(before.ok, true);
});

test("the memory of a later version of Flotilla is not taken for damage", () => {
  const disk = new Disk();
  ask(acceptorOn(disk), prepare(3));
  // As encodeVote would write it with another format number: checksum and all.
  const later = laterFormat(disk.bytes!);
  disk.bytes = later;
  let told = "";
  acceptorOn(disk).handle(prepare(9), (error) => {
    told = error?.message ?? "";
  });
  assert.match(told, /has format 2; this version of Flotilla knows 1/);
  assert.equal(disk.bytes, later);
});

function laterFormat(bytes: Buffer): Buffer {
  const content = Buffer.from(bytes.subarray(0, -16));
  content[14] = 2;
  return Buffer.concat([content, createHash("sha256").update(content).digest().subarray(0, 16)]);
}

test("what can't be written is not answered, and not remembered", () => {
  const disk = new Disk();
  const acceptor = acceptorOn(disk);
  ask(acceptor, prepare(3));
  disk.failing = true;
  let failure: FlotillaError | null = null;
  acceptor.handle(prepare(9), (error, answer) => {
    failure = error;
    assert.equal(answer, null);
  });
  assert.match(failure!.message, /no space left/);
  assert.equal(disk.locked, 0);
  disk.failing = false;
  assert.equal(ask(acceptor, prepare(4)).ok, true);
});

test("votes that wait for the disk are bounded", () => {
  const disk = new Disk();
  disk.held = [];
  const acceptor = acceptorOn(disk);
  const failures: string[] = [];
  for (let i = 0; i <= limits.votesPendingMax + 1; i++)
    acceptor.handle(prepare(i + 1), (error) => error && failures.push(error.message));
  assert.equal(failures.length, 1);
  assert.match(failures[0]!, /too many votes waiting/);
});

test("a vote as bytes", () => {
  const vote: Vote = {
    marker: "m",
    promised: ballot(9, "x"),
    accepted: { ballot: ballot(8), state: state(3) },
  };
  assert.deepEqual(decodeVote(encodeVote(vote)), vote);
  assert.deepEqual(decodeVote(encodeVote(blank)), blank);
});
