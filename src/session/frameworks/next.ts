/**
 * `flotilla/session/next`: what pages, route handlers, server actions and API routes of Next.js ask for the session, whichever router they
 * belong to. Next bundles this module; it is small, and finds what the custom server (next-server.ts) keeps for the whole process.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { FlotillaError } from "../../support/errors.ts";
import type { Session } from "../session.ts";

export type Requests = AsyncLocalStorage<{ readonly session?: Session }>;

const key: unique symbol = Symbol.for("flotilla.session.next") as never;

/** The request that is answered: one for the process, of which the bundles have several copies of this module. */
export function requestsOfProcess(): Requests {
  const kept = globalThis as { [key]?: Requests };
  kept[key] ??= new AsyncLocalStorage();
  return kept[key];
}

const requests: Requests = requestsOfProcess();

/**
 * The session of the request that is answered. Another one after `regenerate()`, so ask again then, and none after `destroy()`.
 * @throws FlotillaError FLOTILLA_SESSION_NO_REQUEST where there is no request: while `next build` renders a page ahead of time.
 */
export function getSession(): Session {
  const req = requests.getStore();
  if (req !== undefined) return req.session as Session;
  throw new FlotillaError(
    "FLOTILLA_SESSION_NO_REQUEST",
    "getSession() was called without a request of a server whose handler is withSession(app.getRequestHandler()). If `next build` says so, a page " +
      'is rendered ahead of time: write `await connection()` (of "next/server") before it',
    { source: "server" },
  );
}
