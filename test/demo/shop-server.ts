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

export interface ShopServer {
  readonly origin: string;
  stop(): void;
}

export async function startShop(): Promise<ShopServer> {
  const { shop } = (await import(new URL("shop.js", shopFolder).href)) as { shop: () => RequestListener };
  const app = express();
  app.use(express.static(fileURLToPath(new URL("public", shopFolder))));
  app.use(memorySession() as unknown as RequestListener);
  app.use(shop());
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Just enough of a session for one process; Flotilla's own is tested beside its code. */
function memorySession(): Middleware {
  const store = new Map<string, Record<string, unknown>>();
  let last = 0;
  return (req, res, next) => {
    const open = (id: string): void => {
      const data = store.get(id) ?? {};
      store.set(id, data);
      const regenerate = (done: () => void): void => {
        open(`s${++last}`);
        done();
      };
      Object.defineProperty(data, "regenerate", { value: regenerate, configurable: true });
      req.session = data;
      req.sessionID = id;
      res.setHeader("set-cookie", `sid=${id}; Path=/; HttpOnly`);
    };
    open(/sid=(s[0-9]+)/.exec(req.headers.cookie ?? "")?.[1] ?? `s${++last}`);
    next();
  };
}
