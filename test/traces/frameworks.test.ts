// biome-ignore-all lint/correctness/noUnresolvedImports: two packages name no main file; Node finds it.
/** The frameworks and the middleware that applications are made of, each over both ways. */
import http, { type RequestListener } from "node:http";
import { getRequestListener } from "@hono/node-server";
import bodyParser from "body-parser";
import compression from "compression";
import express5 from "express";
import expressSession from "express-session";
import express4 from "express4";
import fastify from "fastify";
import helmet from "helmet";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import Koa from "koa";
import multer from "multer";
import passport from "passport";
import { Strategy } from "passport-local";
import { nodeHandler } from "../../src/app-tier/fetch-handler.ts";
import { compare, type Trace } from "./compare.ts";
import type { RequestHead, Way } from "./ways.ts";

const json: RequestHead["fields"] = [["Content-Type", "application/json"]];
const form: RequestHead["fields"] = [["Content-Type", "application/x-www-form-urlencoded"]];

/** What passport adds to a request. */
interface Authenticated {
  readonly user: { readonly name: string };
  isAuthenticated(): boolean;
  logout(done: (error: unknown) => void): void;
}

function authenticated(req: express5.Request): Authenticated {
  return req as unknown as Authenticated;
}

function served(trace: Trace, listener: RequestListener): http.Server {
  const server = http.createServer(listener);
  server.prependListener("request", (req, res) => {
    trace.watch("res", res, "finish", "close");
    trace.watch("req", req, "end", "close", "aborted");
  });
  return server;
}

/** What every framework below offers, asked in the same way. */
async function askAll(way: Way): Promise<unknown[]> {
  const text = '{"name":"\u00fcber","list":[1,2,3]}';
  const length = Buffer.byteLength(text);
  return [
    await way.exchange({ target: "/" }),
    await way.exchange({ target: "/", method: "HEAD" }),
    await way.exchange({ target: "/missing?x=1" }),
    await way.exchange({ target: "/json", method: "POST", fields: json!, body: length }, text),
    await way.exchange({ target: "/json", method: "POST", fields: json!, body: "chunked" }, text),
    await way.exchange({ target: "/json", method: "POST", fields: json!, body: 4 }, "{bad"),
    await way.exchange({ target: "/throws" }),
    await way.exchange({ target: "/stream" }),
    await way.exchange({ target: "/redirect" }),
  ];
}

for (const [name, express] of [
  ["Express 5", express5],
  ["Express 4", express4],
] as const) {
  compare({
    name: `${name}: routes, json, urlencoded, errors, streams, conditional requests`,
    server(trace) {
      const app = express();
      app.use(express.json());
      app.use(express.urlencoded({ extended: true }));
      app.get("/", (req: express5.Request, res: express5.Response) => {
        trace.note("ip", req.ip, req.protocol, req.secure, req.hostname, req.originalUrl, req.xhr);
        res.cookie("a", "b", { httpOnly: true }).cookie("c", "d").send("hello");
      });
      app.post("/json", (req: express5.Request, res: express5.Response) => res.json({ got: req.body }));
      app.post("/form", (req: express5.Request, res: express5.Response) => res.json(req.body));
      app.get("/throws", () => {
        throw new Error("thrown in a route");
      });
      app.get("/stream", (_req: express5.Request, res: express5.Response) => {
        res.type("text").write("one ");
        setTimeout(() => res.end("two"), 5);
      });
      app.get("/redirect", (_req: express5.Request, res: express5.Response) => res.redirect(302, "/"));
      app.get("/file", (_req: express5.Request, res: express5.Response) =>
        res.sendFile(import.meta.filename, { lastModified: false }),
      );
      // Express recognizes an error handler by its four parameters.
      app.use(
        (
          error: Error & { status?: number },
          _req: express5.Request,
          res: express5.Response,
          _next: unknown,
        ) => {
          res.status(error.status ?? 500).send(`caught: ${error.message}`);
        },
      );
      return served(trace, app as RequestListener);
    },
    async client(way) {
      const answers = await askAll(way);
      const etag = 'W/"5-qvTGHdzF6KLavt4PO0gs2a6pQ00"';
      answers.push(
        await way.exchange({ fields: [["If-None-Match", etag]] }),
        await way.exchange({ target: "/form", method: "POST", fields: form!, body: 12 }, "a[b]=1&c=%20"),
        await way.exchange({ target: "/file" }),
        await way.exchange({ target: "/file", fields: [["Range", "bytes=10-19"]] }),
      );
      return answers as never;
    },
  });
}

