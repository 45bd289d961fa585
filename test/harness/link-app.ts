/** An application behind a real cluster port, inside the test's own process: link listener, streams, Node's own classes. */
import http from "node:http";
import { attachServer } from "../../src/app-tier/virtual-listener.ts";
import { type Link, type LinkStream, StreamKind, type StreamService } from "../../src/link/api.ts";
import { linkKeys } from "../../src/link/keys.ts";
import { LinkListener } from "../../src/link/listener.ts";
import { silentLog } from "../../src/support/log.ts";
import { freePorts } from "./free-ports.ts";
import { secret } from "./web-site.ts";

export interface LinkApp {
  readonly port: number;
  readonly server: http.Server;
  close(): Promise<void>;
}

/** @param name as the web tier's harness names it: "app-a", "app-b", ... */
export async function linkApp(
  t: { after(end: () => Promise<void>): void },
  name: string,
  handler: http.RequestListener,
  key: Buffer = secret,
): Promise<LinkApp> {
  const server = http.createServer(handler);
  const [port] = (await freePorts(1)) as [number];
  const service = attachServer(server, {
    address: "127.0.0.1",
    port,
    counter: { requests: 0 },
    compat: false,
    onClose: () => {},
  });
  const listener = new LinkListener({
    self: { name, incarnation: "test" },
    address: "127.0.0.1",
    port,
    keys: linkKeys(key, null),
    knows: () => true,
    services: new Map<StreamKind, StreamService>([
      [StreamKind.http, service],
      [StreamKind.load, service.load],
    ]),
    log: silentLog,
  });
  await listener.listen();
  const app = { port, server, close: () => listener.close() };
  t.after(() => app.close());
  return app;
}

/** An app server that answers each request on the link with exact bytes, sound or not. @param onUp told of each link. @returns its port. */
export async function rawLinkApp(
  t: { after(end: () => Promise<void>): void },
  answer: (stream: LinkStream) => void,
  onUp: (link: Link) => void = () => {},
): Promise<number> {
  const listener = new LinkListener({
    self: { name: "app-a", incarnation: "test" },
    address: "127.0.0.1",
    port: 0,
    keys: linkKeys(secret, null),
    knows: () => true,
    services: new Map([
      [
        StreamKind.http,
        {
          onStream(stream) {
            answer(stream);
            return { onData() {}, onEnd() {}, onReset() {}, onDrain() {} };
          },
        },
      ],
    ]),
    observer: { onUp, onChange() {}, onDown() {} },
    log: silentLog,
  });
  await listener.listen();
  t.after(() => listener.close());
  return listener.port;
}
