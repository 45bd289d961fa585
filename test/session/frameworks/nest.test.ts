// biome-ignore-all lint/style/useNamingConvention: decorators have names of their own.
/** Sessions in Nest: on Express, on Fastify, in guards; decorators are applied by hand, for Node runs this file as it is. */
import assert from "node:assert/strict";
import "reflect-metadata";
import { type TestContext, test } from "node:test";
import { Controller, type ExecutionContext, Get, Module, Req, Session, UseGuards } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import fastify from "fastify";
import { type RequestWithSession, useSession } from "../../../src/session/frameworks/nest.ts";
import type { Session as SessionOf } from "../../../src/session/index.ts";
import { Browser } from "../../harness/session-site.ts";
import { slowSessions } from "../../harness/slow-store.ts";

type Data = SessionOf & { visits?: number; user?: string };

class SignedIn {
  canActivate(context: ExecutionContext): boolean {
    return (context.switchToHttp().getRequest<RequestWithSession>().session as Data).user !== undefined;
  }
}

class Shop {
  visit(session: Data): number {
    session.visits = (session.visits ?? 0) + 1;
    return session.visits;
  }

  async signIn(req: RequestWithSession): Promise<string> {
    await req.session.regenerate();
    (req.session as Data).user = "anna";
    return req.session.id;
  }

  account(session: Data): string {
    return session.user!;
  }
}

function decorate(method: keyof Shop, decorators: MethodDecorator[], parameter: ParameterDecorator): void {
  const descriptor = Object.getOwnPropertyDescriptor(Shop.prototype, method)!;
  for (const decorator of decorators) decorator(Shop.prototype, method, descriptor);
  parameter(Shop.prototype, method, 0);
}
decorate("visit", [Get("/")], Session());
decorate("signIn", [Get("/sign-in")], Req());
decorate("account", [Get("/account"), UseGuards(SignedIn)], Session());
Controller()(Shop);
class ShopModule {}
Module({ controllers: [Shop] })(ShopModule);

async function start(t: TestContext): Promise<Started> {
  const { middleware, store } = slowSessions();
  store.isSlow = false;
  const app = await NestFactory.create(ShopModule, { logger: false });
  await useSession(app, middleware);
  await app.listen(0, "127.0.0.1");
  t.after(() => app.close());
  return { browser: new Browser((app.getHttpServer().address() as { port: number }).port), store };
}

interface Started {
  readonly browser: Browser;
  readonly store: ReturnType<typeof slowSessions>["store"];
}

test("@Session() is the session, a guard finds it at the request, and a sign-in gives it another id", async (t) => {
  const { browser } = await start(t);
  assert.equal(await browser.read("/"), "1");
  assert.equal(await browser.read("/"), "2");
  assert.equal((await browser.get("/account")).status, 403);
  assert.equal(await browser.read("/sign-in"), browser.jar.get("sid"));
  assert.equal(await browser.read("/account"), "anna");
});

test("a session that can't be had is answered 503", async (t) => {
  const { browser, store } = await start(t);
  await browser.get("/");
  store.isAway = true;
  const { status, headers } = await browser.get("/");
  assert.deepEqual([status, headers["retry-after"]], [503, "1"]);
});

test("on Fastify it is the plugin", async () => {
  const { middleware, store } = slowSessions();
  store.isSlow = false;
  const platform = fastify();
  await useSession(
    {
      getHttpAdapter: () => ({ getType: () => "fastify" }),
      use: () => assert.fail("Nest's middleware on Fastify sees another request"),
      register: (plugin, options) => platform.register(plugin, options),
    },
    middleware,
  );
  platform.get("/", async (request) => (request.session as unknown as SessionOf).id !== "");
  assert.equal((await platform.inject("/")).body, "true");
});
