/** What users of a session store on a database are told when it fails. */
import { FlotillaError } from "../../support/errors.ts";
import type { Failure } from "./guard.ts";

const namedKeysMax = 5;

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

/** Of a statement that writes. @param keys of the session, whose values it was to write. */
export function errorOf({ outcome, why, cause }: Failure, keys: Iterable<string> = []): FlotillaError {
  if (outcome === "nothing") return unavailable(why, cause);
  return outcome === "unfit" ? unfit(why, [...keys], cause) : outcomeUnknown(why, cause);
}

/** Of one that reads the row. */
export function readErrorOf({ outcome, why, cause }: Failure, key: string, name: string): FlotillaError {
  return outcome === "unfit" ? damaged(key, name, why) : unavailable(why, cause);
}

export function isUnfit(error: FlotillaError): boolean {
  return error.code === "FLOTILLA_SESSION_UNFIT";
}

function unfit(why: string, keys: readonly string[], cause: unknown): FlotillaError {
  const named = keys.slice(0, namedKeysMax).map((key) => `req.session[${JSON.stringify(key.slice(0, 100))}]`);
  const what = named.length === 0 ? "" : ` in ${named.join(keys.length > namedKeysMax ? ", " : " or ")}`;
  return new FlotillaError(
    "FLOTILLA_SESSION_UNFIT",
    `a value${what}${keys.length > namedKeysMax ? ", ..." : ""} can't be kept where sessions are: ${why}; nothing was written`,
    { source: "server", cause },
  );
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
