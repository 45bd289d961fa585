/**
 * Requests that come over links, given to an http.Server as if they had come to a port of its own: one virtual
 * socket, one IncomingMessage and one ServerResponse each, in the order of parserOnIncoming (lib/_http_server.js).
 */
import { channel } from "node:diagnostics_channel";
import { linkRequestLines } from "../http/link-request.ts";
import { type LinkStream, ResetCode, type StreamHandler, type StreamService } from "../link/api.ts";
import { LoadReports } from "../load/report-service.ts";
import { CompatConnection } from "./compat-connection.ts";
import { LinkDuplex } from "./link-duplex.ts";
import {
  type NodeRequest,
  type NodeResponse,
  type NodeServer,
  passUniqueHeaders,
  requestClassOf,
  responseClassOf,
} from "./node-internals.ts";
import { SocketList } from "./socket-list.ts";
import { onResponseFinish, onResponsePrefinish, VirtualSocket } from "./virtual-socket.ts";

const startChannel = channel("http.server.request.start");

export class HttpService implements StreamService {
  readonly sockets: SocketList = new SocketList();
  /** Serves StreamKind.load: how busy this process is. */
  readonly load: LoadReports = new LoadReports(() => this.#inFlight);
  /** Upgraded connections, and those of `compat`. */
  readonly duplexes: Set<LinkDuplex> = new Set();
  /** False once the server closes: what still comes is refused untouched, and the web tier sends it elsewhere. */
  accepting = true;
  readonly #server: NodeServer;
  readonly #counter: { requests: number };
  readonly #compat: boolean;
  readonly #Request: ReturnType<typeof requestClassOf>;
  readonly #Response: ReturnType<typeof responseClassOf>;

  /** @param counter its `requests` is raised by one for every request. */
  constructor(server: NodeServer, counter: { requests: number }, compat: boolean) {
    this.#server = server;
    this.#counter = counter;
    this.#compat = compat;
    this.sockets.onAnswered = (stream) => this.load.answered(stream);
    this.#Request = requestClassOf(server);
    this.#Response = responseClassOf(server);
  }

  /** Requests and upgraded connections. */
  get open(): number {
    return this.sockets.size + this.duplexes.size;
  }

  /** Requests that wait for their answer or its end, and upgraded connections. */
  get #inFlight(): number {
    return this.sockets.answering + this.duplexes.size;
  }

  onStream(stream: LinkStream, meta: string, ended: boolean): StreamHandler | null {
    if (!this.accepting) {
      stream.reset(ResetCode.refused, "the application closes");
      return null;
    }
    const head = meta.split("\n");
    const fields = head.slice(linkRequestLines);
    if (head.length < linkRequestLines || fields.length % 2 !== 0) {
      stream.reset(ResetCode.protocol, "the request's metadata is incomplete");
      return null;
    }
    this.#counter.requests++;
    if (this.#compat) return this.#track(new CompatConnection(stream, head, fields, ended, this.#server));
    if (head[8] === "u") {
      const duplex = this.#upgrade(stream, head, fields);
      if (duplex !== null) return duplex;
    }
    const socket = this.#socket(stream, head);
    socket.req = this.#request(socket, head, fields);
    socket.enter(deliver, this, fields);
    if (ended || (head[8] === "u" && !hasBody(fields))) socket.onEnd(stream, "");
    return socket;
  }

  #socket(stream: LinkStream, head: readonly string[]): VirtualSocket {
    this.#server._connections++;
    return new VirtualSocket(stream, head, this.#server, this.sockets);
  }

  /** parserOnHeadersComplete */
  #request(socket: VirtualSocket | LinkDuplex, head: readonly string[], fields: string[]): NodeRequest {
    const req = new this.#Request(socket as never) as NodeRequest;
    req.method = head[0]!;
    req.url = head[1]!;
    // A browser's HTTP/2 ends at the web tier; the application speaks HTTP/1.
    const old = head[2] === "1.0";
    req.httpVersion = old ? "1.0" : "1.1";
    req.httpVersionMajor = 1;
    req.httpVersionMinor = old ? 0 : 1;
    req.upgrade = false;
    req.joinDuplicateHeaders = this.#server.joinDuplicateHeaders === true;
    req._addHeaderLines(fields, fields.length);
    return req;
  }

