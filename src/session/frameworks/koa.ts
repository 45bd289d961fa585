/** `flotilla/session/koa`: a middleware that gives every context its `ctx.session`. */
import type { SessionMiddleware } from "../index.ts";
import type { Session } from "../session.ts";
import { type SessionsOrOptions, sessionsOf } from "./given.ts";

// biome-ignore lint/suspicious/noTsIgnore: whether it is an error depends on who compiles it.
/** @ts-ignore: Koa brings no types: where nobody has installed @types/koa there is nothing to add to. */
declare module "koa" {
  interface ExtendableContext {
    /** Another one after `regenerate()`, and none after `destroy()`. */
    session: Session;
  }
}

/** What it needs of Koa, which it does not import. */
interface Context {
  readonly app: { readonly context: object };
  readonly req: object & { session?: Session | null; secure?: boolean };
  readonly res: { readonly writableEnded: boolean; once(event: "close", listener: () => void): unknown };
  /** `app.proxy` applied. */
  readonly secure: boolean;
  respond?: boolean;
}

export type KoaSession = (ctx: Context, next: () => Promise<unknown>) => Promise<void>;

const accessor: unique symbol = Symbol("flotilla.session");

/** `app.use(session())`. @throws FlotillaError FLOTILLA_SESSION_OPTION */
export function session(sessions?: SessionsOrOptions): KoaSession {
  const middleware = sessionsOf(sessions);
  return async function flotillaSession(ctx, next) {
    addAccessor(ctx.app.context);
    ctx.req.secure = ctx.secure;
    if (await opened(middleware, ctx)) await next();
    else ctx.respond = false;
  };
}

/** Once, for all contexts of the application are made of it. */
function addAccessor(context: object): void {
  if (Object.hasOwn(context, accessor)) return;
  Object.defineProperty(context, accessor, { value: true });
  Object.defineProperty(context, "session", {
    get(this: Context) {
      return this.req.session;
    },
    set(this: Context, session: Session | null) {
      this.req.session = session;
    },
  });
}

/** False: it is answered, 503, or its client has left. What stands before this middleware goes on with either. */
function opened(middleware: SessionMiddleware, { req, res }: Context): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let isOpen = false;
    middleware(req, res, (error) => {
      isOpen = true;
      if (error) reject(error);
      else resolve(true);
    });
    if (isOpen) return;
    if (res.writableEnded) resolve(false);
    else res.once("close", () => resolve(false));
  });
}
