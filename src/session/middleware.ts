/** `session()` itself: a function of request, response and next for whatever takes such functions. */
import { AsyncResource } from "node:async_hooks";
import type { FlotillaError } from "../support/errors.ts";
import type { Keeper } from "./keeper.ts";
import { isWithinPath, type SessionRequest } from "./request.ts";
import { RequestSession } from "./request-session.ts";
import { holdResponse, type SessionResponse } from "./response-hold.ts";
import { toldFailure } from "./told-failure.ts";

/**
 * @param res of `node:http`, or less: `{}` for a WebSocket's upgrade request, where nothing can be sent
 * and changes are saved with `await req.session.save()`.
 */
export type SessionMiddleware = (req: object, res: object, next: (error?: unknown) => void) => void;

/** Of a request whose session's servers did not answer (RFC 9110, section 10.2.3); it has waited for more than this already. */
const retryAfterSeconds = 1;

export function middlewareOf(keeper: Keeper): SessionMiddleware {
  const cookiePath = keeper.habits.cookie.path ?? "/";
  return function session(request, response, next): void {
    const req = request as SessionRequest;
    if (req.session || !isWithinPath(req, cookiePath)) {
      next();
      return;
    }
    const requestSession = new RequestSession(keeper, req);
    let proceed = next;
    requestSession.begin(cookieHeader(req), (error) => {
      if (error === null) {
        holdResponse(response as SessionResponse, requestSession, keeper.place.log);
        proceed();
      } else if (keeper.habits.whenUnavailable === "proceed") {
        goOnWithout(keeper, req, response as SessionResponse, error);
        proceed();
      } else if (!refuse(keeper, response as SessionResponse, error)) proceed(toldFailure(error));
    });
    if (!requestSession.isLoading) return;
    // The store will call back in a context of its own, the application goes on in this one (A50); and not within the
    // store's call: what a handler throws would end the connection over which the session came.
    const bound = AsyncResource.bind(next);
    proceed = (error) => process.nextTick(bound, error);
  };
}

/** The application wants to serve it all the same; a session that it had would be lost with an empty one, so there is none. */
function goOnWithout(keeper: Keeper, req: SessionRequest, res: SessionResponse, error: FlotillaError): void {
  keeper.tellUnavailable(error);
  delete req.session;
  if (typeof res.setHeader === "function") res.setHeader("Flotilla-Session", "unavailable");
}

/**
 * Answers that the session can't be had now: an application that was not written for it would make a 500 of the error.
 * @returns false when there is no response to write: a WebSocket's upgrade.
 */
function refuse(keeper: Keeper, res: SessionResponse, error: FlotillaError): boolean {
  if (typeof res.end !== "function" || typeof res.setHeader !== "function") return false;
  keeper.tellUnavailable(error);
  const body = `503 Service Unavailable: the session can't be reached now, try again (${error.code}).\n`;
  res.statusCode = 503;
  res.setHeader("Retry-After", String(retryAfterSeconds));
  res.setHeader("Content-Type", "text/plain; charset=utf-8");
  res.setHeader("Content-Length", body.length);
  res.setHeader("Cache-Control", "no-store");
  res.end(body);
  return true;
}

function cookieHeader(req: SessionRequest): string | undefined {
  const { cookie } = req.headers;
  return Array.isArray(cookie) ? cookie.join("; ") : cookie;
}
