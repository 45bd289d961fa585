/**
 * An http.Server of a program that knows nothing of Flotilla calls listen(), and the preload asks here what becomes of it:
 *
 *   - the one that listens on $PORT, or where none does the first one, is attached to the cluster port;
 *   - one more on the same port (Fastify's for the second address of `localhost`) is told that it listens;
 *   - all others listen as they ask to: metrics, say, on a port of their own.
 *
 * `listening`, `address()` and `close()` are true from the return of listen() on, as they are after a plain one.
 */
import cluster from "node:cluster";
import { type EventEmitter, errorMonitor } from "node:events";
import type { Server } from "node:net";
import { isMainThread } from "node:worker_threads";
import { currentMember, giveUp } from "../member/current.ts";
import type { Member } from "../member/member.ts";
import { codeOf, FlotillaError } from "../support/errors.ts";
import { attach as limits } from "../support/limits.ts";
import { portsOfGroup } from "../support/listening-ports.ts";
import { createLog } from "../support/log.ts";
import { processState } from "../support/processes.ts";
import { adoptKeepAlive, requireAppServer } from "./app-member.ts";
import { AppServer } from "./app-server.ts";
import { type Asked, askedFor } from "./listen-arguments.ts";
import type { HttpServer, NodeServer } from "./node-internals.ts";
import { withoutPreload } from "./preload-option.ts";
import { servesItself } from "./serves-itself.ts";
import { VirtualHandle } from "./virtual-listener.ts";

type Listen = (this: Server, ...args: unknown[]) => Server;

/** One that listens elsewhere than on $PORT, while it is not known yet whether another one does. */
interface Candidate {
  readonly asked: Asked;
  readonly timer: NodeJS.Timeout;
  /** It is not the one after all. */
  listenAsAsked(): void;
}

/** A server on its way to the cluster port. */
interface Joining {
  readonly server: HttpServer;
  readonly asked: Asked;
  readonly member: Member;
  /** It is to be a server like any other. */
  readonly listenAsAsked: () => void;
  /** The preload module's file. */
  readonly preload: string;
}

let candidate: Candidate | null = null;
/** Of the attached one. */
let attached: Asked | null = null;
let attachedServer: Server | null = null;
/** Another process below the same `run:` is this server. */
let isSibling = false;

/** In the place of net.Server.prototype.listen, for http.Servers and https.Servers. @param preload its file. */
export function listen(server: Server, args: unknown[], plainListen: Listen, preload: string): Server {
  const asked = askedFor(args);
  if (asked === null || server.listening || isSibling || servesItself())
    return plainListen.apply(server, args);
  const { PORT } = process.env;
  const isOnPort = PORT !== undefined && PORT !== "" && asked.where === PORT;
  const http = server as unknown as HttpServer;
  if (attached !== null || (candidate !== null && !isOnPort)) {
    if (server === attachedServer) failLater(server, listensAgain());
    else if (isTwin(asked)) pretend(http, asked);
    else if (attached !== null && isOnPort) failLater(server, attachedAnother(attached, asked));
    else return plainListen.apply(tellingWhenTaken(server, asked), args);
    return server;
  }
  const member = memberOrExit();
  // One of `http:`, which has no cluster port.
  if (member.server.kind === "http") return plainListen.apply(server, args);
  candidate?.listenAsAsked();
  const listenAsAsked = (): void => {
    (server as unknown as NodeServer)._handle = null;
    plainListen.apply(server, asked.argumentsAlone);
  };
  if (asked.callback !== null) server.once("listening", asked.callback);
  asked.signal?.addEventListener("abort", () => server.close(), { once: true });
  const joining = { server: http, asked, member, listenAsAsked, preload };
  if (isOnPort || !PORT) join(joining);
  else waitForOthers(joining);
  return server;
}

/** A server that is none of node:http listens on PORT. Our own cluster port is such a one, once the program is attached. */
export function refuseOtherKind(): void {
  if (attached !== null || isSibling || servesItself() || !isMainThread) return;
  giveUp(
    new FlotillaError(
      "FLOTILLA_NOT_HTTP",
      "the program listens on PORT with a server that is none of node:http or node:https (http2, raw TCP): only those can be attached to the " +
        "cluster port. Let it speak HTTP/1.1 by one of them (the web server speaks HTTP/2 to browsers), and anything else on another port",
      { source: "server" },
    ),
  );
}

