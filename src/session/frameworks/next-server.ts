/** `flotilla/session/next/server`: sessions for the custom server in front of Next.js. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type SessionsOrOptions, sessionsOf } from "./given.ts";
import { requestsOfProcess } from "./next.ts";

type Handler = (req: IncomingMessage, res: ServerResponse) => unknown;

/**
 * @param handler `app.getRequestHandler()` of Next.
 * @returns a handler for `http.createServer` or `serve()`. A request whose session can't be had is answered 503 without Next.
 * @throws FlotillaError FLOTILLA_SESSION_OPTION
 */
export function withSession(
  handler: Handler,
  sessions?: SessionsOrOptions,
): (req: IncomingMessage, res: ServerResponse) => void {
  const middleware = sessionsOf(sessions);
  const requests = requestsOfProcess();
  return (req, res) => {
    middleware(req, res, () => requests.run(req as never, handler, req, res));
  };
}
