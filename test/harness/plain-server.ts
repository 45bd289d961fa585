/** A plain HTTP server in the test's own process: says its name, and to checks what the test wants. */
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, ListenOptions } from "node:net";
import type { TestContext } from "node:test";

export interface PlainServerShape {
  /** Default: any free port of 127.0.0.1. */
  readonly where?: ListenOptions;
  readonly tls?: { readonly key: string; readonly cert: string };
}

export class PlainServer {
  readonly name: string;
  /** Where checks ask; its status. */
  healthPath = "/healthz";
  healthStatus = 200;
  healthText = "all is well";
  /** False: checks get no answer. */
  answersChecks = true;
  /** Requests that are not checks: begun, and under way. */
  requests = 0;
  open = 0;
  /** Head fields of each check. */
  readonly checks: IncomingHttpHeaders[] = [];
  /** Answers a request that is no check; default: 200 and the name. */
  handler: (asked: IncomingMessage, answer: ServerResponse) => void = (_asked, answer) => {
    answer.end(this.name);
  };
  readonly #server: Server;

  constructor(name: string, { tls }: PlainServerShape = {}) {
    this.name = name;
    const handle = (asked: IncomingMessage, answer: ServerResponse): void => this.#handle(asked, answer);
    this.#server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  }

  /** Listens, and closes with the test. */
  static async start(t: TestContext, name: string, shape: PlainServerShape = {}): Promise<PlainServer> {
    const server = new PlainServer(name, shape);
    t.after(() => server.close());
    server.#server.listen(shape.where ?? { port: 0, host: "127.0.0.1" });
    await once(server.#server, "listening");
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open. */
  connections(): Promise<number> {
    return new Promise((resolve) => this.#server.getConnections((_error, count) => resolve(count)));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #handle(asked: IncomingMessage, answer: ServerResponse): void {
    if (asked.url === this.healthPath) {
      this.checks.push(asked.headers);
      if (this.answersChecks) answer.writeHead(this.healthStatus).end(this.healthText);
      return;
    }
    this.requests++;
    this.open++;
    answer.on("close", () => this.open--);
    this.handler(asked, answer);
  }
}
