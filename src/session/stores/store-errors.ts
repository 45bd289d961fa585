/** What users of a session store on a database are told when it fails. */
import { FlotillaError } from "../../support/errors.ts";
import type { Failure } from "./guard.ts";

/** Surely nothing was written. @param why "PostgreSQL at ... did not answer within 2 s" */
export function unavailable(why: string, cause?: unknown): FlotillaError {
  return new FlotillaError("FLOTILLA_SESSION_UNAVAILABLE", `${why}; nothing was written`, {
    retry: "yes",
    cause,
  });
}

/** Refused before it had its turn. */
export function tooMany(name: string): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_BUSY",
    `too many operations on sessions wait for ${name}; nothing was written`,
    { retry: "yes" },
  );
}

export function errorOf({ outcome, why, cause }: Failure): FlotillaError {
  return outcome === "nothing" ? unavailable(why, cause) : outcomeUnknown(why, cause);
}

export function outcomeUnknown(why: string, cause?: unknown): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_UNKNOWN",
    `${why}; the change may have been made or not`,
    cause === undefined ? {} : { cause },
  );
}

/** Somebody else wrote to the row. @param name of the database */
export function damaged(key: string, name: string, why: string): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SESSION_DAMAGED",
    `the row of session ${key.slice(0, 8)}... in ${name} can't be read: ${why}; it was left as it is. ` +
      "Mend it, or remove the row: its visitor begins anew",
    { source: "server" },
  );
}
