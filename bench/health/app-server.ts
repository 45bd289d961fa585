/** One app server of the drill: a process that can be killed, frozen, made ill and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { end } from "../contenders.ts";

const script = fileURLToPath(new URL("app.js", import.meta.url));

/** Well; takes requests and never answers; answers 500. */
export type Illness = "none" | "mute" | "erring";

export class AppServer {
  readonly name: string;
  readonly #command: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  readonly #logFile: string;
  #child: ChildProcess | null = null;

  /** @param prefix of its command, such as taskset's. */
  constructor(
    name: string,
    environment: Readonly<Record<string, string>>,
    logFile: string,
    prefix: readonly string[] = [],
  ) {
    this.name = name;
    this.#environment = environment;
    this.#logFile = logFile;
    this.#command = [...prefix, process.execPath, script];
  }

  /** Ends when it can take requests. @throws when it ended instead. */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    const { FLOTILLA_SERVER: _, FLOTILLA_CONFIG: __, ...inherited } = process.env;
    const log = openSync(this.#logFile, "a");
    const [program, ...args] = this.#command;
    const child = spawn(program!, args, {
      env: { ...inherited, NODE_ENV: "production", NAME: this.name, ...this.#environment, ...environment },
      stdio: ["ignore", log, log, "ipc"],
    });
    closeSync(log);
    this.#child = child;
    const gone = once(child, "exit").then(() => {
      throw new Error(`${this.name} ended before it was ready: see ${this.#logFile}`);
    });
    // It ends some day.
    gone.catch(() => {});
    await Promise.race([once(child, "message"), gone]);
  }

  async kill(): Promise<void> {
    const exit = once(this.#child!, "exit");
    this.#child!.kill("SIGKILL");
    await exit;
  }

  freeze(): void {
    this.#child!.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child!.kill("SIGCONT");
  }

  fallIll(illness: Illness): void {
    this.#child!.send(illness);
  }

  /** The numbers of all requests that this process got, in their order. */
  async arrivals(): Promise<readonly number[]> {
    const answer = once(this.#child!, "message");
    this.#child!.send("arrivals");
    const [{ arrivals }] = (await answer) as [{ arrivals: number[] }];
    return arrivals;
  }

  /** Ends it, and waits for nothing. */
  abandon(): void {
    this.#child?.kill("SIGKILL");
  }

  async stop(): Promise<void> {
    if (this.#child === null) return;
    this.#child.kill("SIGCONT");
    await end(this.#child);
  }
}
