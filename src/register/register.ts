/**
 * The register: one small value on which all servers agree, and which says who keeps which session slot.
 * Its versions form one chain: each was made from the one before by one compare-and-set. Engines behind this
 * interface, one folder each: `members/` (voters among the servers themselves), and what engines outside of the servers share in `cell/`.
 *
 * Callbacks are called exactly once each, possibly before the call returns. Values are frozen: nobody changes one in place.
 */
import type { FlotillaError } from "../support/errors.ts";
import { register as limits } from "../support/limits.ts";

export interface Versioned<V> {
  /** 1 for the first; each change adds 1. */
  readonly version: number;
  readonly value: V;
}

export type CasOutcome<V> =
  /** Committed: `state` is the caller's value. Later changes may already have followed. */
  | { readonly kind: "done"; readonly state: Versioned<V> }
  /** Not done and never will be: somebody else's version, `state`, is committed instead. */
  | { readonly kind: "conflict"; readonly state: Versioned<V> }
  /**
   * May have happened, or may still happen. The next `read` (of this register, begun after this answer) that
   * succeeds settles it for good: what it does not show, alone or beneath later changes, will never happen.
   */
  | { readonly kind: "unknown"; readonly error: FlotillaError };

export type ReadDone<V> = (error: FlotillaError | null, state: Versioned<V> | null) => void;

export interface Register<V> {
  /** The newest committed state that is known here, possibly old; null before the first. Its version only grows. */
  readonly known: Versioned<V> | null;

  /**
   * Linearizable: nothing older than what was committed when the call began.
   * Fails with FLOTILLA_REGISTER_UNREACHABLE when too few voters answer in time.
   */
  read(done: ReadDone<V>): void;

  /**
   * Replaces the value if the version is still `expected`, which the caller has from `known`, `watch` or `read`, or
   * from another server: then this register may not know that version yet.
   * The new version is `expected + 1`. Two of them with the same `expected` never both succeed.
   */
  compareAndSet(expected: number, value: V, done: (outcome: CasOutcome<V>) => void): void;

  /**
   * Told of each newer committed state that becomes known here, by whatever way, in the order of versions (some may
   * be skipped), before the `done` of the operation that learned it.
   * @returns ends it.
   */
  watch(listener: (state: Versioned<V>) => void): () => void;
}

/** A value as bytes; one value has one form. `decode` throws a FlotillaError. */
export interface ValueCodec<V> {
  encode(value: V): Buffer;
  decode(bytes: Buffer): V;
}

/** @throws RangeError when it is too large. */
export function encoded<V>(codec: ValueCodec<V>, value: V): Buffer {
  const bytes = codec.encode(value);
  if (bytes.length > limits.valueBytesMax)
    throw new RangeError(`a value of ${bytes.length} bytes is larger than ${limits.valueBytesMax}`);
  return bytes;
}
