// biome-ignore-all lint/suspicious/noExplicitAny: sessions of five libraries, whose types exclude each other.
/** Small sites with session middleware of other makes, each on its own framework, asked and answering in the same way. */
import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fastifyCookie from "@fastify/cookie";
import fastifySession from "@fastify/session";
import { getRequestListener } from "@hono/node-server";
import { useSession, useSessionStorage } from "@hono/session";
import express from "express";
import expressSession from "express-session";
import fastify from "fastify";
import { type Context, Hono } from "hono";
import { sessionMiddleware } from "hono-sessions";
import Koa from "koa";
import koaSession from "koa-session";
import { FlotillaStore as ExpressStore } from "../../src/session/foreign/express-session.ts";
import { FlotillaStore as FastifyStore } from "../../src/session/foreign/fastify-session.ts";
import { FlotillaStore as HonoStore } from "../../src/session/foreign/hono.ts";
import { FlotillaStore as KoaStore } from "../../src/session/foreign/koa-session.ts";
import type { FlotillaStoreOptions } from "../../src/session/foreign/options.ts";
import { Browser } from "./session-site.ts";

/** One request and its session, whatever the middleware. */
export interface ForeignVisit {
  readonly query: URLSearchParams;
  get(key: string): any;
  set(key: string, value: unknown): void;
  remove(key: string): void;
  /** The application's data. */
  all(): Record<string, unknown>;
  destroy(): unknown;
  /** A new id, as at a login. */
  renew(): unknown;
}

export type ForeignRoutes = Record<string, (visit: ForeignVisit) => unknown>;

const secret = "a word that is longer than thirty-two characters";

export interface ForeignMiddleware {
  /** @param store of the one line that changes. */
  start(routes: ForeignRoutes, store: unknown): Promise<Server>;
  makeStore(options?: FlotillaStoreOptions): unknown;
}

function withoutCookie(session: object): Record<string, unknown> {
  const { cookie: _cookie, ...data } = session as Record<string, unknown>;
  return data;
}

function onObject(session: any): Pick<ForeignVisit, "get" | "set" | "remove"> {
  return {
    get: (key) => session()[key],
    set: (key, value) => {
      session()[key] = value;
    },
    remove: (key) => {
      delete session()[key];
    },
  };
}

function pathOf(url: string): { path: string; query: URLSearchParams } {
  const { pathname, searchParams } = new URL(url, "http://shop.example");
  return { path: pathname, query: searchParams };
}

async function listening(listener: RequestListener): Promise<Server> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

export const foreignMiddlewares: Readonly<Record<string, ForeignMiddleware>> = {
  "express-session": {
    makeStore: (options) => new ExpressStore(options),
    start(routes, store) {
      const app = express();
      app.use(expressSession({ secret, resave: false, saveUninitialized: false, store }));
      app.use(async (req: any, res) => {
        const { path, query } = pathOf(req.originalUrl);
        const answer = await routes[path]!({
          query,
          ...onObject(() => req.session),
          all: () => withoutCookie(req.session),
          destroy: () => new Promise((resolve) => req.session.destroy(resolve)),
          renew: () => new Promise((resolve) => req.session.regenerate(resolve)),
        });
        res.end(answer);
      });
      // Express prints what it answers with a 500, unless it is asked.
      app.use(((error, _req, res, _next) => {
        if (!res.headersSent) res.status((error as { status?: number }).status ?? 500).end("error");
      }) as express.ErrorRequestHandler);
      return listening(app);
    },
  },
  "@fastify/session": {
    makeStore: (options) => new FastifyStore(options),
    async start(routes, store) {
      const app = fastify();
      await app.register(fastifyCookie);
      const cookie = { secure: false };
      await app.register(fastifySession, {
        ...{ secret, cookie, saveUninitialized: false },
        store: store as FastifyStore,
      });
      app.get("/*", async (request: any) => {
        const { path, query } = pathOf(request.url);
        return routes[path]!({
          query,
          ...onObject(() => request.session),
          all: () => withoutCookie(request.session),
          destroy: () => request.session.destroy(),
          renew: () => request.session.regenerate(),
        });
      });
      await app.ready();
      return listening((req, res) => app.routing(req, res));
    },
  },
  "koa-session": {
    makeStore: (options) => new KoaStore(options),
    start(routes, store) {
      const app = new Koa();
      app.keys = [secret];
      app.silent = true;
      app.use(koaSession({ store }, app));
      app.use(async (ctx: any) => {
        const { path, query } = pathOf(ctx.url);
        ctx.body = await routes[path]!({
          query,
          ...onObject(() => ctx.session),
          all: () => ctx.session.toJSON(),
          destroy: () => {
            ctx.session = null;
          },
          renew: () => ctx.session.regenerate(),
        });
      });
      return listening(app.callback());
    },
  },
  "hono-sessions": {
    makeStore: (options) => new HonoStore(options),
    start(routes, store) {
      const app = new Hono();
      app.use(sessionMiddleware({ store, expireAfterSeconds: 900, encryptionKey: secret } as never));
      app.get("/*", async (c: Context) => {
        const { path, query } = pathOf(c.req.url);
        const session = c.get("session" as never) as any;
        const answer = await routes[path]!({
          query,
          get: (key) => session.get(key) ?? undefined,
          set: (key, value) => session.set(key, value),
          remove: (key) => session.forget(key),
          all() {
            const data = Object.entries(session.getCache()._data as Record<string, { value: unknown }>);
            return Object.fromEntries(data.map(([key, { value }]) => [key, value]));
          },
          destroy: () => session.deleteSession(),
          renew: () => c.set("session_key_rotation" as never, true as never),
        });
        return c.text(answer as string);
      });
      return listening(getRequestListener(app.fetch));
    },
  },
  "@hono/session": {
    makeStore: (options) => new HonoStore(options),
    start(routes, store) {
      const app = new Hono();
      app.use(useSessionStorage(store as never), useSession({ secret: secret.slice(0, 32) }) as never);
      app.get("/*", async (c: Context) => {
        const { path, query } = pathOf(c.req.url);
        const session = (c.var as any).session;
        const data = { ...(await session.get()) };
        const before = JSON.stringify(data);
        let isEnded = false;
        const answer = await routes[path]!({
          query,
          ...onObject(() => data),
          all: () => data,
          destroy: () => {
            isEnded = true;
            session.delete();
          },
          renew: () => assert.fail("it has no way to do that"),
        });
        if (!isEnded && JSON.stringify(data) !== before) await session.update(data);
        return c.text(answer as string);
      });
      return listening(getRequestListener(app.fetch));
    },
  },
};

export class ForeignSite implements AsyncDisposable {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  static async start(
    middleware: ForeignMiddleware,
    routes: ForeignRoutes,
    store: unknown,
  ): Promise<ForeignSite> {
    return new ForeignSite(await middleware.start(routes, store));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  browser(): Browser {
    return new Browser(this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
