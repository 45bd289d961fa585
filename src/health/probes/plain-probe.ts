/**
 * Asks a plain HTTP server, over a connection of its own that is made as those of requests are (TCP, TLS, Unix socket): whether it can be
 * opened, or what a GET is answered. An address that refuses is left for the next one of the name at once, one that fails later for the next check.
 */
import type { OnReadOpts, Socket } from "node:net";
import type { HttpCheck, Server } from "../../config/model.ts";
import { connectPlain, openEvent } from "../../plain/connect.ts";
import { KnownAddresses } from "../../plain/known-addresses.ts";
import type { NameResolver } from "../../plain/resolver.ts";
import { UpstreamTls } from "../../plain/tls.ts";
import type { Clock } from "../../support/clock.ts";
import { codeOf, messageOf } from "../../support/errors.ts";
import { http as httpLimits } from "../../support/limits.ts";
import type { Asking } from "../../support/polling.ts";
import { CheckAnswer, checkMethod, userAgent } from "./http-answer.ts";
import type { Finding, Probe } from "./probe.ts";

export interface PlainProbeParts {
  readonly resolver: NameResolver;
  readonly clock: Clock;
  /** "within 1 s" */
  readonly within: string;
}

/** Of all probes: what is read is looked at before the next one reads. */
const readBuffer = Buffer.allocUnsafeSlow(httpLimits.readBytes);

export class PlainProbe implements Probe {
  readonly server: Server;
  /** Null: a connection is enough. */
  readonly check: HttpCheck | null;
  readonly within: string;
  readonly tls: UpstreamTls | null;
  readonly addresses: KnownAddresses;
  readonly request: string;

  constructor(server: Server, check: HttpCheck | null, { resolver, clock, within }: PlainProbeParts) {
    const { plain, authority } = server;
    this.server = server;
    this.check = check;
    this.within = within;
    this.tls = plain!.tls === null ? null : new UpstreamTls(server, plain!.tls);
    this.addresses = new KnownAddresses(server, resolver, clock);
    const host = check?.host ?? plain!.host ?? authority;
    this.request = `${checkMethod} ${check?.target} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: ${userAgent}\r\nConnection: close\r\n\r\n`;
  }

  begin(done: (finding: Finding) => void): Asking<Finding> {
    const asking = new PlainAsking(this, done);
    asking.begin();
    return asking;
  }

  close(): void {}
}

class PlainAsking implements Asking<Finding> {
  readonly #probe: PlainProbe;
  readonly #done: (finding: Finding) => void;
  #socket: Socket | null = null;
  /** Null before it is connected, and where a connection is enough. */
  #answer: CheckAnswer | null = null;
  #triesLeft = 0;
  #failure = "";
  #isOver = false;

  constructor(probe: PlainProbe, done: (finding: Finding) => void) {
    this.#probe = probe;
    this.#done = done;
  }

  begin(): void {
    const { addresses } = this.#probe;
    if (addresses.fresh) return this.#connectFirst();
    addresses.refresh().then(
      () => this.#connectFirst(),
      (error) => this.#end(`its name can't be resolved: ${messageOf(error)}`),
    );
  }

  cut(): Finding {
    const { addresses, within } = this.#probe;
    this.#end(null);
    if (this.#socket === null) return `its name was not resolved ${within}`;
    addresses.moveOn();
    return this.#answer === null ? `no connection ${within}` : this.#answer.late(within);
  }

  #connectFirst(): void {
    if (this.#isOver) return;
    this.#triesLeft = this.#probe.addresses.count;
    this.#connect();
  }

  #connect(): void {
    const { server, tls, addresses } = this.#probe;
    this.#triesLeft--;
    const socket = connectPlain(server, tls, addresses.current, this.#onread);
    this.#socket = socket;
    socket.on(openEvent(tls), () => this.#connected(socket));
    socket.on("end", () => this.#ended());
    socket.on("error", (error) => {
      this.#failure = codeOf(error) || messageOf(error);
    });
    socket.on("close", () => this.#closed(socket));
  }

  readonly #onread: OnReadOpts = {
    buffer: readBuffer,
    callback: (bytes) => {
      const finding = this.#isOver ? null : (this.#answer?.push(readBuffer.subarray(0, bytes)) ?? null);
      if (finding !== null) this.#found(finding);
      return true;
    },
  };

  #connected(socket: Socket): void {
    const { check, request } = this.#probe;
    if (this.#isOver) return;
    if (check === null) return this.#found("");
    this.#answer = new CheckAnswer(check);
    socket.write(request, "latin1");
  }

  #ended(): void {
    if (this.#isOver) return;
    if (this.#answer === null) this.#socket!.destroy();
    else this.#found(this.#answer.end());
  }

  #closed(socket: Socket): void {
    if (this.#isOver || socket !== this.#socket) return;
    const why = this.#failure || "it was closed";
    if (this.#answer !== null) return this.#found(`it broke off the connection (${why})`);
    const { tls, addresses } = this.#probe;
    tls?.forget();
    addresses.moveOn();
    if (this.#triesLeft > 0) return this.#connect();
    this.#end(`no connection (${why})`);
  }

  #found(finding: string): void {
    if (finding !== "") this.#probe.addresses.moveOn();
    this.#end(finding);
  }

  /** @param finding null: nobody is told. */
  #end(finding: Finding): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket?.destroy();
    if (finding !== null) this.#done(finding);
  }
}
