/** The one line that changes, as TypeScript sees it: each store is what its middleware takes for one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fastifySession from "@fastify/session";
import { useSession, useSessionStorage } from "@hono/session";
import fastify from "fastify";
import { Hono } from "hono";
import { sessionMiddleware } from "hono-sessions";
import Koa from "koa";
import koaSession from "koa-session";
import { FlotillaStore as FastifyStore } from "../../src/session/foreign/fastify-session.ts";
import { FlotillaStore as HonoStore } from "../../src/session/foreign/hono.ts";
import { FlotillaStore as KoaStore } from "../../src/session/foreign/koa-session.ts";

const secret = "a word that is longer than thirty-two characters";

test("stores have the types that their middleware wants", () => {
  fastify().register(fastifySession, { secret, store: new FastifyStore() });
  const koa = koaSession({ store: new KoaStore() }, new Koa());
  const app = new Hono();
  app.use(sessionMiddleware({ store: new HonoStore(), encryptionKey: secret }));
  app.use(useSessionStorage(new HonoStore()), useSession({ secret: secret.slice(0, 32) }));
  assert.equal(typeof koa, "function");
});
