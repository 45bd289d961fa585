/** `flotilla/session/http`: sessions for handlers of node:http, and for what else is made of their requests. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { SessionMiddleware } from "../index.ts";
import type { Session } from "../session.ts";
import { type SessionsOrOptions, sessionsOf } from "./given.ts";

/** A request with its session. It has another `session` after `regenerate()`, and none after `destroy()`. */
export type RequestWithSession = IncomingMessage & { session: Session; readonly sessionID: string };

/**
 * @param handler called when `req.session` is there. A request whose session can't be had is answered 503 without it.
 * @returns a handler for `http.createServer` or `serve()`.
 * @throws FlotillaError FLOTILLA_SESSION_OPTION
 */
export function withSession(
  handler: (req: RequestWithSession, res: ServerResponse) => unknown,
  sessions?: SessionsOrOptions,
): (req: IncomingMessage, res: ServerResponse) => void {
  const middleware = sessionsOf(sessions);
  return (req, res) => {
    middleware(req, res, () => handler(req as RequestWithSession, res));
  };
}

/**
 * The session of an `upgrade` request, to which no response is made: `await session.save()` after changes.
 * @param sessions the same as for `withSession`.
 * @throws FlotillaError FLOTILLA_SESSION_UNAVAILABLE and others, when it can't be had now.
 */
export function sessionOf(req: IncomingMessage, sessions: SessionMiddleware): Promise<Session> {
  return new Promise((resolve, reject) => {
    sessions(req, {}, (error) => (error ? reject(error) : resolve((req as RequestWithSession).session)));
  });
}
