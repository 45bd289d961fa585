/** App servers of either kind inside the test's own process, which answer when the test says so; `/hints` gets a 103 at once. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { linkApp } from "./link-app.ts";
import { type WebSite, type WebSiteOptions, webSite } from "./web-site.ts";

export type Kind = "link" | "plain";

export interface HeldServers {
  readonly web: WebSite;
  /** What came to each server, in its order: "GET /path" or "PUT /path body". */
  readonly seen: readonly (readonly string[])[];
  /** Answers the oldest request that the server has whole. */
  answer(server: number, body: string): void;
  /** The server has had `count` whole requests, now or when they come. Upgrades, which it takes at once, included. */
  has(server: number, count: number): Promise<void>;
}

export async function heldServers(
  t: TestContext,
  kind: Kind,
  count: number,
  options: WebSiteOptions = {},
): Promise<HeldServers> {
  const servers = Array.from({ length: count }, () => new HeldServer());
  const ports: number[] = [];
  for (const [at, server] of servers.entries()) ports.push(await server.listen(t, kind, `app-${"abcd"[at]}`));
  return {
    web: await webSite(t, ports, { ...options, link: kind === "link" }),
    seen: servers.map(({ seen }) => seen),
    answer: (server, body) => servers[server]!.pending.shift()!(body),
    has: (server, requests) => until(() => servers[server]!.seen.length >= requests),
  };
}

class HeldServer {
  readonly seen: string[] = [];
  readonly pending: ((body: string) => void)[] = [];

  async listen(t: TestContext, kind: Kind, name: string): Promise<number> {
    const server = await (kind === "link" ? this.#link(t, name) : this.#plain(t));
    server.http.on("upgrade", (request, socket) => {
      this.seen.push(`${request.method} ${request.url}`);
      socket.on("error", () => {});
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    });
    return server.port;
  }

  async #link(t: TestContext, name: string): Promise<{ http: Server; port: number }> {
    const { server, port } = await linkApp(t, name, this.#handler);
    return { http: server, port };
  }

  async #plain(t: TestContext): Promise<{ http: Server; port: number }> {
    const http = createServer(this.#handler).listen(0, "127.0.0.1");
    await once(http, "listening");
    t.after(() => {
      http.close();
      http.closeAllConnections();
    });
    return { http, port: (http.address() as AddressInfo).port };
  }

  readonly #handler: RequestListener = (request, response) => {
    let body = "";
    request.on("data", (data) => {
      body += data;
    });
    request.on("end", () => {
      if (request.url === "/hints") response.writeEarlyHints({ link: "</a.css>; rel=preload" });
      this.seen.push(`${request.method} ${request.url} ${body}`.trimEnd());
      this.pending.push((text) => response.end(text));
    });
  };
}

export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
}
