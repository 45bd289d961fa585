/**
 * What the kernel tells of the whole machine: how many tasks want a CPU, and how many CPUs there are (R44). The two belong
 * together: in a container both are the host's, whatever the container may use of it.
 */
import { join } from "node:path";
import { procText } from "../support/processes.ts";
import { kernelNumber, ProcFile } from "./proc-file.ts";

/** Clock ticks of /proc/stat in a second (USER_HZ), which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

export class Machine {
  /** Null where the kernel does not tell. */
  readonly cpus: number | null;
  readonly #folder: string;
  readonly #loadavg: ProcFile;

  /** @param folder "/proc", or what a test put together. */
  constructor(folder: string = "/proc") {
    this.#folder = folder;
    this.#loadavg = new ProcFile(join(folder, "loadavg"));
    const lines = procText(join(folder, "stat")).match(/^cpu\d+ /gm);
    this.cpus = lines === null ? null : lines.length;
  }

  /** The run queue: tasks that run or wait for a CPU just now, without the one that asks. Null where the kernel does not tell. */
  runnable(): number | null {
    // "0.20 0.18 0.12 3/80 11206": /proc/stat has the figure too, and takes a hundred times as long on a large machine.
    const [, , , tasks = ""] = this.#loadavg.read().split(" ");
    const running = kernelNumber(/^(\d+)\/\d+$/.exec(tasks)?.[1]);
    return running === null ? null : Math.max(0, running - 1);
  }

  /** Seconds that all CPUs together have worked since the machine's start; null where the kernel does not tell. */
  busySeconds(): number | null {
    const [name, ...fields] = procText(join(this.#folder, "stat")).split("\n", 1)[0]!.split(/ +/);
    const ticks = fields.slice(0, 8).map(kernelNumber);
    if (name !== "cpu" || ticks.length < 8 || ticks.includes(null)) return null;
    // user nice system idle iowait irq softirq steal
    const [user, nice, system, , , irq, softirq] = ticks as number[];
    return (user! + nice! + system! + irq! + softirq!) / ticksPerSecond;
  }

  memory(): { readonly usedBytes: number; readonly totalBytes: number } | null {
    const text = procText(join(this.#folder, "meminfo"));
    const total = kernelNumber(/^MemTotal: +(\d+) kB$/m.exec(text)?.[1]);
    const available = kernelNumber(/^MemAvailable: +(\d+) kB$/m.exec(text)?.[1]);
    if (total === null || available === null) return null;
    return { usedBytes: Math.max(0, total - available) * 1_024, totalBytes: total * 1_024 };
  }

  close(): void {
    this.#loadavg.close();
  }
}
