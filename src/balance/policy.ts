/** How the next server is chosen among those that can take a request. One small file per policy. */

/** What a policy sees of a server. */
export interface Candidate {
  /** Stays the same over restarts and changes of the file. */
  readonly name: string;
  /** Takes a request now. */
  readonly usable: boolean;
  /** Its share of new requests beside the others, above 0. Of one that starts slowly it grows. */
  readonly weight: number;
  /** The same once it has started: as the file, or an operator, wants it. */
  readonly fullWeight: number;
  /** Requests sent and not answered yet, by this web server. */
  readonly inFlight: number;
  /** Requests that others have sent there and that are not answered, as the server says; 0 when not known. */
  readonly inFlightElsewhere: number;
  /** How much longer a request takes there for what else its processor has to do: 1 is not at all, and unknown. */
  readonly slowness: number;
  /** What answers take of late, in milliseconds; 0 when not known. @param nowMs as of the clock that the policy was given. */
  latencyAt(nowMs: number): number;
}

/** For the servers of one cluster, in one process of a web server. */
export interface Policy<C extends Candidate> {
  /** Among these is chosen from now on. Called when one joins, leaves or changes its weight for good. */
  update(candidates: readonly C[]): void;
  /**
   * @param excluded a server that was tried already, or null.
   * @param key of the request, 32 bits; counts where the policy keeps alike ones at one server.
   * @returns null when no other server is usable.
   */
  pick(excluded: C | null, key: number): C | null;
}
