/**
 * A Redis of a test's own: in a folder below the temporary one, on a free port of the loopback, ended with the test by its number.
 * Nothing is written to its disk unless the test asks for it.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { freePorts } from "./free-ports.ts";
import { until } from "./process.ts";
import { ready } from "./started-server.ts";

const run = promisify(execFile);
const patienceMs = 20_000;

/** Why there can be none here, or null. */
export function whyNoRedis(): string | null {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const isThere = folders.some((folder) => existsSync(join(folder, "redis-server")));
  return isThere ? null : "needs Redis (Debian package redis-server)";
}

/** Settings of redis.conf: { appendonly: "yes" }. */
export type RedisSettings = Readonly<Record<string, string>>;

/** What was answered is on the disk. */
export const durable: RedisSettings = { appendonly: "yes", appendfsync: "always" };

export class Redis {
  readonly folder: string;
  readonly port: number;
  /** By hand: redis-cli with these arguments. */
  readonly #access: readonly string[];
  readonly #settings: RedisSettings;
  #process: ChildProcess | null = null;

  private constructor(folder: string, port: number, settings: RedisSettings, access: readonly string[]) {
    this.folder = folder;
    this.port = port;
    this.#settings = settings;
    this.#access = access;
  }

  /** Ready for connections. @param access what redis-cli needs to come in, where that is not its port alone. */
  static async start(settings: RedisSettings = {}, access: readonly string[] = []): Promise<Redis> {
    const [port] = await freePorts(1);
    const redis = new Redis(mkdtempSync(join(tmpdir(), "flotilla-redis-")), port!, settings, access);
    await redis.run();
    return redis;
  }

  /** The same, ended when the test is over. */
  static async startFor(
    t: Pick<TestContext, "after">,
    settings?: RedisSettings,
    access?: readonly string[],
  ): Promise<Redis> {
    const redis = await Redis.start(settings, access);
    t.after(() => redis.remove());
    return redis;
  }

  /** Primaries that share the slots; each test that uses them has them for itself. */
  static async startCluster(t: Pick<TestContext, "after">, count: number): Promise<readonly Redis[]> {
    const nodes: Redis[] = [];
    // Its nodes speak on a port of their own, which would be the other one and 10,000: that may be none.
    for (const busPort of await freePorts(count)) {
      const settings = { "cluster-port": String(busPort), "cluster-node-timeout": "1000" };
      nodes.push(await Redis.startFor(t, { "cluster-enabled": "yes", ...settings }));
    }
    const places = nodes.map(({ port }) => `127.0.0.1:${port}`);
    await run("redis-cli", ["--cluster", "create", ...places, "--cluster-yes"]);
    for (const node of nodes)
      await until("the cluster is whole", async () =>
        /cluster_state:ok/.test(await node.command("CLUSTER", "INFO")),
      );
    return nodes;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it, as far as it is not running. */
  async run(): Promise<void> {
    const own = { bind: "127.0.0.1", dir: this.folder, save: "" };
    // With a certificate all of it is TLS.
    const ports: RedisSettings =
      "tls-cert-file" in this.#settings
        ? { port: "0", "tls-port": String(this.port) }
        : { port: String(this.port) };
    const settings = { ...own, ...ports, ...this.#settings };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "pipe"], cwd: this.folder });
    this.#process = child;
    await ready(child, {
      ...{ name: "Redis", output: "stdout", patienceMs },
      pattern: /Ready to accept connections/,
    });
  }

  /** As an operator would: what it says. */
  async command(...args: readonly string[]): Promise<string> {
    const { stdout } = await run("redis-cli", ["-p", String(this.port), ...this.#access, ...args]);
    return stdout.trim();
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  /** kill -9. */
  async kill(): Promise<void> {
    const child = this.#process!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  pause(): void {
    this.#process!.kill("SIGSTOP");
  }

  resume(): void {
    this.#process!.kill("SIGCONT");
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
