/**
 * The voting half of the register (CASPaxos: Rystsov, "Replicated State Machines without Logs", 2018). All it
 * remembers is one vote on disk, and nothing is answered before what the answer promises is synced there. The lock
 * is held for one vote at a time, so that any process of the machine can serve it: one that was stopped or
 * killed holds up nobody.
 *
 * A memory that is gone or damaged is not replaced by a blank one under the same marker: the new one is
 * another voter, which proposers do not count until it has been added.
 */
import { FlotillaError } from "../../support/errors.ts";
import { register as limits } from "../../support/limits.ts";
import { unreachable } from "../unreachable.ts";
import type { VoterAnswer, VoterRequest } from "./messages.ts";
import { compareBallots, noBallot, type Vote } from "./state.ts";
import { decodeVote, encodeVote } from "./vote-codec.ts";

/** Where one voter's memory is kept, shared by the processes of one machine. */
export interface VoteStorage {
  /** The bytes as they are on disk, durable when `done` is called; null when there are none. */
  read(done: (error: FlotillaError | null, bytes: Buffer | null) => void): void;
  /** Takes the place of what is there, whole or not at all; durable when `done` is called without an error. */
  write(bytes: Buffer, done: (error: FlotillaError | null) => void): void;
  /** Keeps all others from writing until `unlock`, or until this process ends. */
  lock(done: (error: FlotillaError | null, unlock: () => void) => void): void;
}

export interface AcceptorOptions {
  /** The voter's name, for messages. */
  readonly name: string;
  readonly storage: VoteStorage;
  /** A marker that was never used before. */
  readonly newMarker: () => string;
  /** Told when the memory was found damaged, and that it has been replaced. */
  readonly onDamage: (error: FlotillaError) => void;
}

export type AnswerDone = (error: FlotillaError | null, answer: VoterAnswer | null) => void;

interface Pending {
  readonly request: VoterRequest;
  readonly done: AnswerDone;
}

export class Acceptor {
  readonly #options: AcceptorOptions;
  readonly #pending: Pending[] = [];
  #busy = false;
  /** The last bytes that were read or written, and what they say: most votes find them unchanged. */
  #bytes: Buffer | null = null;
  #vote: Vote | null = null;

  constructor(options: AcceptorOptions) {
    this.#options = options;
  }

  /** An error means no answer was given: the vote may or may not be on disk. */
  handle(request: VoterRequest, done: AnswerDone): void {
    if (this.#pending.length >= limits.votesPendingMax) {
      done(unreachable(`the voter ${this.#options.name} has too many votes waiting for its disk`), null);
      return;
    }
    this.#pending.push({ request, done });
    if (!this.#busy) this.#next();
  }

  #next(): void {
    const pending = this.#pending.shift();
    this.#busy = pending !== undefined;
    if (pending === undefined) return;
    const finish: AnswerDone = (error, answer) => {
      pending.done(error, answer);
      this.#next();
    };
    if (pending.request.kind === "query") this.#query(pending.request, finish);
    else this.#change(pending.request, finish);
  }

  #query(request: VoterRequest, finish: AnswerDone): void {
    this.#options.storage.read((error, bytes) => {
      if (error !== null) return finish(error, null);
      const { vote, unknown } = this.#decode(bytes);
      if (unknown !== null) return finish(unknown, null);
      // A new memory has to be written, under the lock, before its marker is told to anybody.
      if (vote === null) this.#change(request, finish);
      else finish(null, decide(vote, request).answer);
    });
  }

  #change(request: VoterRequest, finish: AnswerDone): void {
    const { storage } = this.#options;
    storage.lock((lockError, unlock) => {
      if (lockError !== null) return finish(lockError, null);
      const end: AnswerDone = (error, answer) => {
        unlock();
        finish(error, answer);
      };
      storage.read((readError, bytes) => {
        if (readError !== null) return end(readError, null);
        const { vote: found, unknown } = this.#decode(bytes);
        if (unknown !== null) return end(unknown, null);
        const { vote, answer } = decide(found ?? this.#blank(bytes), request);
        if (vote === found) return end(null, answer);
        const written = encodeVote(vote);
        storage.write(written, (writeError) => {
          if (writeError !== null) return end(writeError, null);
          this.#bytes = written;
          this.#vote = vote;
          end(null, answer);
        });
      });
    });
  }

  /** No vote: there is no memory, or none that can be trusted. `unknown`: another version of Flotilla can read it. */
  #decode(bytes: Buffer | null): { vote: Vote | null; unknown: FlotillaError | null } {
    if (bytes === null) return { vote: null, unknown: null };
    if (this.#bytes?.equals(bytes)) return { vote: this.#vote, unknown: null };
    try {
      this.#vote = decodeVote(bytes);
      this.#bytes = bytes;
      return { vote: this.#vote, unknown: null };
    } catch (thrown) {
      if (!(thrown instanceof FlotillaError)) throw thrown;
      return { vote: null, unknown: thrown };
    }
  }

  #blank(found: Buffer | null): Vote {
    const { name, newMarker, onDamage } = this.#options;
    if (found !== null) {
      const lost = "its file is damaged and is replaced; it votes again once it has been added anew";
      onDamage(unreachable(`the voter ${name} has lost its memory: ${lost}`));
    }
    return { marker: newMarker(), promised: noBallot, accepted: null };
  }
}

/** The rules of voting: the memory after a request, the same object when nothing changed, and the answer. */
export function decide(
  vote: Vote,
  request: VoterRequest,
): { readonly vote: Vote; readonly answer: VoterAnswer } {
  switch (request.kind) {
    case "query":
      return { vote, answer: answerOf(vote, true, request.have) };
    case "prepare": {
      const higher = compareBallots(request.ballot, vote.promised);
      if (higher < 0) return { vote, answer: answerOf(vote, false, request.have) };
      const promised = higher === 0 ? vote : { ...vote, promised: request.ballot };
      return { vote: promised, answer: answerOf(promised, true, request.have) };
    }
    case "accept": {
      const { ballot, state, marker } = request;
      const allowed = marker === vote.marker && compareBallots(ballot, vote.promised) >= 0;
      if (!allowed) return { vote, answer: answerOf(vote, false, noBallot, false) };
      const again = vote.accepted !== null && compareBallots(ballot, vote.accepted.ballot) === 0;
      const accepted = again ? vote : { marker, promised: ballot, accepted: { ballot, state } };
      return { vote: accepted, answer: answerOf(accepted, true, ballot) };
    }
    case "enlist": {
      const state = vote.accepted?.state;
      const ours = state === undefined || state.world === request.world;
      // Version 1 holds nothing but the file's letters. Any later version is a register that somebody used.
      const ok = request.marker === vote.marker && (ours || state.version === 1);
      const enlisted = ok && !ours ? { ...vote, accepted: null } : vote;
      return { vote: enlisted, answer: answerOf(enlisted, ok, noBallot, false) };
    }
  }
}

function answerOf(vote: Vote, ok: boolean, have: VoterAnswer["promised"], withState = true): VoterAnswer {
  const { marker, promised, accepted } = vote;
  const acceptedBallot = accepted?.ballot ?? noBallot;
  const known = !withState || compareBallots(acceptedBallot, have) === 0;
  return { ok, marker, promised, acceptedBallot, accepted: known ? null : accepted };
}