compare({
  name: "Fastify: routes, json, errors, streams",
  async server(trace) {
    const app = fastify({
      serverFactory: (handler) => served(trace, handler as RequestListener),
      requestIdHeader: false,
    });
    app.addHook("onResponse", (request, reply, done) => {
      trace.note("onResponse", request.url, reply.statusCode);
      done();
    });
    app.addHook("onRequestAbort", (_request, done) => {
      trace.note("onRequestAbort");
      done();
    });
    app.get("/", (request) => {
      trace.note("ip", request.ip, request.protocol, request.hostname, request.host);
      return { hello: "world" };
    });
    app.post("/json", (request) => ({ got: request.body }));
    app.get("/throws", () => {
      throw new Error("thrown in a route");
    });
    app.get("/stream", (_request, reply) => {
      reply.type("text/plain").hijack();
      reply.raw.write("one ");
      setTimeout(() => reply.raw.end("two"), 5);
    });
    app.get("/redirect", (_request, reply) => reply.redirect("/"));
    await app.ready();
    return app.server;
  },
  client: (way) => askAll(way) as never,
});

compare({
  name: "Koa: routes, errors, streams",
  server(trace) {
    const app = new Koa();
    app.silent = true;
    // biome-ignore lint/suspicious/noExplicitAny: koa brings no types.
    app.use(async (ctx: any) => {
      trace.note("ip", ctx.ip, ctx.protocol, ctx.host, ctx.path, ctx.writable, ctx.socket.writable);
      if (ctx.path === "/") ctx.body = "hello";
      else if (ctx.path === "/json") {
        let text = "";
        for await (const piece of ctx.req) text += piece;
        ctx.body = { got: text };
      } else if (ctx.path === "/throws") ctx.throw(418, "thrown");
      else if (ctx.path === "/stream") {
        ctx.respond = false;
        ctx.res.write("one ");
        setTimeout(() => ctx.res.end("two"), 5);
      } else if (ctx.path === "/redirect") ctx.redirect("/");
    });
    return served(trace, app.callback());
  },
  client: (way) => askAll(way) as never,
});

for (const [name, adapter] of [
  ["Hono's Node adapter", getRequestListener],
  ["Hono by our fetch adapter", nodeHandler],
] as const) {
  compare({
    name: `${name}: routes, json, streams, server-sent events`,
    server(trace) {
      const app = new Hono();
      app.onError((error, c) => c.text(`caught: ${error.name}`, 500));
      app.get("/", (c) => {
        trace.note("url", c.req.url.replace(/:\d+/, ""), c.req.header("host"));
        c.header("set-cookie", "a=b");
        c.header("set-cookie", "c=d", { append: true });
        return c.text("hello");
      });
      app.post("/json", async (c) => c.json({ got: await c.req.json() }));
      app.get("/throws", () => {
        throw new Error("thrown in a route");
      });
      app.get("/stream", (c) =>
        streamSSE(c, async (stream) => {
          await stream.writeSSE({ data: "one" });
          await stream.sleep(5);
          await stream.writeSSE({ data: "two" });
        }),
      );
      app.get("/redirect", (c) => c.redirect("/"));
      return http.createServer(adapter(app.fetch as never) as RequestListener);
    },
    client: (way) => askAll(way) as never,
  });
}

compare({
  name: "helmet and compression: small, large, streamed and flushed answers",
  server(trace) {
    const app = express5();
    app.use(helmet());
    app.use(compression({ threshold: 100 }));
    app.get("/small", (_req, res) => {
      res.send("small");
    });
    app.get("/large", (_req, res) => {
      res.type("text").send("large ".repeat(20_000));
    });
    app.get("/drain", (_req, res) => {
      res.type("text");
      let left = 40;
      const more = (): void => {
        while (left-- > 0)
          if (!res.write(Buffer.alloc(65_536, String(left % 10)))) return void res.once("drain", more);
        res.end();
      };
      more();
    });
    return served(trace, app as RequestListener);
  },
  async client(way) {
    const fields: RequestHead["fields"] = [["Accept-Encoding", "gzip, br"]];
    return [
      await way.exchange({ target: "/small", fields }),
      await way.exchange({ target: "/large", fields }),
      await way.exchange({ target: "/large" }),
      await way.exchange({ target: "/drain", fields }),
    ];
  },
});

