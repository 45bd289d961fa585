/**
 * A machine's load agent: whoever connects to its port is told in one line how much of its usual work the machine takes now, in the grammar
 * of HAProxy's agent check, with the figures behind the "#" for dispatchers of ours. It reads nothing that a visitor sends, keeps
 * nothing of one, and gives each a moment.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { type Clock, systemClock, type Timer } from "../support/clock.ts";
import { agent as limits, load as loadLimits } from "../support/limits.ts";
import { listenOn } from "../support/listen.ts";
import type { Log } from "../support/log.ts";
import { Seldom } from "../support/seldom.ts";
import { formatAgentCheck } from "./agent-check.ts";
import type { AgentState } from "./agent-state.ts";
import { Average } from "./average.ts";
import { slownessOf } from "./figures.ts";
import { Machine } from "./machine.ts";
import { formatLoad, type LoadRecord, nothingKnown } from "./record.ts";

export interface LoadAgentOptions {
  /** Whether that address may know. */
  readonly allows: (address: string) => boolean;
  /** What an operator has it say. */
  readonly state: () => AgentState;
  readonly log: Log;
  readonly clock?: Clock;
  /** Default "/proc". */
  readonly procFolder?: string;
}

export class LoadAgent {
  readonly #options: LoadAgentOptions;
  readonly #clock: Clock;
  readonly #machine: Machine;
  readonly #queue: Average = new Average(loadLimits.smoothingMs);
  readonly #servers: Server[] = [];
  readonly #visitors: Set<Socket> = new Set();
  readonly #refused: Seldom;
  #tick: Timer | null = null;
  #lookedAt: number;
  #busySeconds: number | null;
  #busyAt: number;
  #cpu: number | null = null;
  /** "ready" is said until then. */
  #readyUntil: number;
  #wasReady = true;

  constructor(options: LoadAgentOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#refused = new Seldom(limits.complaintIntervalMs, this.#clock);
    this.#machine = new Machine(options.procFolder);
    const now = this.#clock.now();
    this.#lookedAt = this.#busyAt = now;
    this.#readyUntil = now + limits.readyMs;
    this.#busySeconds = this.#machine.busySeconds();
    this.#look();
  }

  /** @returns the port. @throws FlotillaError as `listenOn` */
  async listen(host: string, port: number): Promise<number> {
    // Half-open: a visitor may still be sending when the answer is out, and is to read it all the same.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#visit(socket));
    await listenOn(server, "the agent's address", { host, port }, this.#options.log);
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  close(): void {
    this.#tick?.cancel();
    for (const server of this.#servers) server.close();
    for (const visitor of this.#visitors) visitor.destroy();
    this.#machine.close();
  }

  /** The line that a visitor gets now. */
  line(): string {
    const state = this.#options.state();
    const isReady = state.admin === "ready";
    if (isReady && !this.#wasReady) this.#readyUntil = this.#clock.now() + limits.readyMs;
    this.#wasReady = isReady;
    if (state.admin === "maint" || state.health !== "up")
      return formatAgentCheck({ ...state, admin: isReady ? null : state.admin });
    const record = this.#record();
    return formatAgentCheck({
      // Only an agent can take back what it has said; saying it for ever would take back what an operator tells HAProxy itself.
      admin: isReady && this.#clock.now() >= this.#readyUntil ? null : state.admin,
      health: "up",
      ...(record.queue === null ? {} : { weightPercent: percentOf(record) }),
      text: formatLoad(record),
    });
  }

  #record(): LoadRecord {
    const memory = this.#machine.memory();
    return {
      ...nothingKnown,
      cpu: this.#cpu,
      memoryBytes: memory?.usedBytes ?? null,
      memoryBytesMax: memory?.totalBytes ?? null,
      queue: this.#queue.value,
      cpus: this.#machine.cpus,
    };
  }

  #visit(socket: Socket): void {
    const address = socket.remoteAddress ?? "";
    socket.on("error", () => {}); // `close` follows.
    // One that has gone already has no address.
    if (address === "" || !this.#options.allows(address)) {
      socket.destroy();
      if (address !== "") this.#tellRefused(address);
      return;
    }
    if (this.#visitors.size >= limits.visitorsMax) {
      // The one that is here longest has had its answer.
      const oldest: Socket = this.#visitors.values().next().value!;
      this.#visitors.delete(oldest);
      oldest.destroy();
    }
    this.#visitors.add(socket);
    const timer = this.#clock.after(limits.visitMs, () => socket.destroy());
    socket.once("close", () => {
      timer.cancel();
      this.#visitors.delete(socket);
    });
    // What it sends (HAProxy's agent-send) is taken, or closing would cut the answer short, and thrown away.
    socket.on("data", () => {
      if (socket.bytesRead > limits.visitorBytesMax) socket.destroy();
    });
    socket.end(this.line(), "latin1");
  }

  #tellRefused(address: string): void {
    const times = this.#refused.add();
    if (times > 0)
      this.#options.log.warn(
        `told nothing to ${times} visitor(s), the last one from ${address}: --allow names the networks that may ask`,
      );
  }

  #look(): void {
    const now = this.#clock.now();
    const runnable = this.#machine.runnable();
    if (runnable !== null) this.#queue.add(runnable, now - this.#lookedAt);
    this.#lookedAt = now;
    if (now - this.#busyAt >= loadLimits.smoothingMs) this.#lookAtCpus(now);
    this.#tick = this.#clock.after(limits.lookIntervalMs, () => this.#look());
  }

  #lookAtCpus(now: number): void {
    const before = this.#busySeconds;
    this.#busySeconds = this.#machine.busySeconds();
    if (before !== null && this.#busySeconds !== null)
      this.#cpu = Math.max(0, ((this.#busySeconds - before) * 1_000) / (now - this.#busyAt));
    this.#busyAt = now;
  }
}

/** Never 0, which would take the machine's visitors away altogether. */
function percentOf(record: LoadRecord): number {
  return Math.max(1, Math.round(100 / slownessOf(record)));
}
