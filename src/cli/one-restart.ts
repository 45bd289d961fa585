/**
 * The restart of one server: READ FIRST `run`. An app server is taken out of service, hands its sessions over, ends in order and
 * is started again by its supervisor; it is back when all web servers reach it and every session has its copies.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Asker } from "../admin/ask.ts";
import type { RestartAnswer } from "../admin/service.ts";
import type { Cluster, ClusterFile, Server } from "../config/model.ts";
import type { MemberStatus } from "../member/member.ts";
import { FlotillaError, messageOf } from "../support/errors.ts";
import { admin, operations as limits } from "../support/limits.ts";
import { Operators, type Seen, together } from "./operators.ts";
import { complain } from "./terminal.ts";
import { waitUntilFree } from "./wait-until-free.ts";

export interface OneRestartParts {
  readonly file: ClusterFile;
  readonly server: Server;
  readonly asker: Asker;
  /** Somebody wants to end the command. */
  isInterrupted(): boolean;
  readonly isQuiet: boolean;
}

export class OneRestart {
  readonly #parts: OneRestartParts;
  readonly #cluster: Cluster;
  readonly #timeoutMs: number;
  /** When our order was given; null: none stands. */
  #drainedAtMs: number | null = null;

  constructor(parts: OneRestartParts, timeoutMs: number) {
    this.#parts = parts;
    this.#cluster = parts.file.clusters.get(parts.server.cluster)!;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @returns the process that serves now.
   * @throws FlotillaError FLOTILLA_RESTART_FAILED, FLOTILLA_RESTART_INTERRUPTED, or what the server says. The order that was given
   * for its sake is taken back.
   */
  async run(): Promise<number> {
    if (this.#cluster.tier === "web") return await this.#upgrade();
    const operators = new Operators(this.#parts.file, this.#cluster.servers, this.#parts.asker);
    try {
      const before = together(await operators.look(), this.#cluster.servers);
      const own = before.find(({ name }) => name === this.#parts.server.name);
      const isInService = own?.order === "ready";
      if (isInService && before.some((other) => other !== own && isWell(other))) await this.#drain();
      else if (isInService)
        this.#tell("no other server of its cluster takes requests: they wait, or get 503, until it is back");
      this.#refuseInterrupted("it was not restarted, and is as it was");
      const pid = await this.#again();
      await this.#ready();
      if (isInService) await this.#until("takes requests at every web server", () => this.#isReached());
      await this.#until("have two copies of every session, with the other servers,", () => this.#hasCopies());
      return pid;
    } catch (error) {
      // What went wrong is more than that its order stands.
      await this.#ready().catch((reason: unknown) => this.#tell(`still drained: ${messageOf(reason)}`));
      throw error;
    }
  }

  async #upgrade(): Promise<number> {
    const { asker, server } = this.#parts;
    const answer = await asker.server(server, { ask: "upgrade" }, admin.upgradeTimeoutMs);
    return (answer as { pid: number }).pid;
  }

  async #drain(): Promise<void> {
    const operators = this.#operators;
    const answered = await operators.say({ order: "drain" });
    const [seen] = together(answered, [this.#parts.server]);
    this.#drainedAtMs = seen?.orderedAtMs ?? null;
    for (const { webServer, why } of answered.untold) this.#tell(`${webServer} could not be told: ${why}`);
    const { drainTimeoutMs } = this.#cluster.timeouts;
    const { isQuiet, isInterrupted } = this.#parts;
    const parts = { ...this.#parts, servers: [this.#parts.server], operators };
    const busy = await waitUntilFree(parts, drainTimeoutMs, isQuiet, isInterrupted);
    for (const { why } of busy)
      this.#tell(`has ${why} after ${drainTimeoutMs / 1_000} s, and is restarted all the same`);
  }

  /** Takes our order back, unless somebody has given another one since. */
  async #ready(): Promise<void> {
    if (this.#drainedAtMs === null) return;
    const operators = this.#operators;
    const [seen] = together(await operators.look(), [this.#parts.server]);
    const isOurs = seen?.orderedAtMs === this.#drainedAtMs;
    this.#drainedAtMs = null;
    if (isOurs) await operators.say({ order: "ready" });
    else this.#tell(`stays as an operator wants it: ${seen?.order}`);
  }

  async #again(): Promise<number> {
    const { asker, server } = this.#parts;
    const ended = (await asker.server(server, { ask: "restart" }, admin.stopTimeoutMs)) as RestartAnswer;
    let pid = 0;
    const { drainTimeoutMs } = this.#cluster.timeouts;
    await this.#until(
      "come back",
      async () => {
        const status = await this.#statusOf(server);
        if (typeof status === "string") return status;
        if (status.incarnation === ended.incarnation) return status.note ?? "it has not ended yet";
        pid = status.pid!;
        return status.state === "up" ? "" : `it is ${status.state}`;
      },
      drainTimeoutMs,
    );
    return pid;
  }

  async #isReached(): Promise<string> {
    const { answers, untold } = await this.#operators.look();
    const away = [...answers].filter(([, { servers }]) =>
      servers.some(({ takesRequests }) => !takesRequests),
    );
    if (answers.size === 0) return untold.map(({ why }) => why).join("; ");
    return away.length === 0 ? "" : `${away.map(([name]) => name).join(", ")} can't reach it`;
  }

  /** Where somebody is there who can have the second one. */
  async #hasCopies(): Promise<string> {
    const statuses = await Promise.all(this.#cluster.servers.map((server) => this.#statusOf(server)));
    const up = statuses.filter((status) => typeof status !== "string");
    const single = up.filter(({ singleCopySlots = 0 }) => singleCopySlots > 0);
    const takers = up.filter(
      ({ state, slots, keptSlots = 0 }) => state === "up" && slots !== undefined && keptSlots > 0,
    );
    if (single.length === 0 || takers.length < 2) return "";
    return single
      .map(({ name, singleCopySlots }) => `${singleCopySlots} slots of ${name} have one copy`)
      .join("; ");
  }

  async #statusOf(server: Server): Promise<MemberStatus | string> {
    try {
      const { asker } = this.#parts;
      return (await asker.server(server, { ask: "status" }, admin.statusTimeoutMs)) as MemberStatus;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** @param look what it still waits for, or "". */
  async #until(what: string, look: () => Promise<string>, moreMs = 0): Promise<void> {
    const until = performance.now() + this.#timeoutMs + moreMs;
    for (;;) {
      const why = await look();
      if (why === "") return;
      this.#refuseInterrupted("it is being started again, and comes back by itself");
      if (performance.now() >= until)
        throw new FlotillaError(
          "FLOTILLA_RESTART_FAILED",
          `${this.#parts.server.name} did not ${what} within ${(this.#timeoutMs + moreMs) / 1_000} s: ${why}`,
          { source: "server" },
        );
      await sleep(limits.waitIntervalMs);
    }
  }

  #refuseInterrupted(where: string): void {
    if (!this.#parts.isInterrupted()) return;
    throw new FlotillaError("FLOTILLA_RESTART_INTERRUPTED", `${this.#parts.server.name}: ${where}`, {
      source: "client",
    });
  }

  #tell(what: string): void {
    if (!this.#parts.isQuiet) complain(`${this.#parts.server.name}: ${what}`);
  }

  get #operators(): Operators {
    return new Operators(this.#parts.file, [this.#parts.server], this.#parts.asker);
  }
}

function isWell({ order, takesRequests, states }: Seen): boolean {
  return (
    order === "ready" && takesRequests && states.every((state) => state === "up" || state === "slow-start")
  );
}
