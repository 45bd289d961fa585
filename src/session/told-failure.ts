/**
 * What an application is told when an operation on its session fails. Many let their framework answer that, which takes the `status` of an
 * error, if it has the marks of http-errors, and in Fastify its message: visitors read it, so it says nothing of servers and databases.
 * `cause` and `stack` do, for logs.
 */
import { FlotillaError } from "../support/errors.ts";

/** In place of messages that do. */
const words: Readonly<Record<string, string>> = {
  FLOTILLA_SESSION_UNAVAILABLE: "the session can't be reached now; nothing was written",
  FLOTILLA_SESSION_BUSY: "too many changes of sessions are under way; nothing was written",
  FLOTILLA_SESSION_CONTENDED:
    "the session was changed by others at the same time, again and again; nothing was written",
  FLOTILLA_SESSION_DAMAGED: "the session can't be read",
  FLOTILLA_SESSION_UNFIT: "a value of the session can't be kept; nothing was written",
};
const outcomeUnknown = "the session did not answer in time; it may have been changed or not";

/** @param failure one that was told already, what an application has done wrong, and what is none of our errors, is told as it is. */
export function toldFailure<Failure>(failure: Failure): Failure | FlotillaError {
  if (!(failure instanceof FlotillaError) || "status" in failure) return failure;
  const status = statusOf(failure);
  if (status === null) return failure;
  const { code, source, retry, message, stack } = failure;
  const text = source === "client" ? message : (words[code] ?? outcomeUnknown);
  const told = new FlotillaError(code, text, { source, retry, cause: failure });
  // Most frameworks log this alone.
  if (stack !== undefined) told.stack = stack;
  return Object.assign(told, { status, statusCode: status, expose: status < 500 });
}

/** Null: the framework's own answer to an error, a 500. */
function statusOf({ code, source }: FlotillaError): number | null {
  // Another request has ended it: whoever asks again has a new one.
  if (source === "client") return 409;
  if (source === "internal" || code === "FLOTILLA_SESSION_DAMAGED") return 503;
  // The application's own, but said by the database.
  return code === "FLOTILLA_SESSION_UNFIT" ? 500 : null;
}
