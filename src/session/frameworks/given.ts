/** What every adapter takes: the options of `session()`, or one that the application has made, where several parts share it. */
import { type SessionMiddleware, type SessionOptions, session } from "../index.ts";

export type SessionsOrOptions = SessionMiddleware | SessionOptions;

/** @throws FlotillaError FLOTILLA_SESSION_OPTION */
export function sessionsOf(given: SessionsOrOptions | undefined): SessionMiddleware {
  return typeof given === "function" ? given : session(given);
}
