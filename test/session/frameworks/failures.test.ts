/** A handler that lets pass what an operation on its session throws: what each framework answers by itself, and what visitors read. */
import assert from "node:assert/strict";
import http, { type RequestListener } from "node:http";
import "reflect-metadata";
import { describe, type TestContext, test } from "node:test";
import { inspect } from "node:util";
import { Controller, Get, Module, Session } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import Koa from "koa";
import { nodeHandler } from "../../../src/app-tier/fetch-handler.ts";
import { fastifySession } from "../../../src/session/frameworks/fastify.ts";
import { session as honoSession } from "../../../src/session/frameworks/hono.ts";
import { session as koaSession } from "../../../src/session/frameworks/koa.ts";
import { useSession } from "../../../src/session/frameworks/nest.ts";
import type { Session as SessionOf } from "../../../src/session/index.ts";
import { contended, sessionGone, tooLarge } from "../../../src/session/store.ts";
import { damaged, errorOf, outcomeUnknown, unavailable } from "../../../src/session/stores/store-errors.ts";
import type { FlotillaError } from "../../../src/support/errors.ts";
import { Browser } from "../../harness/session-site.ts";
import { slowSessions } from "../../harness/slow-store.ts";

const where = "PostgreSQL at 10.0.0.5:5432";
const refused = {
  outcome: "unfit",
  why: `${where} refuses NUL`,
  cause: null,
  isWorthRetrying: false,
} as const;
const failures: readonly [failure: FlotillaError, status: number][] = [
  [sessionGone(), 409],
  [contended("cart"), 503],
  [unavailable(`${where} did not answer`), 503],
  [outcomeUnknown(`${where} did not answer`), 503],
  [damaged("0123456789abcdef", where, "no JSON"), 503],
  [errorOf(refused, ["cart"]), 500],
  [tooLarge(new Map()), 500],
];

type Middleware = ReturnType<typeof slowSessions>["middleware"];
type Make = (sessions: Middleware, t: TestContext) => Promise<RequestListener> | RequestListener;

/** What every handler does. */
const change = (session: SessionOf): Promise<number> => session.update("n", (n = 0) => (n as number) + 1);

class Shop {
  async change(session: SessionOf): Promise<string> {
    return String(await change(session));
  }
}
const method = Object.getOwnPropertyDescriptor(Shop.prototype, "change")!;
Get("/")(Shop.prototype, "change", method);
Session()(Shop.prototype, "change", 0);
Controller()(Shop);
class ShopModule {}
Module({ controllers: [Shop] })(ShopModule);

const makers: Record<string, Make> = {
  express: (sessions) => {
    const app = express();
    // Elsewhere it answers with the stack.
    app.set("env", "production");
    app.use(sessions);
    app.get("/", async (req, res) => void res.send(String(await change(req.session))));
    return app;
  },
  fastify: async (sessions) => {
    const app = fastify();
    await app.register(fastifySession, { sessions });
    app.get("/", async ({ session }) => String(await change(session as unknown as SessionOf)));
    await app.ready();
    return app.routing;
  },
  koa: (sessions) => {
    const app = new Koa();
    app.silent = true;
    app.use(koaSession(sessions));
    // biome-ignore lint/suspicious/noExplicitAny: koa brings no types.
    app.use(async (ctx: any) => {
      ctx.body = String(await change(ctx.session));
    });
    return app.callback();
  },
  "hono, as docs/frameworks.md says": (sessions) => {
    const app = new Hono();
    app.use(honoSession(sessions));
    app.get("/", async (c) => c.text(String(await change(c.var.session))));
    app.onError((error, c) => {
      const { status = 500 } = error as { status?: 500 };
      return c.text(status === 500 ? "Internal Server Error" : error.message, status);
    });
    return nodeHandler((request) => app.fetch(request)) as RequestListener;
  },
  nest: async (sessions, t) => {
    const app = await NestFactory.create(ShopModule, { logger: false });
    await useSession(app, sessions);
    await app.init();
    t.after(() => app.close());
    return app.getHttpAdapter().getInstance();
  },
};

for (const [name, make] of Object.entries(makers))
  describe(name, () => {
    test("answers with the status of what went wrong, and says nothing of servers and databases", async (t) => {
      const logged = t.mock.method(console, "error", () => {});
      const { middleware, store } = slowSessions();
      store.isSlow = false;
      const server = http.createServer(await make(middleware, t));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      t.after(() => {
        server.closeAllConnections();
        server.close();
      });
      const browser = new Browser((server.address() as { port: number }).port);
      assert.equal(await browser.read("/"), "1");
      for (const [failure, expected] of failures) {
        store.refusal = failure;
        const { status, body } = await browser.get("/");
        assert.equal(status, expected, `${failure.code}: ${body}`);
        assert.doesNotMatch(body, /PostgreSQL|10\.0\.0|01234567|cart|node_modules|\.ts/);
      }
      store.refusal = null;
      store.isAway = true;
      assert.equal((await browser.get("/")).status, 503, "it can't even be loaded");
      store.isAway = false;
      assert.equal((await browser.get("/")).status, 200);
      const lines = logged.mock.calls.map(({ arguments: [error] }) => inspect(error)).join("\n");
      if (name === "express") assert.match(lines, /PostgreSQL at 10\.0\.0\.5:5432 did not answer/);
    });
  });
