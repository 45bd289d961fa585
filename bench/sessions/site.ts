/** The benchmark's application behind some app processes, with one kind of sessions, and what a visitor sees of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { clusterStatus } from "../../src/admin/cluster-status.ts";
import { loadOrThrow } from "../../src/config/load.ts";
import { freePorts, until } from "../../test/harness/process.ts";
import { findProgram, pinned } from "../commands.ts";
import { end } from "../contenders.ts";

export type SessionKind = "none" | "flotilla" | "redis";

const statusTimeoutMs = 1_000;

export class Site {
  readonly kind: SessionKind;
  /** HTTP ports of the app processes. */
  readonly ports: readonly number[];
  readonly #folder: string;
  readonly #apps: ChildProcess[] = [];
  #redis: ChildProcess | null = null;

  private constructor(kind: SessionKind, ports: readonly number[]) {
    this.kind = kind;
    this.ports = ports;
    this.#folder = mkdtempSync(join(tmpdir(), `flotilla-bench-sessions-${kind}-`));
  }

  /** Ready for requests, with all copies made. @throws with what its processes wrote; nothing is left behind then. */
  static async start(kind: SessionKind, servers: number): Promise<Site> {
    const site = new Site(kind, await freePorts(servers));
    try {
      const environment = await site.#prepare();
      for (let index = 0; index < servers; index++) site.#startApp(index, environment);
      for (const port of site.ports) {
        await until(`the app at port ${port} answers`, () => site.#isAnswering(port));
      }
      if (kind === "flotilla") {
        await until("every session slot has two copies", () => site.#isDoubled());
      }
    } catch (thrown) {
      const output = site.#output();
      await site.stop();
      throw new Error(`${kind} did not start: ${String(thrown)}\n${output}`);
    }
    return site;
  }

  get appPids(): number[] {
    return this.#apps.map(({ pid }) => pid!);
  }

  /** Of the store beside the app processes; Flotilla has none. */
  get storePids(): number[] {
    return this.#redis === null ? [] : [this.#redis.pid!];
  }

  /** Kills one app process. */
  kill(index: number): void {
    this.#apps[index]!.kill("SIGKILL");
  }

  async stop(): Promise<void> {
    await Promise.all(this.#apps.map(end));
    if (this.#redis !== null) await end(this.#redis);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** What its apps need in their environment. */
  async #prepare(): Promise<Record<string, string>> {
    if (this.kind === "redis") return { REDIS_URL: await this.#startRedis(), SECRET: "of the benchmark" };
    if (this.kind === "flotilla") return { FLOTILLA_CONFIG: await this.#writeFile() };
    return {};
  }

  /**
   * As Debian ships it: snapshots now and then, no append-only file. These are also the program's own defaults.
   * @returns its URL.
   */
  async #startRedis(): Promise<string> {
    const [port] = (await freePorts(1)) as [number];
    this.#redis = this.#spawn("redis", [
      ...[findProgram("redis-server")!, "--bind", "127.0.0.1", "--port", String(port)],
      ...["--dir", this.#folder, "--daemonize", "no"],
    ]);
    await until("redis listens", () => isListening(port));
    return `redis://127.0.0.1:${port}`;
  }

  /** Each app server on an address of its own, as if on a machine of its own: then each votes on the register. */
  async #writeFile(): Promise<string> {
    const servers: string[] = [];
    for (let index = 0; index < this.ports.length; index++) {
      const address = `127.0.0.${index + 1}`;
      const [port] = await freePorts(1, address);
      servers.push(`      ${nameOf(index)}: { address: ${address}, port: ${port} }\n`);
    }
    const path = join(this.#folder, "flotilla.yaml");
    writeFileSync(
      path,
      `secret: \${file:./secret}\n\nclusters:\n  app:\n    sessions: { durability: backup }\n    servers:\n${servers.join("")}`,
    );
    writeFileSync(join(this.#folder, "secret"), randomBytes(32).toString("base64url"), { mode: 0o600 });
    return path;
  }

  #startApp(index: number, environment: Record<string, string>): void {
    const script = fileURLToPath(new URL("app.js", import.meta.url));
    const server = this.kind === "flotilla" ? { FLOTILLA_SERVER: nameOf(index) } : {};
    this.#apps.push(
      this.#spawn(nameOf(index), [process.execPath, script, this.kind], {
        ...{ ...environment, ...server },
        PORT: String(this.ports[index]),
      }),
    );
  }

  #spawn(name: string, command: readonly string[], environment: Record<string, string> = {}): ChildProcess {
    const [program, ...args] = pinned("app", command);
    const output = openSync(join(this.#folder, `${name}.log`), "a");
    const { FLOTILLA_SERVER: _, FLOTILLA_CONFIG: __, ...inherited } = process.env;
    const child = spawn(program!, args, {
      env: { ...inherited, NODE_ENV: "production", ...environment },
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    child.on("error", () => {});
    return child;
  }

  async #isAnswering(port: number): Promise<boolean> {
    const gone = this.#apps.find(({ pid, exitCode }) => pid === undefined || exitCode !== null);
    if (gone !== undefined) throw new Error("an app process ended");
    return await fetch(`http://127.0.0.1:${port}/sign-in`).then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  async #isDoubled(): Promise<boolean> {
    const file = loadOrThrow(join(this.#folder, "flotilla.yaml"));
    const servers = await clusterStatus(file, statusTimeoutMs);
    const fewest = Math.min(...servers.map(({ slots }) => slots ?? 0));
    return fewest > 0 && servers.every(({ singleCopySlots }) => singleCopySlots === 0);
  }

  #output(): string {
    const names = ["redis", ...this.ports.map((_, index) => nameOf(index))];
    return names
      .map((name) => {
        try {
          return `${name}: ${readFileSync(join(this.#folder, `${name}.log`), "utf8").slice(-2_000)}\n`;
        } catch {
          return "";
        }
      })
      .join("");
  }
}

function nameOf(index: number): string {
  return `app-${"abc"[index]}`;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
