/**
 * `flotilla/session/nest`: `await useSession(app)` gives every request its `req.session`, which is `@Session()` of a handler. On
 * Express it is `app.use(session())`; on Fastify, whose requests Nest's middleware does not see, the plugin.
 */
import type { SessionMiddleware } from "../index.ts";
import { fastifySession } from "./fastify.ts";
import { type SessionsOrOptions, sessionsOf } from "./given.ts";

export type { Session } from "../session.ts";
/** For `@Req()`, where a handler replaces the session: `@Session()` is the one that the request began with. */
export type { RequestWithSession } from "./http.ts";

/** What it needs of Nest, which it does not import. */
interface Application {
  getHttpAdapter(): { getType(): string };
  use(middleware: SessionMiddleware): unknown;
  /** On Fastify. */
  register?(plugin: typeof fastifySession, options: { sessions: SessionMiddleware }): PromiseLike<unknown>;
}

/**
 * To be called before `app.init()`.
 * @throws FlotillaError FLOTILLA_SESSION_OPTION
 */
export async function useSession(app: Application, given?: SessionsOrOptions): Promise<void> {
  const sessions = sessionsOf(given);
  if (app.getHttpAdapter().getType() === "fastify") await app.register?.(fastifySession, { sessions });
  else app.use(sessions);
}
