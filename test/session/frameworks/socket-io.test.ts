/** socket.io, by itself or below a gateway of Nest: its handshake has the visitor's session, and events change it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { test } from "node:test";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { type RequestWithSession, withSession } from "../../../src/session/frameworks/http.ts";
import { Browser } from "../../harness/session-site.ts";
import { slowSessions } from "../../harness/slow-store.ts";
import { portOf } from "./apps.ts";

type Data = { total?: number };

for (const transport of ["polling", "websocket"])
  test(`over ${transport} an event has the session that HTTP requests have`, async (t) => {
    const { middleware, store } = slowSessions();
    store.isSlow = false;
    const server = http.createServer(
      withSession((req, res) => {
        const session = req.session as Data;
        session.total ??= 1;
        res.end(String(session.total));
      }, middleware),
    );
    const sockets = new Server(server);
    sockets.engine.use(middleware);
    sockets.on("connection", (socket) => {
      socket.on("add", async (told: (total: number) => void) => {
        const { session } = socket.request as RequestWithSession;
        told(await session.update<number>("total", (total = 0) => total + 1));
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => sockets.close());

    const browser = new Browser(portOf(server));
    assert.equal(await browser.read("/"), "1");
    const client = io(`http://127.0.0.1:${portOf(server)}`, {
      transports: [transport],
      extraHeaders: { cookie: `sid=${browser.jar.get("sid")}` },
    });
    t.after(() => client.close());
    assert.equal(await client.emitWithAck("add"), 2);
    assert.equal(await browser.read("/"), "2");
    assert.equal(await client.emitWithAck("add"), 3);
  });
