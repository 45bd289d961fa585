/**
 * READ FIRST. Faults on a real site: machines of our own (network.ts), a site on them (site.ts), visitors who know
 * what they are owed (load.ts, ledger.ts), and one fault after the other (faults.ts).
 *
 * `runFaults` makes the machines and starts this same file on one of them, the visitors'; that process starts the site,
 * lets the faults happen and sends what each run showed. However either of the two ends, the machines are removed.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { unmountBelow } from "./disks.ts";
import type { Coordination } from "./engines.ts";
import { type Fault, faults, type Part } from "./faults.ts";
import { type Wrong, Wrongs } from "./ledger.ts";
import { Load, type LoadSize, type Totals } from "./load.ts";
import { Network } from "./network.ts";
import { appServers, machinesOf, Site, webServers } from "./site.ts";

/** What is to be done. */
export interface Order {
  readonly coordination: Coordination;
  readonly faults: readonly string[];
  readonly runs: number;
  readonly size: LoadSize;
  readonly seed: number;
}

/** One group of sessions in one run. */
export interface PartResult {
  readonly part: Part;
  readonly visitors: number;
  /**
   * Of the visitor who waited longest: a sudden fault: until the first acknowledged change; a planned one: the longest
   * time without. Null when nobody was in this part, or somebody had none.
   */
  readonly writableMs: number | null;
  /** The longest time that any of them was without an acknowledged change until everything was whole. */
  readonly gapMs: number;
  /** How many were told that their session is gone, and the last of them after so long. */
  readonly gone: number;
  readonly goneMs: number;
}

export interface RunResult {
  readonly fault: string;
  readonly victims: readonly string[];
  readonly parts: readonly PartResult[];
  /** Until every session had two copies again. */
  readonly wholeMs: number;
  readonly totals: Totals;
  readonly wrongs: Readonly<Record<Wrong, number>>;
  readonly details: readonly string[];
  /** Lines in which servers say that sessions may be lost. */
  readonly lossLines: readonly string[];
  /** A log says what it must. */
  readonly isTold: boolean;
}

interface Instructions extends Order {
  readonly owner: string;
  readonly folder: string;
}

/**
 * Runs every fault of the order `runs` times.
 * @param signal ends it early; everything is removed then too.
 * @returns the folder with the servers' logs, kept when something went wrong, else null.
 * @throws when the site did not start, or did not become whole again.
 */
export async function runFaults(
  order: Order,
  onRun: (result: RunResult) => void,
  signal: AbortSignal,
): Promise<string | null> {
  const owner = Network.newOwner();
  const folder = mkdtempSync(join(tmpdir(), "flotilla-faults-"));
  // An engine that runs as another user has to get into it.
  chmodSync(folder, 0o711);
  const network = Network.make(owner, machinesOf(order.coordination));
  const remove = (): void => {
    network.remove();
    unmountBelow(folder);
  };
  // Also when this process ends by an exception of somebody else's.
  process.once("exit", remove);
  let isFine = true;
  try {
    const instructions: Instructions = { ...order, owner, folder };
    const [command, ...args] = network.commandOn("client", [
      process.execPath,
      import.meta.filename,
      JSON.stringify(instructions),
    ]);
    const child = spawn(command!, args, { stdio: ["ignore", "inherit", "pipe", "ipc"], detached: true });
    let complaints = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      complaints += text;
    });
    signal.addEventListener("abort", () => child.kill("SIGKILL"), { once: true });
    if (signal.aborted) child.kill("SIGKILL");
    child.on("message", (message) => {
      const result = message as RunResult;
      if (Object.values(result.wrongs).some((count) => count > 0)) isFine = false;
      onRun(result);
    });
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0 && !signal.aborted) {
      isFine = false;
      throw new Error(`the runs ended with ${code ?? "a signal"}; logs: ${folder}\n${complaints}`);
    }
  } finally {
    process.off("exit", remove);
    remove();
    if (isFine) rmSync(folder, { recursive: true, force: true });
  }
  return isFine ? null : folder;
}

/** Load before the fault, and after it is over. */
const steadyMs = 700;

class Rig {
  readonly #site: Site;
  readonly #order: Order;
  #round = 0;

  constructor(site: Site, order: Order) {
    this.#site = site;
    this.#order = order;
  }

  async run(fault: Fault): Promise<RunResult> {
    const wrongs = new Wrongs();
    const site = this.#site;
    const load = new Load(this.#order.size, this.#doors(), wrongs, this.#order.seed + this.#round);
    const victims = this.#victims(fault);
    const loggedBefore = appServers.map((server) => site.logOf(server).length);
    await load.open();
    load.start();
    await sleep(steadyMs);
    let struckAt = 0;
    await fault.run(site, victims, async () => {
      await site.whole(appServers);
      load.mark(victims.map((victim) => victim.at(-1)!).join(""), fault.victims === 2);
      struckAt = performance.now();
    });
    await site.whole(appServers);
    const wholeMs = performance.now() - struckAt;
    await sleep(steadyMs);
    const parts = fault.parts.map((part) => partResult(load, part, fault.isPlanned));
    await load.stop();
    await load.checkAtRest();
    const lines = appServers.flatMap((server, index) =>
      site.logOf(server).slice(loggedBefore[index]).split("\n"),
    );
    const lossLines = lines.filter((line) => line.includes("FLOTILLA_SESSIONS_LOST"));
    const isTold = fault.tells === undefined || lines.some((line) => line.includes(fault.tells!));
    const { counts, details } = wrongs;
    const { totals } = load;
    return { fault: fault.name, victims, parts, wholeMs, totals, wrongs: counts, details, lossLines, isTold };
  }

  /** Each app server in turn. */
  #victims({ victims }: Fault): string[] {
    const first = this.#round++;
    return Array.from({ length: victims }, (_, index) => appServers[(first + index) % appServers.length]!);
  }

  #doors() {
    return {
      web: webServers.map((server) => this.#site.door(server)),
      all: [...webServers, ...appServers].map((server) => this.#site.door(server)),
    };
  }
}

function partResult(load: Load, part: Part, isPlanned: boolean): PartResult {
  const all = load.measured(part);
  const times = all.map(({ firstMs, gapMs }) => (isPlanned ? gapMs : firstMs));
  const gone = all.flatMap(({ goneMs }) => (goneMs === null ? [] : [goneMs]));
  return {
    part,
    visitors: all.length,
    writableMs: all.length === 0 || times.includes(null) ? null : Math.max(...times.map(Number)),
    gapMs: Math.max(0, ...all.map(({ gapMs }) => gapMs)),
    gone: gone.length,
    goneMs: Math.max(0, ...gone),
  };
}

async function runHere({ owner, folder, ...order }: Instructions): Promise<void> {
  const network = new Network(owner, machinesOf(order.coordination));
  process.once("disconnect", () => {
    network.remove();
    unmountBelow(folder);
    rmSync(folder, { recursive: true, force: true });
    process.exit(1);
  });
  const chosen = faults.filter(({ name }) => order.faults.includes(name));
  for (const [durability, ofSite] of Map.groupBy(chosen, (fault) => fault.durability)) {
    const site = await Site.start(network, join(folder, durability), order.coordination, durability);
    const rig = new Rig(site, order);
    for (const fault of ofSite) {
      for (let run = 0; run < order.runs; run++) {
        const result = await rig.run(fault);
        await new Promise((resolve) => process.send!(result, resolve));
      }
    }
    site.cutPower();
    await site.engine?.kill();
  }
}

if (import.meta.main) {
  await runHere(JSON.parse(process.argv[2]!) as Instructions);
  process.exit(0);
}
