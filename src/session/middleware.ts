/** `session()` itself: a function of request, response and next for whatever takes such functions. */
import { AsyncResource } from "node:async_hooks";
import type { FlotillaError } from "../support/errors.ts";
import type { Keeper } from "./keeper.ts";
import { isWithinPath, type SessionRequest } from "./request.ts";
import { RequestSession } from "./request-session.ts";
import { holdResponse, type SessionResponse } from "./response-hold.ts";

/**
 * @param res of `node:http`, or less: `{}` for a WebSocket's upgrade request, where nothing can be sent
 * and changes are saved with `await req.session.save()`.
 */
export type SessionMiddleware = (req: object, res: object, next: (error?: unknown) => void) => void;

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
      } else proceed(withStatus(error));
    });
    // Still loading: the store will call back in a context of its own, the application goes on in this one (A50).
    if (requestSession.isLoading) proceed = AsyncResource.bind(next);
  };
}

/** For frameworks, which make their answer of it (Express: `status`, Koa and Fastify the same or `statusCode`). */
function withStatus(error: FlotillaError): FlotillaError {
  const status = error.source === "server" ? 500 : 503;
  return Object.assign(error, { status, statusCode: status });
}

function cookieHeader(req: SessionRequest): string | undefined {
  const { cookie } = req.headers;
  return Array.isArray(cookie) ? cookie.join("; ") : cookie;
}
