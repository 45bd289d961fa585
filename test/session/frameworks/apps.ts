/** One small application in each framework: the same addresses, so that all adapters are asked the same questions. */
import http, { type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import fastify from "fastify";
import { Hono } from "hono";
import Koa from "koa";
import { nodeHandler } from "../../../src/app-tier/fetch-handler.ts";
import { fastifySession } from "../../../src/session/frameworks/fastify.ts";
import { session as honoSession } from "../../../src/session/frameworks/hono.ts";
import { withSession } from "../../../src/session/frameworks/http.ts";
import { session as koaSession } from "../../../src/session/frameworks/koa.ts";
import type { Session, SessionMiddleware } from "../../../src/session/index.ts";

/** What a route gets: the session as it is now, for `regenerate` and `destroy` replace it. */
export type Current = () => Session & Record<string, unknown>;
/** @returns what is answered. */
export type Route = (current: Current) => unknown;

interface Told {
  /** What stands before the session's middleware saw of each request. */
  readonly statuses: number[];
}

type Make = (sessions: SessionMiddleware, routes: Record<string, Route>, told: Told) => Promise<Server>;

const listening = (server: Server): Promise<Server> =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));

export const portOf = (server: Server): number => (server.address() as AddressInfo).port;

const hono: (listenerOf: (app: Hono) => http.RequestListener) => Make =
  (listenerOf) => (sessions, routes, told) => {
    const app = new Hono();
    app.use(async (c, next) => {
      await next();
      told.statuses.push(c.res.status);
    });
    app.use(honoSession(sessions));
    for (const [path, route] of Object.entries(routes))
      app.get(path, async (c) => {
        c.header("X-Of-Route", "yes");
        return c.text(String(await route(() => c.get("session") as never)));
      });
    return listening(http.createServer(listenerOf(app)));
  };

export const makers: Record<string, Make> = {
  http: (sessions, routes, told) => {
    const handler = withSession(async (req, res) => {
      res.setHeader("X-Of-Route", "yes");
      res.end(String(await routes[req.url!]!(() => req.session as never)));
    }, sessions);
    const server = http.createServer(handler);
    server.prependListener("request", (_req, res) =>
      res.once("finish", () => told.statuses.push(res.statusCode)),
    );
    return listening(server);
  },

  async fastify(sessions, routes, told) {
    const app = fastify();
    app.addHook("onResponse", async (_request, reply) => void told.statuses.push(reply.statusCode));
    await app.register(fastifySession, { sessions });
    for (const [path, route] of Object.entries(routes))
      app.get(path, async (request, reply) => {
        reply.header("X-Of-Route", "yes");
        return String(await route(() => request.session as never));
      });
    await app.ready();
    return listening(app.server);
  },

  koa: (sessions, routes, told) => {
    const app = new Koa();
    app.silent = true;
    // biome-ignore lint/suspicious/noExplicitAny: koa brings no types.
    app.use(async (ctx: any, next: () => Promise<void>) => {
      await next();
      told.statuses.push(ctx.status);
    });
    app.use(koaSession(sessions));
    // biome-ignore lint/suspicious/noExplicitAny: koa brings no types.
    app.use(async (ctx: any) => {
      ctx.set("X-Of-Route", "yes");
      ctx.body = String(await routes[ctx.path]!(() => ctx.session));
    });
    return listening(http.createServer(app.callback()));
  },

  "hono on @hono/node-server": hono((app) => getRequestListener(app.fetch) as http.RequestListener),
  "hono on serve()": hono((app) => nodeHandler((request) => app.fetch(request))),
};
