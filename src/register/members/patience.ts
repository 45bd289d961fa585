/**
 * Voters that were waited for in vain a moment ago: they are asked as the others are, but not waited for again until they
 * answer. Or each step of each change would wait anew for a voter that stands still.
 */
import type { Clock } from "../../support/clock.ts";
import { register as limits } from "../../support/limits.ts";
import type { AnswerDone } from "./acceptor.ts";
import type { VoterRequest } from "./messages.ts";

/** Carries questions to voters. Answers may come late, twice or never; one question may arrive twice. */
export interface VoterTransport {
  send(voter: string, request: VoterRequest, done: AnswerDone): void;
}

export class Patience implements VoterTransport {
  readonly #transport: VoterTransport;
  readonly #clock: Clock;
  readonly #missedAt: Map<string, number> = new Map();

  constructor(transport: VoterTransport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  send(voter: string, request: VoterRequest, done: AnswerDone): void {
    this.#transport.send(voter, request, (error, answer) => {
      if (answer !== null) this.#missedAt.delete(voter);
      done(error, answer);
    });
  }

  /** It did not answer in time. */
  missed(voter: string): void {
    this.#missedAt.set(voter, this.#clock.now());
  }

  isSilent(voter: string): boolean {
    const missedAt = this.#missedAt.get(voter);
    return missedAt !== undefined && this.#clock.now() - missedAt < limits.silentVoterMs;
  }
}
