/** The demo shop in this process, outside a cluster, for tests of its pages. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import express from "express";

export const shopFolder: URL = new URL("../../demo/shop/", import.meta.url);

// The shop is plain JavaScript, as a user writes it: what is used of it is named here.
type Middleware = (req: Visit, res: ServerResponse, next: () => void) => void;
type Visit = IncomingMessage & { session: Record<string, unknown>; sessionID: string };

/** A session's data, as the shop keeps it. */
export interface ShopSession {
  cart?: Record<string, number>;
  name?: string;
}

export interface ShopServer {
  readonly origin: string;
  /** By id, to be broken on purpose. */
  readonly sessions: Map<string, ShopSession>;
  /** Answers instead of the shop; returns true when it did. */
  fault: (req: IncomingMessage, res: ServerResponse) => boolean;
  stop(): void;
}

export async function startShop(): Promise<ShopServer> {
  const { shop } = (await import(new URL("shop.js", shopFolder).href)) as { shop: () => RequestListener };
  const app = express();
  const sessions = new Map<string, ShopSession>();
  const server = createServer(app);
  const started: ShopServer = {
    get origin() {
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    sessions,
    fault: () => false,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  app.use((req, res, next) => {
    if (!started.fault(req, res)) next();
  });
  app.use(express.static(fileURLToPath(new URL("public", shopFolder))));
  app.use(memorySession(sessions) as unknown as RequestListener);
  app.use(shop());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return started;
}

/** Just enough of a session for one process; Flotilla's own is tested beside its code. */
function memorySession(store: Map<string, ShopSession>): Middleware {
  let last = 0;
  return (req, res, next) => {
    const open = (id: string): void => {
      const data = store.get(id) ?? {};
      store.set(id, data);
      const destroy = (done: () => void): void => {
        store.delete(id);
        done();
      };
      const regenerate = (done: () => void): void => {
        store.delete(id);
        open(`s${++last}`);
        done();
      };
      Object.defineProperties(data, {
        destroy: { value: destroy, configurable: true },
        regenerate: { value: regenerate, configurable: true },
      });
      req.session = data as Record<string, unknown>;
      req.sessionID = id;
      res.setHeader("set-cookie", `sid=${id}; Path=/; HttpOnly`);
    };
    const asked = /sid=(s[0-9]+)/.exec(req.headers.cookie ?? "")?.[1] ?? "";
    open(store.has(asked) ? asked : `s${++last}`);
    next();
  };
}
