/**
 * `serve`: an application joins the cluster as the server which its process was started as. Outside a cluster it
 * simply listens on HTTP.
 */
import http, { type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { currentMember, giveUp } from "../member/current.ts";
import { FlotillaError } from "../support/errors.ts";
import { upstream as limits } from "../support/limits.ts";
import { listenError } from "../support/listen.ts";
import { adoptKeepAlive, requireAppServer } from "./app-member.ts";
import { AppServer, refuseSecondServer, type Served } from "./app-server.ts";
import { type FetchHandler, nodeHandler, refusingResponses } from "./fetch-handler.ts";
import { type HttpServer, isHttpServer } from "./node-internals.ts";
import { markServesItself } from "./serves-itself.ts";

markServesItself();

/** A node:http handler, an http.Server that does not listen yet, or a fetch handler (with exactly one parameter). */
export type Application = RequestListener | HttpServer | FetchHandler | { readonly fetch: FetchHandler };

export interface ServeOptions {
  /** Outside a cluster: the port; default the environment's PORT, else 3000. In a cluster the file says it. */
  readonly port?: number;
  /** Outside a cluster: the address; default all of this machine's. */
  readonly host?: string;
  /** Gives requests to Node's own parser as HTTP/1.1 text: slower, for what the virtual socket lacks. Default false. */
  readonly compat?: boolean;
}

/**
 * In a cluster (FLOTILLA_SERVER is set) the process drains and exits on TERM and INT. What keeps it from starting is
 * said in one line on standard error, and the process exits with 1.
 * @throws TypeError when the application is none of the kinds above.
 * @throws FlotillaError FLOTILLA_SERVED_TWICE when this process is a server of the cluster already.
 */
export async function serve(application: Application, options: ServeOptions = {}): Promise<Served> {
  const server = serverOf(application);
  // Thrown: the first server goes on, and a mistake of the program must not end it.
  refuseSecondServer();
  try {
    if (server.listening) throw listensAlready();
    const member = currentMember();
    adoptKeepAlive(server, member?.cluster.timeouts.appKeepAliveTimeoutMs ?? limits.appKeepAliveTimeoutMs);
    if (member === null) return await listenAlone(server, options);
    requireAppServer(member);
    if (member.server.kind === "http") {
      const { address, port, plain } = member.server;
      return await listenAlone(server, { host: address, port }, plain!.socketPath);
    }
    const app = new AppServer(server, member, { compat: options.compat === true });
    await app.start();
    return app;
  } catch (error) {
    if (error instanceof FlotillaError) giveUp(error);
    throw error;
  }
}

function serverOf(application: Application): http.Server {
  if (isHttpServer(application)) return application;
  if (typeof application === "function") {
    // With one parameter a node:http handler could not answer.
    const isFetch = application.length === 1;
    return http.createServer(
      isFetch ? nodeHandler(application as FetchHandler) : refusingResponses(application as RequestListener),
    );
  }
  if (typeof application === "object" && application !== null && typeof application.fetch === "function") {
    return http.createServer(nodeHandler((request) => application.fetch(request)));
  }
  throw new TypeError(
    "serve() takes a handler (req, res), an http.Server, a fetch handler (request), or an object with fetch(request)",
  );
}

/** @param socketPath a Unix socket, which then stands for host and port. */
async function listenAlone(
  server: http.Server,
  options: ServeOptions,
  socketPath: string | null = null,
): Promise<Served> {
  const port = options.port ?? portOf(process.env.PORT);
  await new Promise<void>((resolve) => {
    // At once and before all other listeners: ws, for one, turns this event into an uncaught exception.
    const onError = (error: Error): void =>
      giveUp(listenError(error, "the HTTP port", socketPath ?? options.host ?? "*", port));
    server.prependOnceListener("error", onError);
    const host = options.host === undefined ? {} : { host: options.host };
    server.listen(socketPath === null ? { port, ...host } : { path: socketPath }, () => {
      server.removeListener("error", onError);
      resolve();
    });
  });
  return {
    server,
    address: socketPath === null ? (server.address() as AddressInfo) : unixAddress(socketPath),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function unixAddress(path: string): AddressInfo {
  return { address: path, family: "unix", port: 0 };
}

function portOf(text: string | undefined): number {
  if (text === undefined || text === "") return 3000;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new FlotillaError(
    "FLOTILLA_PORT_INVALID",
    `PORT in the environment is "${text}": write a number from 0 to 65535, or leave it out for 3000`,
    { source: "server" },
  );
}

function listensAlready(): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SERVER_LISTENS",
    "serve() was given an http.Server that listens already: leave out server.listen(), serve() does it",
    { source: "server" },
  );
}
