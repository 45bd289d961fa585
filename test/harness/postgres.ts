/**
 * A PostgreSQL of a test's own: made in a folder below the temporary one, on a free port of the loopback and a socket in that
 * folder, as a user that is not root (PostgreSQL refuses root), and ended with the test by its number. Nothing is synced to the
 * disk: what a power cut leaves is PostgreSQL's own business.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import pg from "pg";
import { sendSignal } from "../../src/support/processes.ts";
import { freePorts } from "./free-ports.ts";
import { otherUser, owned } from "./other-user.ts";
import { ready } from "./started-server.ts";
import { copyCertificate } from "./tls.ts";

const run = promisify(execFile);
const debianFolder = "/usr/lib/postgresql";
const patienceMs = 20_000;

/** The folder of its programs, the newest of the machine. */
function programs(): string | null {
  const versions = existsSync(debianFolder)
    ? readdirSync(debianFolder).map(Number).filter(Number.isInteger)
    : [];
  const folders = versions
    .sort((one, other) => other - one)
    .map((version) => join(debianFolder, String(version), "bin"));
  const all = [...folders, ...(process.env.PATH ?? "").split(delimiter)];
  return (
    all.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "pg_ctl"))) ?? null
  );
}

/** Why there can be none here, or null. */
export function whyNoPostgres(): string | null {
  return programs() === null ? "needs PostgreSQL (Debian package postgresql)" : null;
}

export interface PostgresOptions {
  /** Lines for postgresql.conf. */
  readonly settings?: readonly string[];
  /** Lines of pg_hba.conf in place of those that let everybody in. */
  readonly access?: readonly string[];
  /** Default: the folder for what is temporary. */
  readonly within?: string;
  /** Folders on other disks: for its data, and for its log of changes (pg_wal). What it says is not written there. */
  readonly disks?: { readonly data?: string; readonly log?: string };
  /** What is run before its programs, to run them on another machine: ["ip", "netns", "exec", "db"]. */
  readonly on?: readonly string[];
  /** Default: the loopback. */
  readonly address?: string;
  readonly port?: number;
}

export class Postgres {
  readonly folder: string;
  readonly address: string;
  readonly port: number;
  readonly #options: PostgresOptions;
  #process: ChildProcess | null = null;

  private constructor(folder: string, port: number, options: PostgresOptions) {
    this.folder = folder;
    this.address = options.address ?? "127.0.0.1";
    this.port = port;
    this.#options = options;
  }

