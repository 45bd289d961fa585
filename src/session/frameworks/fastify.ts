/** `flotilla/session/fastify`: a plugin that gives every request of its application, or of a part of it, `request.session`. */
import type {} from "fastify";
import type { SessionMiddleware, SessionOptions } from "../index.ts";
import type { Session } from "../session.ts";
import { sessionsOf } from "./given.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Another one after `regenerate()`, and none after `destroy()`. */
    session: Session;
  }
}

export interface FastifySessionOptions extends SessionOptions {
  /** One that `session()` of "flotilla/session" has made, in the place of options: for a WebSocket's server that shares it. */
  sessions?: SessionMiddleware;
}

/** What it needs of Fastify, which it does not import. */
interface Instance {
  decorateRequest(name: string, accessors: object): unknown;
  addHook(name: "onRequest", hook: (request: Request, reply: Reply, done: Done) => void): unknown;
}

interface Request {
  readonly raw: object & { session?: Session | null; secure?: boolean };
  readonly protocol: string;
}

interface Reply {
  readonly raw: object;
}

type Done = (error?: Error) => void;

export type FastifySession = (instance: Instance, options: FastifySessionOptions, done: Done) => void;

/** `app.register(fastifySession, { idleTimeout: "1h" })`: for the instance that registers it, and those below. */
export const fastifySession: FastifySession = Object.assign(register, {
  // What fastify-plugin would set: the hook is for the instance that registers it, not for a new one of its own.
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "flotilla-session",
  [Symbol.for("plugin-meta")]: { name: "flotilla-session", fastify: ">=4" },
});

export default fastifySession;

function register(instance: Instance, options: FastifySessionOptions, done: Done): void {
  try {
    decorate(instance, sessionsOf(options.sessions ?? ownOptions(options)));
    done();
  } catch (error) {
    // Fastify hears of what a plugin throws only from one that returns a promise.
    done(error as Error);
  }
}

function decorate(instance: Instance, middleware: SessionMiddleware): void {
  instance.decorateRequest("session", {
    getter(this: Request) {
      return this.raw.session;
    },
    setter(this: Request, session: Session | null) {
      this.raw.session = session;
    },
  });
  instance.addHook("onRequest", (request, reply, next) => {
    const { raw } = request;
    // `trustProxy` applied, as Express does by itself.
    raw.secure = request.protocol === "https";
    // A request that is answered 503 ends here; `onResponse` hooks and the log see it as any other.
    middleware(raw, reply.raw, next as (error?: unknown) => void);
  });
}

/** Fastify's own options of a plugin are among them. */
function ownOptions(given: object): SessionOptions {
  const { prefix, logLevel, logSerializers, ...options } = given as Record<string, unknown>;
  return options;
}
