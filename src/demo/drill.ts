/**
 * The drill: visitors walk through the shop while every app server is killed in turn, without a warning, as
 * a power cut would; half of them are away through the first two kills. Each kill waits until the server before has
 * come back and every session has two copies again. In the end every cart is compared with what its visitor did.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { slotCount } from "../session/id.ts";
import { seededRandom } from "../support/clock.ts";
import { FlotillaError } from "../support/errors.ts";
import type { DemoCluster, DemoServer } from "./demo-cluster.ts";
import { seconds } from "./drill-report.ts";
import { DrillStatistics, type Kill } from "./drill-statistics.ts";
import type { Progress } from "./progress.ts";
import type { Storefront } from "./storefront.ts";
import { slotsAtRisk } from "./two-copies.ts";
import { humanPace, Visitor } from "./visitor.ts";

export interface DrillSize {
  readonly visitors: number;
  /** Load before the first kill, so that every visitor has a session. */
  readonly warmUpMs: number;
  /** Load between a server's return and the next kill, and after the last. */
  readonly calmMs: number;
  /** Servers killed at most. */
  readonly kills: number;
  /** Half of the visitors come back after so many kills. */
  readonly killsAway: number;
}

export const wholeDrill: DrillSize = {
  visitors: 200,
  warmUpMs: 5_000,
  calmMs: 4_000,
  kills: Number.POSITIVE_INFINITY,
  killsAway: 2,
};
/** For applications that are one of many: does it lose nothing? */
export const quickDrill: DrillSize = { visitors: 60, warmUpMs: 2_000, calmMs: 1_000, kills: 1, killsAway: 1 };

/** A killed server that is not back by then will not be waited for. */
const backTimeoutMs = 15_000;
/** Second copies that are not made by then won't be made; another kill would lose sessions, and tell nothing new. */
const twoCopiesTimeoutMs = 30_000;
const askPauseMs = 200;
const tickMs = 100;

/** @param signal ends the drill early */
export async function runDrill(
  cluster: DemoCluster,
  storefront: Storefront,
  size: DrillSize,
  progress: Progress,
  signal: AbortSignal,
): Promise<DrillStatistics> {
  return await new Drill(cluster, storefront, size, progress, signal).run();
}

class Drill {
  readonly #cluster: DemoCluster;
  readonly #progress: Progress;
  readonly #signal: AbortSignal;
  readonly #size: DrillSize;
  readonly #statistics: DrillStatistics;
  readonly #visitors: readonly Visitor[];

