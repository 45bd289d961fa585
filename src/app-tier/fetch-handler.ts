/** Handlers of the web's kind, `(Request) => Response`, as node:http handlers: streamed both ways, aborted when the client leaves. */
import { once } from "node:events";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { FlotillaError } from "../support/errors.ts";
import { count } from "../support/words.ts";

export type FetchHandler = (request: Request) => Response | Promise<Response>;

/**
 * @returns a node:http handler. What the fetch handler throws before it answers is printed and answered with 500; an
 *   answer whose body fails is cut.
 */
export function nodeHandler(handler: FetchHandler): RequestListener {
  return (req, res) => {
    void answer(handler, req, res);
  };
}

/**
 * @param handler has no parameter, or more than one, and is taken for one of node:http.
 * @returns it, with words for whoever wrote a fetch handler all the same: what returns a Response answers nobody.
 */
export function refusingResponses(handler: RequestListener): RequestListener {
  let isFirst = true;
  const check = (result: unknown, res: ServerResponse): void => {
    // Asking for the class `Response` loads it: not for handlers that return nothing, as those of node:http do.
    if (typeof result !== "object" || result === null || !(result instanceof Response)) return;
    console.error(
      new FlotillaError(
        "FLOTILLA_FETCH_HANDLER",
        `serve() was given a function with ${count(handler.length, "parameter")}, which makes it a handler (req, res) of node:http, and it ` +
          "returned a Response: write serve({ fetch: handler }), or serve((request: Request) => handler(request))",
        { source: "server" },
      ),
    );
    if (!res.headersSent) failed(res);
  };
  return function checked(this: unknown, req, res): void {
    const result: unknown = handler.call(this as never, req, res);
    if (result === undefined) return;
    if (result instanceof Promise) {
      if (isFirst) void result.then((value) => check(value, res));
      isFirst = false;
    } else check(result, res);
  };
}

async function answer(handler: FetchHandler, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const abort = new AbortController();
  res.once("close", () => {
    if (!res.writableFinished) abort.abort();
  });
  const request = requestOf(req, res, abort.signal);
  if (request === null) {
    res.writeHead(400).end();
    return;
  }
  try {
    await send(await handler(request), req, res);
  } catch (error) {
    // The client has left: whatever fails after that is its consequence.
    if (abort.signal.aborted || res.destroyed) return;
    console.error(error);
    if (res.headersSent) res.destroy();
    else failed(res);
  }
}

function failed(res: ServerResponse): void {
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  res.writeHead(500, { "Content-Type": "text/plain" }).end("Internal Server Error");
}

/** @returns null when no Request can be made of it: a target that is no path, a method that fetch forbids. */
function requestOf(req: IncomingMessage, res: ServerResponse, signal: AbortSignal): Request | null {
  const scheme = (req.socket as { encrypted?: boolean }).encrypted ? "https" : "http";
  const headers = new Headers();
  const { rawHeaders, method = "GET" } = req;
  try {
    for (let index = 0; index < rawHeaders.length; index += 2) {
      headers.append(rawHeaders[index]!, rawHeaders[index + 1]!);
    }
    const bodyless = method === "GET" || method === "HEAD";
    const body = bodyless ? null : bodyOf(req, res);
    const { host = "localhost" } = req.headers;
    // Node itself takes any Host on the ports of `listen:`, and this one would become a part of the path.
    if (/[/?#@\\]/.test(host)) return null;
    const url = new URL(`${scheme}://${host}${req.url}`);
    return new Request(url, { method, headers, signal, body, duplex: "half" } as RequestInit);
  } catch {
    return null;
  }
}

/**
 * `req` is untouched until somebody reads: what nobody reads, Node throws away when the answer is out. What was read in part
 * is read to its end then; else the connection's next request would wait for ever.
 */
function bodyOf(req: IncomingMessage, res: ServerResponse): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  res.once("finish", () => {
    if (reader !== null) void readToEnd(reader);
  });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        reader ??= (Readable.toWeb(req) as ReadableStream<Uint8Array>).getReader();
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
}

async function readToEnd(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    while (!(await reader.read()).done) {}
  } catch {
    // The client has left.
  }
}

async function send(response: Response, req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (response.type === "error") throw new TypeError("the fetch handler answered with Response.error()");
  res.statusCode = response.status;
  if (response.statusText !== "") res.statusMessage = response.statusText;
  for (const [name, value] of response.headers) {
    if (name !== "set-cookie") res.setHeader(name, value);
  }
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader("set-cookie", cookies);
  if (response.body === null || req.method === "HEAD") {
    await response.body?.cancel();
    res.end();
    return;
  }
  // An event stream may be silent for long: its head goes now.
  res.flushHeaders();
  const reader = response.body.getReader();
  res.once("close", () => {
    reader.cancel().catch(() => {}); // It has failed by itself already: there is nobody left to tell.
  });
  for (;;) {
    const { done, value } = await reader.read();
    if (res.destroyed) return;
    if (done) break;
    if (!res.write(value)) await drained(res);
  }
  res.end();
}

async function drained(res: ServerResponse): Promise<void> {
  const closed = new AbortController();
  const onClose = (): void => closed.abort();
  res.once("close", onClose);
  try {
    await once(res, "drain", { signal: closed.signal });
  } catch {
    // Closed instead of drained: the reader's loop sees it.
  } finally {
    res.removeListener("close", onClose);
  }
}