/** Since who listens elsewhere than on $PORT is only attached when nobody else listens there. */
function waitForOthers(joining: Joining): void {
  const { server, asked, member, listenAsAsked } = joining;
  const timer = setTimeout(() => {
    candidate = null;
    join(joining);
  }, limits.otherServersWaitMs);
  const end = (): void => {
    clearTimeout(timer);
    candidate = null;
  };
  candidate = {
    asked,
    timer,
    listenAsAsked() {
      end();
      listenAsAsked();
    },
  };
  const { address, port } = shownFor(asked, member);
  (server as unknown as NodeServer)._handle = new VirtualHandle(address, port, end);
}

function join({ server, asked, member, listenAsAsked, preload }: Joining): void {
  const { port } = member.server;
  const { group } = processState(process.pid) ?? { group: 0 };
  if (portsOfGroup(group).some((listening) => listening.port === port && listening.pid !== process.pid)) {
    isSibling = true;
    listenAsAsked();
    return;
  }
  attached = asked;
  attachedServer = server as unknown as Server;
  // What this program starts is not this server.
  process.env.NODE_OPTIONS = withoutPreload(process.env.NODE_OPTIONS, preload);
  try {
    requireAppServer(member);
    adoptKeepAlive(server as never, member.cluster.timeouts.appKeepAliveTimeoutMs);
    const app = new AppServer(server, member, { compat: false, shown: shownFor(asked, member) });
    createLog(member.server.name).info(
      `the http server that the program starts on ${asked.where} is attached to the cluster port`,
    );
    app.start().catch(failed);
  } catch (error) {
    failed(error);
  }
}

function failed(error: unknown): void {
  if (error instanceof FlotillaError) giveUp(error);
  throw error;
}

/** As with serve(): what keeps a server from starting is one line, and exit code 1. */
function memberOrExit(): Member {
  if (cluster.isWorker)
    giveUp(
      new FlotillaError(
        "FLOTILLA_CLUSTER_WORKER",
        "this program starts workers by node:cluster, which share one port; they can't be attached to the cluster port. Start one " +
          "process in `run:`, and write `processes: N` at the server: each is a server of its own then. " +
          "Or write `attach: false`: the program listens on PORT as it is, and is proxied",
        { source: "server" },
      ),
    );
  return currentMember()!;
}

/** `address()` tells what the program asked for, as it would if it had got it. */
function shownFor(asked: Asked, { server }: Member): { address: string; port: number } {
  return { address: asked.host ?? "::", port: asked.port || server.port };
}

function isTwin({ port }: Asked): boolean {
  const first = attached ?? candidate?.asked ?? null;
  return first !== null && port !== 0 && port === first.port;
}

/** Nothing comes to it: all that comes is for the first one. */
function pretend(server: HttpServer, asked: Asked): void {
  if (asked.callback !== null) server.once("listening", asked.callback);
  (server as unknown as NodeServer)._handle = new VirtualHandle(asked.host ?? "::", asked.port, () => {});
  process.nextTick(() => server.emit("listening"));
}

/** The port that PORT names is the cluster port, and it is taken. */
function attachedAnother(first: Asked, { where }: Asked): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_ATTACHED_ANOTHER",
    `a server wants PORT (${where}), but ${limits.otherServersWaitMs / 1_000} s passed since the one for ${first.where} listened, and ` +
      "that one is attached to the cluster port: let the program listen on PORT first, or write `attach: false`",
    { source: "server" },
  );
}

function listensAgain(): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_LISTENS_AGAIN",
    "this server was attached to the cluster port and has closed, and listens again: that takes a new process. End this one " +
      "(flotilla start starts it again), or write `attach: false`",
    { source: "server" },
  );
}

function failLater(server: Server, error: FlotillaError): void {
  process.nextTick(() => server.emit("error", error));
}

/** Programs that run once elsewhere run several times in a cluster, and a fixed port is free once. */
function tellingWhenTaken(server: Server, { where }: Asked): Server {
  (server as EventEmitter).once(errorMonitor, (error: Error) => {
    if (codeOf(error) !== "EADDRINUSE") return;
    createLog(process.env.FLOTILLA_SERVER!).error(
      `the program's further http server can't listen on ${where}: the port is in use. Each server of a cluster runs the whole ` +
        "program; give each a port of its own (FLOTILLA_SERVER in the environment tells them apart)",
    );
  });
  return server;
}