  /** parserOnIncoming; runs in the request's own context. */
  deliver(socket: VirtualSocket, fields: readonly string[]): void {
    const server = this.#server;
    const req = socket.req!;
    server.emit("connection", socket as never);
    if (server.timeout > 0) socket.setTimeout(server.timeout);
    const res = new this.#Response(req, {
      highWaterMark: socket.writableHighWaterMark,
      rejectNonStandardBodyWrites: server.rejectNonStandardBodyWrites,
    }) as NodeResponse;
    // `Keep-Alive: timeout=` is not sent: the browser's connection is the web tier's to keep.
    if (req.httpVersionMinor === 1) res.shouldKeepAlive = true;
    passUniqueHeaders(server, res);
    if (startChannel.hasSubscribers) startChannel.publish({ request: req, response: res, socket, server });
    res.assignSocket(socket as never);
    res.on("prefinish", onResponsePrefinish);
    res.on("finish", onResponseFinish);
    if (req.httpVersionMinor === 1 && hasExpectation(fields)) this.#expect(req, res);
    else server.emit("request", req, res);
  }

  #expect(req: NodeRequest, res: NodeResponse): void {
    const server = this.#server;
    if (/(?:^|\W)100-continue(?:$|\W)/i.test(req.headers.expect ?? "")) {
      res._expect_continue = true;
      if (server.listenerCount("checkContinue") > 0) {
        server.emit("checkContinue", req, res);
      } else {
        res.writeContinue();
        server.emit("request", req, res);
      }
    } else if (server.listenerCount("checkExpectation") > 0) {
      server.emit("checkExpectation", req, res);
    } else {
      res.writeHead(417);
      res.end();
    }
  }

  /** onParserExecuteCommon, "Upgrade or CONNECT"; null when nobody upgrades: then it is a request like any other. */
  #upgrade(stream: LinkStream, head: readonly string[], fields: string[]): StreamHandler | null {
    const server = this.#server;
    const duplex = new LinkDuplex(stream, head, server);
    const req = this.#request(duplex, head, fields);
    req.upgrade = server.shouldUpgradeCallback?.(req) ?? server.listenerCount("upgrade") > 0;
    if (!req.upgrade) return null;
    server._connections++;
    this.#track(duplex);
    duplex.enter(() => {
      server.emit("connection", duplex);
      req.complete = true;
      req.push(null);
      if (!server.emit("upgrade", req, duplex, Buffer.alloc(0))) duplex.destroy();
    });
    return duplex;
  }

  #track(duplex: LinkDuplex): LinkDuplex {
    this.duplexes.add(duplex);
    duplex.once("close", () => this.duplexes.delete(duplex));
    return duplex;
  }

  /** Resolves when no request and no upgraded connection is left. */
  async idle(): Promise<void> {
    await this.sockets.empty();
    for (const duplex of this.duplexes) {
      await new Promise<void>((resolve) => duplex.once("close", () => resolve()));
    }
  }

  /** Ends all requests and upgraded connections: `closeAllConnections`. */
  destroyAll(): void {
    this.sockets.destroyAll();
    for (const duplex of this.duplexes) duplex.destroy();
  }
}

function deliver(socket: VirtualSocket, service: HttpService, fields: readonly string[]): void {
  service.deliver(socket, fields);
}

/** `Expect` is asked for in the raw fields: reading `req.headers` would build them all for a handler that reads none. */
function hasExpectation(fields: readonly string[]): boolean {
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    if (name.length === 6 && name.toLowerCase() === "expect") return true;
  }
  return false;
}

function hasBody(fields: readonly string[]): boolean {
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!.toLowerCase();
    if (name === "content-length" || name === "transfer-encoding") return true;
  }
  return false;
}
