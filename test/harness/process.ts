/**
 * Real processes for tests: started on the sources, their lines collected and awaited, ended by their own
 * number when the test is over. Nothing here waits for a fixed time.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { clusterStatus, type ServerStatus } from "../../src/admin/cluster-status.ts";
import { loadOrThrow } from "../../src/config/load.ts";
import { sendSignal } from "../../src/support/processes.ts";

const root: string = join(import.meta.dirname, "..", "..");
const cli: string = join(root, "src", "cli", "main.ts");
/** How long anything may take on a slow, busy machine before the test fails with what was printed so far. */
const patienceMs = 20_000;
const statusTimeoutMs = 1_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Of ours, which it gets from 3 on. */
  readonly descriptors?: readonly number[];
}

/** One process and everything that it printed. */
export class TestProcess {
  /** Standard output and standard error in the order of their arrival. */
  output = "";
  stdout = "";
  stderr = "";
  readonly exit: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #watchers: Set<() => void> = new Set();
  #ended = false;

  constructor(command: string, args: readonly string[], options: StartOptions = {}) {
    this.#child = spawn(command, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, NO_COLOR: "1", ...options.env },
      stdio: ["ignore", "pipe", "pipe", ...(options.descriptors ?? [])],
    });
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#heard(text);
    });
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#heard(text);
    });
    this.exit = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        this.#ended = true;
        this.#heard("");
        resolve({ code, signal });
      });
    });
    this.exit.catch(() => {});
  }

  get pid(): number {
    return this.#child.pid!;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it at once, if it has not ended. */
  async kill(): Promise<void> {
    if (!this.#ended) this.#child.kill("SIGKILL");
    await this.exit.catch(() => {});
  }

  /**
   * The first line that matches, among those printed since `from` (a length of `output`) and those to come.
   * @throws with everything printed so far, when the process ends first or patience does.
   */
  async line(pattern: RegExp, from = 0): Promise<string> {
    const found = (): string | undefined =>
      this.output
        .slice(from)
        .split("\n")
        .find((line) => pattern.test(line));
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const line = found();
      if (line !== undefined) return line;
      const leftMs = deadline - performance.now();
      if (this.#ended || leftMs <= 0) throw new Error(`no line matches ${pattern} in:\n${this.output}`);
      await this.#something(leftMs);
    }
  }

  #something(leftMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, leftMs);
      this.#watchers.add(done);
    });
  }

  #heard(text: string): void {
    this.output += text;
    for (const watcher of [...this.#watchers]) watcher();
  }
}

/** Starts a program; it is killed when the test is over. */
export function start(
  t: TestContext,
  command: string,
  args: readonly string[],
  options?: StartOptions,
): TestProcess {
  const process = new TestProcess(command, args, options);
  t.after(() => process.kill());
  return process;
}

/** Starts `flotilla ...` from the sources, with the Node that runs the tests. */
export function startFlotilla(
  t: TestContext,
  args: readonly string[],
  options?: StartOptions,
  as: readonly string[] = [],
): TestProcess {
  const [command, ...rest] = [...as, process.execPath, cli, ...args];
  return start(t, command!, rest, options);
}

/** Runs `flotilla ...` to its end. */
export async function runFlotilla(
  t: TestContext,
  args: readonly string[],
  options?: StartOptions,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const running = startFlotilla(t, args, options);
  const { code } = await running.exit;
  return { code, stdout: running.stdout, stderr: running.stderr };
}

/** A folder of the test's own with these files in it; what still runs in it at the end is killed, then it is removed. */
export function temporaryFolder(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-test-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  t.after(() => {
    // One that ended meanwhile must not keep the others alive.
    for (const pid of processesIn(folder)) sendSignal(pid, "SIGKILL");
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  });
  return folder;
}

/** Processes whose current folder is this one: everything that a cluster file in it has started. */
export function processesIn(folder: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`) === folder;
      } catch {
        return false;
      }
    })
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

/** As `flotilla status` sees them, without a process of its own: to be asked again and again. */
export function statusOf(folder: string): Promise<ServerStatus[]> {
  return clusterStatus(loadOrThrow(join(folder, "flotilla.yaml")), statusTimeoutMs);
}

/** Resolves when `condition` gives something true; asks it again and again. For what tells nobody when it changes. */
export async function until<T>(what: string, condition: () => T | Promise<T>): Promise<NonNullable<T>> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const value = await condition();
    if (value) return value as NonNullable<T>;
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(20);
  }
}
