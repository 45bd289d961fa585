/** An application as a server of the cluster: its cluster port, the HTTP ports of `listen:`, and its orderly end. */
import type http from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { recordServer } from "../admin/run-record.ts";
import { adminService } from "../admin/service.ts";
import { StreamKind, type StreamService } from "../link/api.ts";
import { linkKeys } from "../link/keys.ts";
import { LinkListener } from "../link/listener.ts";
import type { Member } from "../member/member.ts";
import type { KeptSessions } from "../session/kept.ts";
import { clusterSessions, endingSessions, openSessions, startSessions } from "../session/place.ts";
import { systemClock } from "../support/clock.ts";
import { FlotillaError, messageOf } from "../support/errors.ts";
import { savedSessions as limits, supervise } from "../support/limits.ts";
import { createLog, type Log, silentLog } from "../support/log.ts";
import { againCode, interruptedCode, onStopSignals, stopping } from "../support/signals.ts";
import { count } from "../support/words.ts";
import { DirectListener } from "./direct-listener.ts";
import type { HttpService } from "./http-service.ts";
import type { HttpServer, NodeServer } from "./node-internals.ts";
import { sessionAnswers } from "./session-questions.ts";
import { attachServer } from "./virtual-listener.ts";

/** A served application. */
export interface Served {
  readonly server: http.Server;
  /** Where it listens: the cluster port, or the HTTP port outside a cluster. */
  readonly address: AddressInfo;
  /** Accepts nothing new, lets answers come to their end (at most the drain timeout), then closes. */
  close(): Promise<void>;
}

/** How much of the drain timeout sessions may take; the rest is for requests that are still open then. */
const handoverShare = 0.75;

/** And how much of it is left to write them to disk, where no other server takes them. */
const saveShare = 0.25;

/** "up" is said after so long at the latest: other servers of the cluster may not be there. */
const sessionsReadyMs = 3_000;

/** The name of the server that this process is. */
let served: string | null = null;

/** @throws FlotillaError FLOTILLA_SERVED_TWICE */
export function refuseSecondServer(): void {
  if (served !== null) throw servedTwice(served);
}

export interface AppServerOptions {
  readonly compat: boolean;
  /** What `server.address()` tells; default the cluster port. */
  readonly shown?: { readonly address: string; readonly port: number };
  /** Called when the last request is over; the server has not ended before that has. */
  readonly onDrained?: () => Promise<void>;
}

export class AppServer implements Served {
  readonly server: http.Server;
  readonly #member: Member;
  readonly #onDrained: () => Promise<void>;
  readonly #log: Log;
  readonly #service: HttpService;
  readonly #port: LinkListener;
  readonly #direct: readonly DirectListener[];
  readonly #admin: StreamService;
  #closing: Promise<void> | null = null;
  /** The process ends when that is over. */
  #isStopping = false;
  /** The end of the drain, on the clock. */
  #until = 0;
  /** Nobody waits for requests any more. */
  readonly #cut: PromiseWithResolvers<void> = Promise.withResolvers();
  /** Loses the sessions that keep this process from ending; null while none do. */
  #giveUp: (() => void) | null = null;
  #exitCode = 0;
  /** Instead of 0. */
  #orderlyCode = 0;

