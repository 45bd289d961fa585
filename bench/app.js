// The application that all contenders stand in front of: `node app.js plain|express`. As a server of a cluster it
// serves there; else it listens on PORT. Nothing in it differs between the contenders.
import { createServer } from "node:http";

const text = "hello world ".repeat(10);

function hello(req, res) {
  if (req.headers.host === undefined) throw new Error("no headers");
  res.setHeader("Content-Type", "text/plain");
  res.setHeader("Content-Length", text.length);
  res.end(text);
}

/** The body back, with a header field that stands twice. */
function echo(req, res) {
  const chunks = [];
  req.on("data", (chunk) => chunks.push(chunk));
  req.on("end", () => {
    const body = Buffer.concat(chunks);
    res.writeHead(201, {
      "Content-Type": req.headers["content-type"] ?? "application/octet-stream",
      "Content-Length": body.length,
      "Set-Cookie": ["one=1; Path=/", "two=2; Path=/"],
    });
    res.end(body);
  });
}

/** What arrived here of the request, for the proof that all contenders pass on the same. */
function seen(req, res) {
  res.setHeader("Content-Type", "application/json");
  res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers }));
}

function missing(_req, res) {
  res.statusCode = 404;
  res.setHeader("Content-Type", "text/plain");
  res.end("nothing here\n");
}

function plain(req, res) {
  if (req.url === "/") hello(req, res);
  else if (req.url === "/echo" && req.method === "POST") echo(req, res);
  else if (req.url.startsWith("/seen")) seen(req, res);
  else missing(req, res);
}

async function handlerOf(kind) {
  if (kind === "plain") return plain;
  const { default: express } = await import("express");
  const app = express();
  app.disable("etag");
  app.disable("x-powered-by");
  app.get("/", hello);
  app.post("/echo", echo);
  app.get("/seen", seen);
  app.use(missing);
  return app;
}

const handler = await handlerOf(process.argv[2]);
if (process.env.FLOTILLA_SERVER) {
  const { serve } = await import("flotilla/app");
  await serve(handler);
} else {
  const server = createServer(handler);
  // Longer than any proxy keeps an idle connection, so that none meets a closing one.
  server.keepAliveTimeout = 75_000;
  server.listen(Number(process.env.PORT), "127.0.0.1");
}
