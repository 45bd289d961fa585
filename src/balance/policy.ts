/** How the next server is chosen among those that can take a request. One small file per policy. */

/** What a policy sees of a server. */
export interface Candidate {
  /** Takes new requests now. */
  readonly usable: boolean;
  /** Requests sent and not answered yet, by this web server. */
  readonly inFlight: number;
}

export interface Policy {
  /**
   * @param excluded a server that was tried already, or null.
   * @returns null when no other server is usable.
   */
  pick<C extends Candidate>(candidates: readonly C[], excluded: C | null): C | null;
}
