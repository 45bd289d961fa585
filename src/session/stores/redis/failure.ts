/** What an operation on Redis failed by, and whether anything can have been written. */
import { messageOf } from "../../../support/errors.ts";
import { redisStores as limits } from "../../../support/limits.ts";
import { type EngineOutcome, SessionEngineError } from "../engine.ts";

/** What helps, by the word with which Redis begins an error (or repeats it, where a script came upon it). */
const advice: Readonly<Record<string, string>> = {
  OOM: "its memory is full: give it more (maxmemory), or let sessions end earlier",
  READONLY: "it is a replica, which takes no writes: name the primary, or use Sentinel or a cluster's client",
  LOADING: "it is reading its data from disk after a start, and takes part as soon as it has them",
  MISCONF: "it can't save its data to disk, and refuses writes until it can: look at its log and disk",
  MASTERDOWN: "it is a replica that has lost its primary",
  NOREPLICAS: "fewer replicas than min-replicas-to-write are up to date",
  CLUSTERDOWN: "a part of its slots has no node: look at CLUSTER INFO",
  MOVED: "it is a node of a Redis Cluster: give a cluster's client as redisStore({ client })",
  BUSY: "a script of somebody has been running for too long: SCRIPT KILL ends it",
  NOAUTH: "it wants a password: set user and password",
  WRONGPASS: "it does not know this user with this password: look at user and password",
  NOPERM: "its user lacks a right: docs/session-stores.md lists what is needed (ACL)",
  NOPROTO: "it is older than Redis 6",
  WRONGTYPE: "its keys hold something that is no session; give them a prefix of their own",
};
const known = new RegExp(`(?:^|[ -])(${Object.keys(advice).join("|")})(?= )`);
/** Its errors begin with a word in capitals; those of connections do not. */
const reply = /^-?[A-Z]{2,} /;
/** What clients say of a command that they did not take. */
const notSent =
  /^The client is (?:offline|closed)$|enableOfflineQueue options is false|^Cluster isn't ready|^None of startup nodes/;

/**
 * Redis refuses before it does anything (scripts.ts sees to it). What has no answer may have been done, or may be done still.
 * @param isWrite a read that failed has written nothing.
 */
export function failureOf(place: string, error: unknown, isWrite: boolean): SessionEngineError {
  if (error instanceof SessionEngineError) return error;
  const message = shortened(messageOf(error));
  if (isReply(error)) {
    const word = known.exec(message)?.[1] ?? "";
    const help = advice[word];
    return new SessionEngineError(
      `${place} refused it: ${help === undefined ? message : `${help} (${message})`}`,
      word === "WRONGTYPE" ? "unfit" : "nothing",
      error,
    );
  }
  const outcome: EngineOutcome = isWrite && !notSent.test(message) ? "unknown" : "nothing";
  return new SessionEngineError(
    `${place} has not answered: ${message || "the connection was lost"}`,
    outcome,
    error,
  );
}

/** @param cause why there is no connection. */
export function unreachable(place: string, cause: unknown): SessionEngineError {
  if (isReply(cause)) return failureOf(place, cause, false);
  const why = cause === null ? "it was not tried yet" : shortened(messageOf(cause));
  return new SessionEngineError(
    `${place} can't be reached: ${why}; it is tried again all the time`,
    "nothing",
    cause,
  );
}

export function isReply(error: unknown): boolean {
  return reply.test(messageOf(error));
}

export function isNoScript(error: unknown): boolean {
  return messageOf(error).startsWith("NOSCRIPT");
}

/** A right that is missing where one can do without. */
export function isForbidden(error: unknown): boolean {
  return /^(?:NOPERM|ERR unknown command)/.test(messageOf(error));
}

function shortened(message: string): string {
  return message.slice(0, limits.messageCharactersMax);
}
