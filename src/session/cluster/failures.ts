/** Why an operation on a session of the cluster did not succeed, beside what any store may say (../store.ts). */
import { FlotillaError } from "../../support/errors.ts";
import { session as limits } from "../../support/limits.ts";

export function unknownOutcome(): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_UNKNOWN",
    `the session's servers did not confirm the change within ${limits.commitTimeoutMs} ms; it may have been made or not`,
  );
}

export function noRoom(): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_BUSY",
    "a server of this session can't write its disk, and its memory is full: until it can (flotilla status says why it can't) new sessions, " +
      "larger ones, and those that are on disk alone are refused; nothing was written",
  );
}

export function busy(): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_BUSY",
    "too many session changes, or too large ones, wait for the server that has to take them; nothing was written",
  );
}

/** No server that may answer did. */
export function unavailable(waitMs: number): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_UNAVAILABLE",
    `no server that keeps this session answered within ${waitMs} ms; nothing was written`,
    { retry: "yes" },
  );
}