  /** Ready for connections; the superuser is `postgres`, and may come in without a password. */
  static async start(options: PostgresOptions = {}): Promise<Postgres> {
    const server = await Postgres.#make(options);
    await server.#program("initdb", [
      "-D",
      server.data,
      "-U",
      "postgres",
      "--auth=trust",
      "--no-sync",
      "-E",
      "UTF8",
      "--locale=C",
      ...server.#logPlace(),
    ]);
    const access = options.access ?? [
      "local all all trust",
      "host all all all trust",
      "host replication all all trust",
    ];
    writeFileSync(join(server.data, "pg_hba.conf"), `${access.join("\n")}\n`);
    server.#configure();
    await server.run();
    return server;
  }

  /** The same, ended when the test is over. */
  static async startFor(t: Pick<TestContext, "after">, options: PostgresOptions = {}): Promise<Postgres> {
    const server = await Postgres.start(options);
    t.after(() => server.remove());
    return server;
  }

  /** A standby that follows `primary`. */
  static async follow(t: Pick<TestContext, "after">, primary: Postgres): Promise<Postgres> {
    const server = await Postgres.#make({});
    t.after(() => server.remove());
    const from = ["-h", primary.address, "-p", String(primary.port), "-U", "postgres"];
    await server.#program("pg_basebackup", [
      "-D",
      server.data,
      "-R",
      "--checkpoint=fast",
      "--no-sync",
      ...from,
    ]);
    server.#configure();
    await server.run();
    return server;
  }

  static async #make(options: PostgresOptions): Promise<Postgres> {
    const folder = mkdtempSync(join(options.within ?? tmpdir(), "flotilla-postgres-"));
    owned(folder, "postgres");
    return new Postgres(folder, options.port ?? (await freePorts(1))[0]!, options);
  }

  #logPlace(): string[] {
    const folder = this.#options.disks?.log;
    return folder === undefined ? [] : ["--waldir", join(owned(folder, "postgres"), "log")];
  }

  get data(): string {
    const folder = this.#options.disks?.data;
    return folder === undefined ? join(this.folder, "data") : join(owned(folder, "postgres"), "data");
  }

  get log(): string {
    return readFileSync(join(this.folder, "log"), "utf8");
  }

  url(database: string = "postgres", user: string = "postgres"): string {
    return `postgres://${user}@${this.address}:${this.port}/${database}`;
  }

  #configure(): void {
    const settings = [
      `listen_addresses = '${this.address}'`,
      `port = ${this.port}`,
      `unix_socket_directories = '${this.folder}'`,
      "max_connections = 200",
      "shared_buffers = 16MB",
      ...(this.#options.settings ?? ["fsync = off"]),
    ];
    appendFileSync(join(this.data, "postgresql.conf"), `${settings.join("\n")}\n`);
  }

  /** Starts it, as far as it is not running. */
  async run(): Promise<void> {
    const [command, ...args] = this.#command("postgres", ["-D", this.data]);
    const child = spawn(command!, args, {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: this.folder,
      env: this.#env(),
    });
    this.#process = child;
    await ready(child, {
      ...{ name: "PostgreSQL", output: "stderr", patienceMs },
      pattern: /ready to accept (?:read-only )?connections/,
      onText: (text) => appendFileSync(join(this.folder, "log"), text),
    });
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  /** By itself, too. */
  get hasEnded(): boolean {
    return this.#process?.exitCode !== null || this.#process.signalCode !== null;
  }

  /** "fast": sessions are ended. "immediate": as a crash. */
  async stop(how: "fast" | "immediate" = "fast"): Promise<void> {
    const child = this.#process;
    if (child === null || this.hasEnded) return;
    // With all that it wrote.
    const ended = once(child, "close");
    child.kill("SIGCONT");
    for (const pid of this.#processes()) if (pid !== child.pid) sendSignal(pid, "SIGCONT");
    child.kill(how === "fast" ? "SIGINT" : "SIGQUIT");
    await ended;
  }

  /** kill -9 of all of it. */
  async kill(): Promise<void> {
    const ended = once(this.#process!, "close");
    for (const pid of this.#processes()) sendSignal(pid, "SIGKILL");
    await ended;
  }

  async remove(): Promise<void> {
    await this.stop("immediate");
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** It and the processes of its sessions stand still, or go on. */
  pause(): void {
    for (const pid of this.#processes()) sendSignal(pid, "SIGSTOP");
  }

  resume(): void {
    for (const pid of this.#processes()) sendSignal(pid, "SIGCONT");
  }

  #processes(): number[] {
    const main = this.#process!.pid!;
    const children = readFileSync(`/proc/${main}/task/${main}/children`, "utf8");
    return [main, ...children.split(" ").filter(Boolean).map(Number)];
  }

  /** With a certificate of test/harness/tls, from now on: it is started anew. */
  async encrypt(name: string): Promise<void> {
    const { certPath, keyPath } = copyCertificate(name, this.data, "postgres");
    const settings = ["ssl = on", `ssl_cert_file = '${certPath}'`, `ssl_key_file = '${keyPath}'`];
    appendFileSync(join(this.data, "postgresql.conf"), `${settings.join("\n")}\n`);
    await this.stop();
    await this.run();
  }

  async promote(): Promise<void> {
    await this.#program("pg_ctl", ["promote", "-w", "-D", this.data]);
  }

  /** As the superuser. */
  async sql(text: string, values: readonly unknown[] = [], database?: string): Promise<pg.QueryResultRow[]> {
    return await this.session((client) => client.query(text, [...values]).then(({ rows }) => rows), database);
  }

  /** With a connection of the superuser. */
  async session<R>(use: (client: pg.Client) => Promise<R>, database?: string): Promise<R> {
    const client = new pg.Client({ connectionString: this.url(database) });
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  }

  async #program(name: string, args: readonly string[]): Promise<void> {
    const [command, ...rest] = this.#command(name, args);
    await run(command!, rest, { cwd: this.folder, env: this.#env() });
  }

  #command(name: string, args: readonly string[]): string[] {
    const user = otherUser("postgres");
    const as =
      user === null ? [] : ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"];
    return [...(this.#options.on ?? []), ...as, join(programs()!, name), ...args];
  }

  /** Its messages are waited for by their words. */
  #env(): NodeJS.ProcessEnv {
    return { ...process.env, LC_ALL: "C", TZ: "UTC" };
  }
}
