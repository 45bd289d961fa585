/** A small site for tests of sessions: Node's own HTTP server, a middleware, and a browser that keeps cookies. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

// biome-ignore lint/suspicious/noExplicitAny: requests of two libraries, whose types exclude each other.
export type AnyRequest = IncomingMessage & { session: any; sessionID: string; originalUrl?: string };
export type Handler = (req: AnyRequest, res: ServerResponse) => unknown;
// biome-ignore lint/suspicious/noExplicitAny: as above.
export type AnyMiddleware = (req: any, res: any, next: (error?: unknown) => void) => void;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly cookies: readonly string[];
  readonly body: string;
}

export interface Visit {
  readonly headers?: Record<string, string>;
  readonly method?: string;
}

export class SessionSite implements AsyncDisposable {
  readonly #server: ReturnType<typeof createServer>;
  readonly port: number;
  readonly middleware: AnyMiddleware;

  constructor(server: ReturnType<typeof createServer>, middleware: AnyMiddleware) {
    this.#server = server;
    this.middleware = middleware;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @param routes by path; an unknown path is a 404 that the session middleware has seen. */
  static async start(middleware: AnyMiddleware, routes: Record<string, Handler>): Promise<SessionSite> {
    const server = createServer((req, res) => {
      middleware(req, res, (error) => {
        const route = routes[req.url!.split("?")[0]!];
        res.statusCode = error ? 500 : route ? 200 : 404;
        if (error || route === undefined) return void res.end(error ? String(error) : "no route");
        // Also what it throws before it waits for anything: the middleware's own ways with that may never answer.
        const answered = new Promise((resolve) => resolve(route(req as AnyRequest, res)));
        answered.catch((thrown: unknown) => {
          res.statusCode = 500;
          res.end(String(thrown));
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new SessionSite(server, middleware);
  }

  browser(): Browser {
    return new Browser(this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export class Browser {
  readonly jar: Map<string, string> = new Map();
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** The same visitor in another tab, or at another site. */
  copy(port: number = this.#port): Browser {
    const other = new Browser(port);
    for (const [name, value] of this.jar) other.jar.set(name, value);
    return other;
  }

  get(path: string, visit: Visit = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join("; ");
      const headers = { ...(cookie === "" ? {} : { cookie }), ...visit.headers };
      const options = {
        port: this.#port,
        host: "127.0.0.1",
        path,
        headers,
        method: visit.method ?? "GET",
        agent: false,
      };
      const req = request(options, (res) => {
        const chunks: Buffer[] = [];
        res.on("data", (chunk: Buffer) => chunks.push(chunk));
        res.on("error", reject);
        res.on("end", () => {
          const cookies = res.headers["set-cookie"] ?? [];
          for (const line of cookies) this.#keep(line);
          const body = Buffer.concat(chunks).toString();
          resolve({ status: res.statusCode!, headers: res.headers, cookies, body });
        });
      });
      req.on("error", reject);
      req.end();
    });
  }

  /** Fails unless the answer is a 200. */
  async read(path: string): Promise<string> {
    const answer = await this.get(path);
    assert.equal(answer.status, 200, answer.body);
    return answer.body;
  }

  #keep(line: string): void {
    const [pair] = line.split(";", 1);
    const equals = pair!.indexOf("=");
    this.jar.set(pair!.slice(0, equals), pair!.slice(equals + 1));
  }
}
