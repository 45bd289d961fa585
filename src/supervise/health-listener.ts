/**
 * `health:`: where balancers and container engines ask a web server how it is. It is answered by the main process, so a
 * worker that hangs or drowns in work can't make the answer wait, and an answer says so.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Endpoint } from "../config/model.ts";
import { health as limits } from "../support/limits.ts";
import { listenOn } from "../support/listen.ts";
import type { Log } from "../support/log.ts";

/** Each is a reason in words for 503, or "" for 200. */
export interface HealthAnswers {
  /** `/livez`: why the process should be started again. */
  unlive(): string;
  /** `/readyz`: why no request should be sent here. */
  unready(): string;
}

/** @throws FlotillaError when the port can't be had. */
export async function openHealth(
  { address, port }: Endpoint,
  answers: HealthAnswers,
  log: Log,
): Promise<{ close(): void }> {
  const server = createServer(
    {
      maxHeaderSize: limits.headBytesMax,
      headersTimeout: limits.timeoutMs,
      requestTimeout: limits.timeoutMs,
      connectionsCheckingInterval: limits.timeoutMs / 2,
    },
    (request, response) => answer(request, response, answers),
  );
  server.maxConnections = limits.connectionsMax;
  // Of an answer that nobody reads.
  server.setTimeout(limits.timeoutMs, (socket) => socket.destroy());
  await listenOn(server, "the address under health:", { host: address, port }, log);
  return { close: () => end(server) };
}

function answer(request: IncomingMessage, response: ServerResponse, answers: HealthAnswers): void {
  const { method, url = "" } = request;
  const path = url.split("?", 1)[0];
  if (path !== "/livez" && path !== "/readyz") return send(response, 404, "there are /livez and /readyz");
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return send(response, 405, "ask with GET");
  }
  const reason = path === "/livez" ? answers.unlive() : answers.unready();
  send(response, reason === "" ? 200 : 503, reason === "" ? "ok" : reason);
}

function send(response: ServerResponse, status: number, text: string): void {
  const body = `${text}\n`;
  response.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    Connection: "close",
  });
  response.end(body);
}

function end(server: Server): void {
  server.close();
  server.closeAllConnections();
}
