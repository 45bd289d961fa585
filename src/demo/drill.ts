/**
 * The drill: visitors walk through the shop while every app server is killed in turn, without a warning, as
 * a power cut would. It is over when each has come back and been used again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../support/clock.ts";
import { FlotillaError } from "../support/errors.ts";
import type { DemoCluster, DemoServer } from "./demo-cluster.ts";
import { DrillStatistics, type Kill } from "./drill-statistics.ts";
import type { Progress } from "./progress.ts";
import { Visitor } from "./visitor.ts";

const visitorsMax = 200;
/** Load before the first kill, so that every visitor has a session. */
const warmUpMs = 5_000;
/** Load between a server's return and the next kill, and after the last. */
const calmMs = 4_000;
/** A killed server that is not back by then will not be waited for. */
const backTimeoutMs = 15_000;
const tickMs = 100;

/** @param signal ends the drill early */
export async function runDrill(
  cluster: DemoCluster,
  progress: Progress,
  signal: AbortSignal,
): Promise<DrillStatistics> {
  const statistics = new DrillStatistics(visitorsMax, performance.now());
  const over = new AbortController();
  signal.addEventListener("abort", () => over.abort(), { once: true });
  const walks = Array.from({ length: visitorsMax }, (_, index) =>
    new Visitor(`visitor-${index + 1}`, cluster.origin, statistics, seededRandom(index + 1)).walk(
      over.signal,
    ),
  );
  try {
    await watch(statistics, progress, signal, warmUpMs);
    for (const { name } of await appServers(cluster)) {
      if (signal.aborted) break;
      const kill = await killServer(cluster, name, statistics, progress);
      await watch(statistics, progress, signal, backTimeoutMs, () => kill.backAfterMs !== null);
      if (kill.backAfterMs !== null) {
        progress.say(
          `${elapsed(statistics)}  ${name} answers again after ${Math.round(kill.backAfterMs)} ms`,
        );
      }
      await watch(statistics, progress, signal, calmMs);
    }
  } finally {
    over.abort();
    await Promise.all(walks);
  }
  return statistics;
}

async function appServers(cluster: DemoCluster): Promise<DemoServer[]> {
  return (await cluster.servers()).filter((server) => server.cluster !== "web");
}

async function killServer(
  cluster: DemoCluster,
  name: string,
  statistics: DrillStatistics,
  progress: Progress,
): Promise<Kill> {
  const server = (await cluster.servers()).find((candidate) => candidate.name === name);
  if (server === undefined || server.pid === null) {
    throw new FlotillaError("FLOTILLA_DEMO_DRILL", `${name} has no process to kill: it is not up`);
  }
  const { pid, letter } = server;
  const at = performance.now();
  process.kill(pid, "SIGKILL");
  const kill = statistics.killed({ server: name, letter, pid, at });
  progress.say(`${elapsed(statistics)}  kill -9 ${pid}: ${name} is dead`);
  return kill;
}

/** Shows how it stands for so long, or until `isOver`. */
async function watch(
  statistics: DrillStatistics,
  progress: Progress,
  signal: AbortSignal,
  durationMs: number,
  isOver: () => boolean = () => false,
): Promise<void> {
  const until = performance.now() + durationMs;
  while (performance.now() < until && !isOver() && !signal.aborted) {
    await sleep(tickMs);
    progress.show(
      `${elapsed(statistics)}  ${statistics.requests} requests of ${statistics.visitors} visitors, ` +
        `${statistics.readsFailed} GET failed, ${statistics.writesUnknown + statistics.writesNotDone} POST failed`,
    );
  }
}

function elapsed(statistics: DrillStatistics): string {
  return `${((performance.now() - statistics.startedAt) / 1_000).toFixed(1).padStart(5)} s`;
}
