/** What is each framework's own: plugins of plugins, proxies, upgrades, requests without a server. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { describe, type TestContext, test } from "node:test";
import fastify, { type FastifyInstance, type FastifyPluginAsync } from "fastify";
import { Hono } from "hono";
import Koa from "koa";
import { fastifySession } from "../../../src/session/frameworks/fastify.ts";
import { session as honoSession } from "../../../src/session/frameworks/hono.ts";
import { sessionOf, withSession } from "../../../src/session/frameworks/http.ts";
import { session as koaSession } from "../../../src/session/frameworks/koa.ts";
import { Browser } from "../../harness/session-site.ts";
import { slowSessions } from "../../harness/slow-store.ts";
import { portOf } from "./apps.ts";

describe("node:http", () => {
  test("an upgrade has the visitor's session, saves it by hand, and is told when it can't be had", async (t) => {
    const { middleware, store } = slowSessions();
    store.isSlow = false;
    const server = http.createServer(
      withSession((req, res) => {
        (req.session as { seen?: number }).seen ??= 1;
        res.end(JSON.stringify(req.session));
      }, middleware),
    );
    server.on("upgrade", (req: IncomingMessage, socket: Duplex) => {
      void upgraded(req, socket);
    });
    async function upgraded(req: IncomingMessage, socket: Duplex): Promise<void> {
      try {
        const session = (await sessionOf(req, middleware)) as { seen?: number; save(): Promise<void> };
        session.seen = (session.seen ?? 0) + 1;
        await session.save();
        socket.end(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n`);
      } catch (error) {
        socket.end(`HTTP/1.1 ${(error as { status: number }).status} Not now\r\nContent-Length: 0\r\n\r\n`);
      }
    }
    const browser = new Browser(await listen(t, server));
    await browser.get("/");
    assert.equal(await upgradeStatus(server, browser), 101);
    assert.match(await browser.read("/"), /"seen":2/);
    store.isAway = true;
    assert.equal(await upgradeStatus(server, browser), 503);
  });
});

describe("fastify", () => {
  test("the instance that registers it has sessions, and those below", async () => {
    const app = fastify();
    const routed = (at: FastifyInstance, path: string): void => {
      at.get(path, async (request) => request.session !== undefined);
    };
    routed(app, "/above");
    const below: FastifyPluginAsync = async (instance) => routed(instance, "/below");
    const part: FastifyPluginAsync = async (instance) => {
      await instance.register(fastifySession, { logLevel: "error", idleTimeout: "1h" });
      routed(instance, "/part");
      await instance.register(below);
    };
    await app.register(part);
    for (const [path, expected] of [
      ["/above", "false"],
      ["/part", "true"],
      ["/below", "true"],
    ] as const)
      assert.equal((await app.inject(path)).body, expected, path);
  });

  test("registered twice it says so", async () => {
    const app = fastify();
    await app.register(fastifySession, {});
    await assert.rejects(async () => void (await app.register(fastifySession, {})), {
      code: "FST_ERR_DEC_ALREADY_PRESENT",
    });
  });

  test("`trustProxy` tells that the browser used https", async () => {
    for (const trustProxy of [true, false]) {
      const app = fastify({ trustProxy });
      await app.register(fastifySession, { cookie: { secure: "auto" } });
      app.get("/", async (request) => {
        (request.session as { a?: number }).a = 1;
        return "";
      });
      const { headers } = await app.inject({ url: "/", headers: { "x-forwarded-proto": "https" } });
      assert.equal(/; Secure/.test(String(headers["set-cookie"])), trustProxy);
    }
  });
});

describe("koa", () => {
  test("`app.proxy` tells that the browser used https, and `ctx.session = null` takes the session away", async (t) => {
    for (const proxy of [true, false]) {
      const app = new Koa();
      app.proxy = proxy;
      app.use(koaSession({ cookie: { secure: "auto" }, unset: "destroy" }));
      // biome-ignore lint/suspicious/noExplicitAny: koa brings no types.
      app.use(async (ctx: any) => {
        if (ctx.path === "/out") ctx.session = null;
        else if (ctx.path === "/set") ctx.session.a = 1;
        ctx.body = String(ctx.session === ctx.req.session && (ctx.session?.a ?? "nothing"));
      });
      const browser = new Browser(await listen(t, http.createServer(app.callback())));
      const headers = { "x-forwarded-proto": "https" };
      const { cookies } = await browser.get("/set", { headers });
      assert.equal(/; Secure/.test(cookies[0]!), proxy);
      assert.equal(await browser.read("/look"), "1");
      await browser.get("/out");
      assert.equal(await browser.read("/look"), "nothing");
    }
  });
});

describe("hono", () => {
  test("needs no server: `app.request()` has sessions too", async () => {
    const app = new Hono();
    app.use(honoSession({ cookie: { secure: "auto" } }));
    app.get("/", (c) => {
      const session = c.var.session as { visits?: number };
      session.visits = (session.visits ?? 0) + 1;
      return c.text(`${session.visits}`);
    });
    const first = await app.request("https://shop.example/");
    const [cookie] = first.headers.getSetCookie();
    assert.match(cookie!, /; Secure/);
    const second = await app.request("https://shop.example/", {
      headers: { cookie: cookie!.split(";")[0]! },
    });
    assert.deepEqual([await second.text(), second.headers.getSetCookie()], ["2", []]);
  });

  test("a handler's own cookies and what it throws are answered as ever", async () => {
    const app = new Hono();
    app.use(honoSession());
    app.onError((error, c) => c.text(error.message, 418));
    app.get("/", (c) => {
      (c.var.session as { a?: number }).a = 1;
      c.header("Set-Cookie", "own=1");
      return c.text("ok");
    });
    app.get("/throws", (c) => {
      (c.var.session as { a?: number }).a = 1;
      throw new Error("thrown");
    });
    app.get("/passed-on", async (c) => {
      (c.var.session as { a?: number }).a = 1;
      // As the answer of `fetch` has them: fields that can't be changed.
      return await fetch("data:text/plain,from elsewhere");
    });
    const names = ({ headers }: Response): string[] =>
      headers.getSetCookie().map((line) => line.split("=")[0]!);
    assert.deepEqual(names(await app.request("/")), ["own", "sid"]);
    const thrown = await app.request("/throws");
    assert.deepEqual([thrown.status, names(thrown)], [418, ["sid"]]);
    const passedOn = await app.request("/passed-on");
    assert.deepEqual([await passedOn.text(), names(passedOn)], ["from elsewhere", ["sid"]]);
  });
});

async function listen(t: TestContext, server: http.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return portOf(server);
}

async function upgradeStatus(server: http.Server, { jar }: Browser): Promise<number> {
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
  const asked = http.request({
    port: portOf(server),
    host: "127.0.0.1",
    headers: { Connection: "Upgrade", Upgrade: "x", cookie },
  });
  asked.end();
  const [res] = (await Promise.race([once(asked, "upgrade"), once(asked, "response")])) as [IncomingMessage];
  res.destroy();
  return res.statusCode!;
}
