/** `flotilla demo`: the shop of demo/, or an example, on a cluster of its own, to look at, or under load while its servers are killed. */
import { writeFile } from "node:fs/promises";
import { relative } from "node:path";
import { type DemoApp, exampleApps, shopApp } from "./demo-apps.ts";
import { commandPath, DemoCluster, type DemoServer, readable } from "./demo-cluster.ts";
import { quickDrill, runDrill, wholeDrill } from "./drill.ts";
import { drillJson, drillTable } from "./drill-report.ts";
import { Progress } from "./progress.ts";

export interface DemoOptions {
  /** Puts load on the shop, kills each app server in turn, and ends with a table. */
  readonly drill: boolean;
  /** Kills one server, before fewer visitors. */
  readonly quick: boolean;
  /** An example (`exampleApps`) in the shop's place. */
  readonly app?: string;
  /** File for the drill's numbers. */
  readonly json?: string;
}

/**
 * @returns the exit code: 0, 1 when the drill found a fault (`DrillStatistics.faults`) or the servers ended, 130 after INT
 * @throws FlotillaError when the cluster can't be started
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const interrupt = new AbortController();
  const onSignal = (): void => {
    // The second one is for those who can't wait: the servers end with their watchdog.
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  // The terminal was closed.
  process.on("SIGHUP", onSignal);
  try {
    const app = options.app === undefined ? shopApp : exampleApps.get(options.app)!;
    return options.drill ? await drill(app, options, interrupt.signal) : await stay(app, interrupt.signal);
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
    process.off("SIGHUP", onSignal);
  }
}

async function stay(app: DemoApp, signal: AbortSignal): Promise<number> {
  let introduced = false;
  const cluster = await DemoCluster.start(app, (line) => {
    if (introduced) process.stdout.write(`  ${readable(line)}\n`);
  });
  try {
    process.stdout.write(introduction(app, cluster, await cluster.servers()));
    introduced = true;
    return await Promise.race([endOf(signal), cluster.ended.then(() => 1)]);
  } finally {
    if (signal.aborted) process.stdout.write("\nClosing the shop ...\n");
    await cluster.stop();
  }
}

async function drill(app: DemoApp, { quick, json }: DemoOptions, signal: AbortSignal): Promise<number> {
  const progress = new Progress();
  progress.say(`Starting one web server and three app servers of ${app.name} ...`);
  const cluster = await DemoCluster.start(app, () => {});
  try {
    progress.say(`The shop is open at ${cluster.origin.origin}; visitors come in.\n`);
    const size = quick ? quickDrill : wholeDrill;
    const statistics = await runDrill(cluster, app.storefront, size, progress, signal);
    const elapsedMs = performance.now() - statistics.startedAt;
    if (signal.aborted) return 130;
    progress.say(`\n${drillTable(statistics, elapsedMs)}`);
    if (json !== undefined) {
      await writeFile(json, `${JSON.stringify(drillJson(statistics, elapsedMs), null, 2)}\n`);
    }
    return statistics.faults().length === 0 ? 0 : 1;
  } finally {
    await cluster.stop();
  }
}

function endOf(signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(0);
    signal.addEventListener("abort", () => resolve(0), { once: true });
  });
}

function introduction(app: DemoApp, cluster: DemoCluster, servers: readonly DemoServer[]): string {
  const command = relative(process.cwd(), commandPath);
  const victim = servers.find((server) => server.cluster !== "web");
  const tries: [string, string][] = [
    app === shopApp
      ? [cluster.origin.href, "put something into the cart; the foot of each page says who answered"]
      : [cluster.origin.href, "counts visits; examples/README.md says what else it answers"],
    [
      `kill -9 ${victim?.pid ?? "PID"}`,
      `${victim?.name ?? "a server"} dies, the shop goes on, and it is started again`,
    ],
    [`${command} status -c ${cluster.path}`, "how the servers are"],
    [
      `npm run demo -- --drill${app === shopApp ? "" : ` --app ${app.name}`}`,
      "200 visitors, every app server killed in turn, and every cart compared",
    ],
  ];
  return [
    "",
    `  The shop is open: ${cluster.origin.href}`,
    "",
    `  ${"SERVER".padEnd(10)}${"PID".padStart(8)}   CLUSTER PORT`,
    ...servers.map(
      (server) =>
        `  ${server.name.padEnd(10)}${String(server.pid ?? "-").padStart(8)}   ${server.place.padEnd(16)} ` +
        (server.cluster === "web" ? "takes the visitors" : "runs the application"),
    ),
    "",
    "  To try:",
    ...tries.map(([what, why]) => `    ${what}\n        ${why}`),
    "",
    "  Ctrl-C closes it. What the servers have to say:",
    "",
    "",
  ].join("\n");
}