compare({
  name: "body-parser: limits, gzip, raw, text, an upload that is cut",
  server(trace) {
    const app = express4();
    app.use(bodyParser.json({ limit: "1kb" }), bodyParser.text(), bodyParser.raw());
    app.post("/", (req: express5.Request, res: express5.Response) =>
      res.json({ type: typeof req.body, body: req.body }),
    );
    app.use(
      (
        error: Error & { status?: number; type?: string },
        _req: unknown,
        res: express5.Response,
        _next: unknown,
      ) => {
        trace.note("error", error.type, error.status);
        res.status(error.status ?? 500).send(error.type);
      },
    );
    return served(trace, app as RequestListener);
  },
  async client(way, trace) {
    const large = JSON.stringify({ large: "x".repeat(5_000) });
    const answers = [
      await way.exchange({ method: "POST", fields: json!, body: large.length }, large),
      await way.exchange({ method: "POST", fields: json!, body: "chunked" }, large),
      await way.exchange({ method: "POST", fields: [["Content-Type", "text/plain"]], body: 4 }, "text"),
      await way.exchange(
        { method: "POST", fields: [["Content-Type", "application/octet-stream"]], body: 3 },
        "raw",
      ),
      await way.exchange({ method: "POST", body: "none" }),
    ];
    const cut = way.request({ method: "POST", fields: json!, body: 100 });
    cut.write('{"begun":');
    await new Promise((resolve) => setTimeout(resolve, 20));
    cut.abort("reset");
    await trace.until('error "request.aborted"');
    return answers;
  },
});

compare({
  name: "multer: a multipart upload with two files",
  server(trace) {
    const app = express5();
    app.post("/", multer({ limits: { fileSize: 100_000 } }).any(), (req, res) => {
      const files = (req as unknown as { files: { originalname: string; size: number }[] }).files;
      res.json({ body: req.body, files: files.map(({ originalname, size }) => [originalname, size]) });
    });
    app.use((error: Error & { code?: string }, _req: unknown, res: express5.Response, _next: unknown) => {
      res.status(413).send(error.code);
    });
    return served(trace, app as RequestListener);
  },
  async client(way) {
    const fields: RequestHead["fields"] = [["Content-Type", "multipart/form-data; boundary=b"]];
    const body = (size: number): Buffer =>
      Buffer.from(
        `--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nvalue\r\n--b\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\nContent-Type: application/octet-stream\r\n\r\n${"x".repeat(size)}\r\n--b\r\nContent-Disposition: form-data; name="g"; filename="b.txt"\r\n\r\nsecond\r\n--b--\r\n`,
      );
    const answers = [];
    for (const size of [90_000, 300_000]) {
      const bytes = body(size);
      answers.push(await way.exchange({ method: "POST", fields, body: bytes.length }, bytes));
    }
    return answers;
  },
});

compare({
  name: "passport with express-session: log in, a page for the logged in, log out",
  server(trace) {
    const app = express5();
    const auth = new passport.Passport();
    auth.use(
      new Strategy((name: string, password: string, done: (error: unknown, user: unknown) => void) =>
        done(null, password === "right" ? { name } : false),
      ),
    );
    auth.serializeUser((user: unknown, done: (error: unknown, id: unknown) => void) => done(null, user));
    auth.deserializeUser((id: unknown, done: (error: unknown, user: unknown) => void) => done(null, id));
    let ids = 0;
    app.use(express5.urlencoded());
    app.use(
      expressSession({ secret: "s", resave: false, saveUninitialized: false, genid: () => `id-${++ids}` }),
    );
    app.use(auth.session());
    app.post("/login", auth.authenticate("local"), (req, res) => {
      res.send(`welcome ${authenticated(req).user.name}`);
    });
    app.get("/me", (req, res) => {
      res.send(authenticated(req).isAuthenticated() ? authenticated(req).user.name : "nobody");
    });
    app.post("/logout", (req, res, next) => {
      authenticated(req).logout((error: unknown) => (error ? next(error) : res.send("bye")));
    });
    return served(trace, app as unknown as RequestListener);
  },
  async client(way) {
    const post = (password: string): Promise<{ fields: readonly string[] }> => {
      const body = `username=ann&password=${password}`;
      return way.exchange({ target: "/login", method: "POST", fields: form!, body: body.length }, body);
    };
    const login = await post("right");
    const cookie = login.fields
      .find((field) => field.startsWith("Set-Cookie:"))!
      .slice(12)
      .split(";")[0]!;
    return [
      login as never,
      (await post("wrong")) as never,
      await way.exchange({ target: "/me", fields: [["Cookie", cookie]] }),
      await way.exchange({ target: "/logout", method: "POST", body: "none", fields: [["Cookie", cookie]] }),
      await way.exchange({ target: "/me", fields: [["Cookie", cookie]] }),
      await way.exchange({ target: "/me", fields: [["Cookie", "connect.sid=forged"]] }),
    ];
  },
});