  constructor(
    server: HttpServer,
    member: Member,
    { compat, shown = member.server, onDrained = async () => {} }: AppServerOptions,
  ) {
    served = member.server.name;
    this.server = server as http.Server;
    this.#onDrained = onDrained;
    this.#member = member;
    this.#log = createLog(member.server.name);
    const { file, cluster } = member;
    const { name, address, port } = member.server;
    this.#service = attachServer(server, {
      address: shown.address,
      port: shown.port,
      counter: member,
      compat,
      onClose: () => this.#closedByProgram(),
    });
    this.#admin = adminService(
      member,
      {
        stop: (force) => {
          this.#stop("flotilla stop");
          if (force) this.#giveUp?.();
        },
        restart: () => {
          this.#orderlyCode = againCode;
          this.#stop("flotilla restart");
        },
      },
      sessionAnswers(member.server, () => endingSessions()?.admin ?? null),
    );
    const sessions = clusterSessions(member);
    this.#port = new LinkListener({
      self: { name, incarnation: member.incarnation },
      address,
      port,
      keys: linkKeys(file.secret, file.previousSecret),
      knows: (peer) => this.#knows(peer),
      services: new Map([
        [StreamKind.http, this.#service],
        [StreamKind.admin, this.#admin],
        [StreamKind.load, this.#service.load],
        ...(sessions?.services ?? []),
      ]),
      log: this.#log,
    });
    this.#direct = cluster.listen.map((settings) => new DirectListener(server, settings, member, this.#log));
  }

  get address(): AddressInfo {
    return this.server.address() as AddressInfo;
  }

  /** @throws FlotillaError when a port, or the disk for sessions, can't be had. */
  async start(): Promise<void> {
    await openSessions();
    await this.#port.listen();
    startSessions();
    for (const direct of this.#direct) await direct.listen();
    onStopSignals({
      drain: (signal) => this.#stop(signal),
      hurry: (signal) => this.#hurry(signal),
      atOnce() {
        endingSessions()?.giveUp();
        process.exit(interruptedCode);
      },
    });
    // An answer given right before process.exit() or a crash goes out, as it does from a plain http.Server: when the
    // write before it is over. Nothing can be waited for here.
    process.on("exit", () => this.#port.flush());
    try {
      recordServer(this.#member.file, this.#member.server.name);
    } catch (error) {
      this.#log.warn(`flotilla stop will not find this process when it does not answer: ${messageOf(error)}`);
    }
    // What comes meanwhile is answered; it may have to wait for its session.
    await endingSessions()?.ready(sessionsReadyMs);
    if (this.#member.state === "starting") this.#member.state = "up";
    this.server.emit("listening");
    const { address, port } = this.#member.server;
    const urls = this.#direct.map((direct) => ` and ${direct.url}`).join("");
    this.#log.info(`up at cluster port ${address}:${port}${urls} (process ${process.pid})`);
  }

  #knows(peer: string): boolean {
    return peer.startsWith("@") || this.#member.file.servers.has(peer);
  }

  #stop(why: string): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#log.info(stopping(why, this.#member.cluster.timeouts.drainTimeoutMs, this.#waitsFor()));
    void this.close()
      .catch((error: unknown) => {
        this.#log.error(`the stop came to no orderly end: ${messageOf(error)}`);
        endingSessions()?.giveUp();
        this.#exitCode = 1;
      })
      // The program may have an end of its own to its server's `close` event.
      .then(() => setImmediate())
      .finally(() => {
        this.#log.info("stopped");
        // Not by itself: what the application holds open (a database, a timer) would keep the process.
        process.exit(this.#exitCode === 0 ? this.#orderlyCode : this.#exitCode);
      });
  }

  /**
   * The program called server.close(), and may end the process in its callback, as many do on TERM: so the `close` event waits for the
   * sessions. The server has one more connection as long.
   */
  #closedByProgram(): void {
    this.#port.goAway();
    if (endingSessions() === null) return;
    const server = this.server as NodeServer;
    server._connections++;
    const release = (): void => {
      server._connections--;
      server._emitCloseIfDrained();
    };
    this.close().then(release, release);
  }

  #waitsFor(): string[] {
    const direct = this.#direct.reduce((sum, { openRequests }) => sum + openRequests, 0);
    const requests = `${count(this.#service.open + direct, "request")} under way`;
    if (endingSessions() === null) return [requests];
    return [requests, `${count(this.#member.sessionCount(), "session")} to hand over or to save`];
  }

  /** Somebody does not want to wait: requests are cut, and sessions have a moment to be handed over before they are saved. */
  #hurry(signal: NodeJS.Signals): void {
    this.#log.info(`${signal} again: cutting requests; sessions are handed over or saved`);
    this.#until = Math.min(this.#until, systemClock.now() + supervise.hurriedHandoverMs);
    this.#service.accepting = false;
    for (const direct of this.#direct) direct.drain();
    this.server.closeAllConnections();
    this.#cut.resolve();
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    this.#member.state = "draining";
    const { drainTimeoutMs } = this.#member.cluster.timeouts;
    const startAt = systemClock.now();
    this.#until = startAt + drainTimeoutMs;
    const sessions = endingSessions();
    // First, and while everything is still answered: whoever takes a session over needs us for a moment.
    await sessions?.leave(() => Math.min(startAt + drainTimeoutMs * handoverShare, this.#until));
    this.#port.goAway();
    for (const direct of this.#direct) direct.drain();
    this.server.closeIdleConnections();
    const ends = [this.#service.idle(), ...this.#direct.map((direct) => direct.closed())];
    const saveMs = sessions?.mustSave ? drainTimeoutMs * saveShare : 0;
    await atMost(
      this.#until - saveMs - systemClock.now(),
      Promise.race([Promise.all(ends), this.#cut.promise]),
    );
    // Who asks from now on is told what is not on disk yet.
    if (sessions !== null) this.#member.holding = () => sessions.unsaved;
    // Before connections are closed: it looks who else has what it has.
    const firstTry = sessions?.save();
    // It is awaited below. Until then a failure would be nobody's, and end the process here.
    firstTry?.catch(() => {});
    if (this.server.listening) this.server.close();
    this.server.closeAllConnections();
    await this.#port.close();
    await this.#onDrained();
    if (sessions !== null && firstTry !== undefined) await this.#stayUntilSaved(sessions, firstTry);
    sessions?.stop();
    this.#member.state = "down";
  }

  /**
   * However long that takes: who wants the process to end all the same has KILL and `flotilla stop --force`. Meanwhile it
   * answers those who ask why it is still there.
   */
  async #stayUntilSaved(sessions: KeptSessions, firstTry: Promise<boolean>): Promise<void> {
    const end = Promise.withResolvers<void>();
    void this.#retry(sessions, firstTry).then(end.resolve, end.reject);
    this.#giveUp = () => {
      if (sessions.unsaved === null) return;
      sessions.giveUp();
      this.#exitCode = 1;
      end.resolve();
    };
    await atMost(limits.quietMs, end.promise);
    if (sessions.unsaved === null) return;
    const { name, address, port } = this.#member.server;
    const { file, incarnation } = this.#member;
    const admin = new LinkListener({
      self: { name, incarnation },
      ...{ address, port, keys: linkKeys(file.secret, file.previousSecret), log: silentLog },
      // Servers are told to open nothing here, as in the drain before.
      knows: (peer) => this.#knows(peer),
      services: new Map([[StreamKind.admin, this.#admin]]),
    });
    admin.goAway();
    try {
      await admin.listen();
    } catch (error) {
      this.#log.warn(`flotilla status can't ask this process why it has not ended: ${messageOf(error)}`);
    }
    await end.promise;
    await admin.close();
  }

  async #retry(sessions: KeptSessions, firstTry: Promise<boolean>): Promise<void> {
    let isSaved = await firstTry;
    while (!isSaved && this.#exitCode === 0) {
      // A timer that keeps the process: nothing else may any more.
      await sleep(limits.retryMs);
      isSaved = await sessions.save();
    }
  }
}

async function atMost(timeoutMs: number, end: Promise<unknown>): Promise<void> {
  const timeout = new Promise<void>((resolve) => {
    const timer = systemClock.after(timeoutMs, resolve);
    const cancel = (): void => timer.cancel();
    // Whoever waits for the race learns of a failure; this one is none of its own.
    end.then(cancel, cancel);
  });
  await Promise.race([end, timeout]);
}

function servedTwice(name: string): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_SERVED_TWICE",
    `serve() was called twice in the process of "${name}": one process is one server of the cluster; let other http.Servers listen() on ports of their own`,
    { source: "server" },
  );
}
