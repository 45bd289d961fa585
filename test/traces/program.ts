/**
 * Programs as their authors write them, one per framework (FRAMEWORK of the environment), which listen on PORT by the
 * framework's own means and print what they see: a line `trace [...]` for each request, and for each event of a socket.
 */
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const port = Number(process.env.PORT);
/** On all addresses, alone, clients of IPv4 would be seen as ::ffff:127.0.0.1. */
const host = "127.0.0.1";
let requests = 0;

function print(...values: unknown[]): void {
  console.log(`trace ${JSON.stringify(values)}`);
}

/** Prints a request when it is over, with its events in their order. */
function trace(server: http.Server): void {
  server.prependListener("request", (req: IncomingMessage, res: ServerResponse) => {
    const events: string[] = [];
    let open = 2;
    const over = (): void => {
      if (--open === 0) setImmediate(print, req.method, req.url, req.headers, events);
    };
    for (const event of ["end", "close", "aborted"]) req.on(event, () => events.push(`req ${event}`));
    for (const event of ["prefinish", "finish", "close"]) res.on(event, () => events.push(`res ${event}`));
    events.push(`${++requests}`, `${req.socket.remoteAddress} ${server.listening}`);
    req.on("close", over);
    res.on("close", over);
  });
  const listening = (): void => {
    const { port: shown } = server.address() as AddressInfo;
    print("listening", shown === port, server.listening);
  };
  if (server.listening) listening();
  else server.on("listening", listening);
}

const programs: Record<string, () => Promise<void>> = {
  async express() {
    const { default: express } = await import("express");
    const app = express();
    app.use(express.json());
    app.get("/", (req, res) => {
      res.cookie("a", "b").send(`hello ${req.ip} ${req.protocol}`);
    });
    app.post("/json", (req, res) => void res.json({ got: req.body }));
    app.get("/throws", () => {
      throw Object.assign(new Error("thrown"), { status: 418, stack: "" });
    });
    app.get("/stream", (_req, res) => {
      res.type("text").write("one ");
      setTimeout(() => res.end("two"), 5);
    });
    trace(app.listen(port, host));
  },
  async fastify() {
    const { default: fastify } = await import("fastify");
    const app = fastify();
    app.get("/", (request) => ({ hello: request.ip }));
    app.post("/json", (request) => ({ got: request.body }));
    app.get("/throws", () => {
      throw new Error("thrown");
    });
    app.get("/stream", (_request, reply) => {
      reply.hijack();
      reply.raw.write("one ");
      setTimeout(() => reply.raw.end("two"), 5);
    });
    trace(app.server);
    await app.listen({ port });
  },
  async koa() {
    const { default: Koa } = await import("koa");
    const app = new Koa();
    app.silent = true;
    // biome-ignore lint/suspicious/noExplicitAny: koa brings no types.
    app.use(async (ctx: any) => {
      if (ctx.path === "/") ctx.body = `hello ${ctx.ip}`;
      if (ctx.path === "/throws") ctx.throw(418, "thrown");
      if (ctx.path !== "/json") return;
      let text = "";
      for await (const piece of ctx.req) text += piece;
      ctx.body = { got: text };
    });
    trace(app.listen(port, host));
  },
  async hono() {
    const { Hono } = await import("hono");
    const { serve } = await import("@hono/node-server");
    const app = new Hono();
    app.get("/", (c) => c.text("hello"));
    app.post("/json", async (c) => c.json({ got: await c.req.text() }));
    app.get("/throws", () => {
      throw new Error("thrown");
    });
    app.onError((error, c) => c.text(error.message, 500));
    trace(serve({ fetch: app.fetch, port, hostname: host }) as http.Server);
  },
  async ws() {
    const { WebSocketServer } = await import("ws");
    const server = http.createServer((_req, res) => res.end("plain"));
    new WebSocketServer({ server }).on("connection", (socket, req) => {
      print("connection", req.url, req.socket.remoteAddress);
      socket.on("message", (text) => {
        print("message", String(text));
        socket.send(`echo ${text}`);
      });
      socket.on("close", (code, reason) => print("close", code, String(reason)));
    });
    trace(server);
    server.listen(port, host);
  },
  async "socket.io"() {
    const { Server } = await import("socket.io");
    const server = http.createServer();
    new Server(server).on("connection", (socket) => {
      print("connection", socket.conn.remoteAddress);
      socket.conn.once("upgrade", () => print("upgrade"));
      socket.on("echo", (text: string, answer: (text: string) => void) => {
        print("event", text);
        answer(`echo ${text}`);
      });
      socket.on("disconnect", (reason) => print("disconnect", reason));
    });
    server.on("listening", () => print("listening", server.listening));
    server.listen(port, host);
  },
};

await programs[process.env.FRAMEWORK!]!();
