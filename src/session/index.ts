/**
 * `flotilla/session`: `app.use(session())` gives every request its `req.session`, as users of express-session know
 * it. docs/sessions.md tells what is the same and what is not.
 */
import { enginePlaceAlone } from "./engine-places.ts";
import { Keeper, type SessionPlace } from "./keeper.ts";
import { middlewareOf, type SessionMiddleware } from "./middleware.ts";
import { checkOptions, habitsOf, ownSecrets, type SessionOptions, sharedSecrets } from "./options.ts";
import { clusterPlace, defaultCookieName, placeAlone } from "./place.ts";
import type { Session } from "./session.ts";

export type { Cookie, CookieOptions } from "./cookie.ts";
// With a star, because only so `declare module "flotilla/session"` reaches the interface.
export type * from "./data.ts";
export type { SessionMiddleware } from "./middleware.ts";
export type { MovingFrom } from "./moving-from.ts";
export type { SessionOptions } from "./options.ts";
export type { Callback, Session } from "./session.ts";
export type { ConflictHook, SessionConflict } from "./session-conflict.ts";
export type {
  EngineOutcome,
  ListedRow,
  NoticeChannel,
  Replaced,
  RowLife,
  SessionEngine,
  SessionRow,
  SessionTouch,
  SessionWrite,
} from "./stores/engine.ts";
export { endsAfterMs, SessionEngineError } from "./stores/engine.ts";

declare global {
  namespace Express {
    interface Request {
      session: Session;
      sessionID: string;
    }
  }
}

/**
 * In a cluster, sessions are kept by this server as the file says; elsewhere in this process, with the same habits; or in the database
 * that `store` names. A wrong file of the cluster ends the process with what is wrong with it, as it does in serve().
 * @throws FlotillaError FLOTILLA_SESSION_OPTION
 */
export function session(options: SessionOptions = {}): SessionMiddleware {
  checkOptions(options);
  const { store = null, load = null } = options;
  const cluster = clusterPlace(store, load);
  if (cluster === null) {
    const secrets = store === null ? ownSecrets(options) : sharedSecrets(options);
    const place = store === null ? placeAlone(secrets) : enginePlaceAlone(store, secrets, load).place;
    return middlewareOf(new Keeper(place, habitsOf(options, options.name ?? defaultCookieName)));
  }
  tellIgnored(options, cluster.place, cluster.cookieName);
  return middlewareOf(new Keeper(cluster.place, habitsOf(options, cluster.cookieName)));
}

/** What the file decides in a cluster: every server, also the web tier's, must know it. */
function tellIgnored(options: SessionOptions, place: SessionPlace, cookieName: string): void {
  if (options.secret !== undefined) {
    place.log.warn("session({ secret }) is ignored in a cluster: ids are signed with the secret of the file");
  }
  if (options.name !== undefined && options.name !== cookieName) {
    place.log.warn(
      `session({ name: "${options.name}" }) is ignored in a cluster: the file names the cookie "${cookieName}"`,
    );
  }
}
