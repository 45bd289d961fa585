/** `flotilla/session/hono`: a middleware that gives every context its `c.var.session`, whatever serves the application. */
import type {} from "hono";
import type { SessionRequest } from "../request.ts";
import type { Session } from "../session.ts";
import { FetchHead } from "./fetch-head.ts";
import { type SessionsOrOptions, sessionsOf } from "./given.ts";

declare module "hono" {
  interface ContextVariableMap {
    /** Another one after `regenerate()`, and none after `destroy()`. */
    session: Session;
  }
}

/** What it needs of Hono, which it does not import. */
interface Context {
  readonly req: { readonly url: string; readonly path: string; header(name: string): string | undefined };
  get res(): Response;
  set res(response: Response | undefined);
  get(key: "session"): Session | null | undefined;
  set(key: "session", session: Session): void;
  header(name: string, value: string, options: { append: boolean }): void;
}

export type HonoSession = (c: Context, next: () => Promise<void>) => Promise<Response | undefined>;

/** `app.use(session())`. @throws FlotillaError FLOTILLA_SESSION_OPTION */
export function session(sessions?: SessionsOrOptions): HonoSession {
  const middleware = sessionsOf(sessions);
  return async function flotillaSession(c, next) {
    const head = new FetchHead();
    await head.open(middleware, new HonoRequest(c));
    if (head.refusal !== null) return head.refusal;
    await next();
    await head.commit();
    if (head.refusal === null)
      for (const [name, value] of head.fields) c.header(name, value, { append: true });
    else {
      // Without this the handler's fields would be kept.
      c.res = undefined;
      c.res = head.refusal;
    }
    return undefined;
  };
}

/** What `session()` asks of a request. The session is kept at the context alone. */
class HonoRequest implements SessionRequest {
  readonly headers: SessionRequest["headers"];
  readonly url: string;
  readonly socket: { readonly encrypted: boolean };
  readonly #c: Context;

  constructor(c: Context) {
    this.#c = c;
    this.headers = { cookie: c.req.header("cookie"), "x-forwarded-proto": c.req.header("x-forwarded-proto") };
    this.url = c.req.path;
    this.socket = { encrypted: c.req.url.startsWith("https:") };
  }

  get session(): Session | null | undefined {
    return this.#c.get("session");
  }

  set session(session: Session | null | undefined) {
    this.#c.set("session", session as Session);
  }
}