  constructor(
    cluster: DemoCluster,
    storefront: Storefront,
    size: DrillSize,
    progress: Progress,
    signal: AbortSignal,
  ) {
    this.#cluster = cluster;
    this.#progress = progress;
    this.#signal = signal;
    this.#size = size;
    this.#statistics = new DrillStatistics(size.visitors, performance.now());
    this.#visitors = Array.from({ length: size.visitors }, (_, index) => {
      const random = seededRandom(index + 1);
      return new Visitor(
        `visitor-${index + 1}`,
        cluster.origin,
        this.#statistics,
        random,
        humanPace,
        storefront,
      );
    });
  }

  async run(): Promise<DrillStatistics> {
    const over = new AbortController();
    const abort = (): void => over.abort();
    this.#signal.addEventListener("abort", abort, { once: true });
    const walks = this.#visitors.map((visitor) => visitor.walk(over.signal));
    try {
      await this.#killEach();
    } finally {
      over.abort();
      await Promise.all(walks);
      this.#signal.removeEventListener("abort", abort);
    }
    if (!this.#signal.aborted) {
      this.#say("every cart is compared with what its visitor did");
      await Promise.all(this.#visitors.map((visitor) => visitor.compare()));
    }
    return this.#statistics;
  }

  async #killEach(): Promise<void> {
    const { warmUpMs, calmMs, kills, killsAway } = this.#size;
    await this.#watch(warmUpMs);
    await this.#sendHalfAway();
    if ((await this.#awaitTwoCopies("the start")) === null) return;
    for (const [index, { name }] of (await this.#appServers()).slice(0, kills).entries()) {
      if (this.#signal.aborted) return;
      const kill = await this.#kill(name);
      const copies = this.#awaitTwoCopies(`${name} was killed`);
      await this.#watch(backTimeoutMs, () => kill.backAfterMs !== null);
      if (kill.backAfterMs !== null) this.#say(`${name} answers again after ${seconds(kill.backAfterMs)}`);
      const seenAt = await copies;
      if (seenAt === null) return;
      kill.twoCopiesAfterMs = seenAt - kill.at;
      this.#say(`every session has two copies again, after ${seconds(kill.twoCopiesAfterMs)}`);
      if (index + 1 === killsAway) this.#callBack();
      await this.#watch(calmMs);
    }
  }

  async #sendHalfAway(): Promise<void> {
    const half = this.#visitors.filter((_, index) => index % 2 === 0);
    let gone = 0;
    for (const visitor of half) void visitor.leave().then(() => gone++);
    await this.#watch(Infinity, () => gone === half.length);
    this.#say(`${half.length} visitors go away with something in their carts; the others go on`);
  }

  #callBack(): void {
    this.#say("those who went away come back and look at their carts");
    for (const visitor of this.#visitors) if (visitor.comeBack()) this.#statistics.idleVisitors++;
  }

  async #appServers(): Promise<DemoServer[]> {
    return (await this.#cluster.servers()).filter((server) => server.cluster !== "web");
  }

  async #kill(name: string): Promise<Kill> {
    const server = (await this.#appServers()).find((candidate) => candidate.name === name);
    if (server === undefined || server.pid === null) {
      throw new FlotillaError("FLOTILLA_DEMO_DRILL", `${name} has no process to kill: it is not up`);
    }
    const { pid, letter } = server;
    const owned = this.#visitors
      .filter(({ ownerLetter }) => ownerLetter === letter)
      .map((visitor) => visitor.name);
    const at = performance.now();
    process.kill(pid, "SIGKILL");
    const kill = this.#statistics.killed({ server: name, pid, at, owned: new Set(owned) });
    this.#say(`kill -9 ${pid}: ${name} is dead, which owned ${owned.length} of the visitors' sessions`);
    return kill;
  }

  /** @returns when it was seen, or null when it was not in time, or when the drill is ended. */
  async #awaitTwoCopies(after: string): Promise<number | null> {
    const deadline = performance.now() + twoCopiesTimeoutMs;
    while (!this.#signal.aborted) {
      const atRisk = slotsAtRisk(await this.#appServers());
      if (atRisk === 0) return performance.now();
      if (performance.now() > deadline) {
        this.#statistics.endedEarly =
          `${atRisk} of ${slotCount} session slots had no second copy ${twoCopiesTimeoutMs / 1_000} s after ${after}: ` +
          "the drill ended there, for another kill could have lost their sessions";
        return null;
      }
      await sleep(askPauseMs);
    }
    return null;
  }

  /** Shows how it stands for so long, or until `isOver`. */
  async #watch(durationMs: number, isOver: () => boolean = () => false): Promise<void> {
    const until = performance.now() + durationMs;
    while (performance.now() < until && !isOver() && !this.#signal.aborted) {
      await sleep(tickMs);
      const { requests, visitors, readsFailed, writesUnknown, writesFailed } = this.#statistics;
      this.#progress.show(
        `${this.#elapsed()}  ${requests} requests of ${visitors} visitors, ` +
          `${readsFailed} GET failed, ${writesUnknown + writesFailed} POST failed`,
      );
    }
  }

  #say(text: string): void {
    this.#progress.say(`${this.#elapsed()}  ${text}`);
  }

  #elapsed(): string {
    return `${((performance.now() - this.#statistics.startedAt) / 1_000).toFixed(1).padStart(5)} s`;
  }
}
