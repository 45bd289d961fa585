/**
 * A MariaDB of a test's own: made in a folder below the temporary one, on a free port of the loopback and a socket in that folder, as
 * a user that is not root, and ended with the test by its number. It syncs to the disk as one in production does.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import mysql from "mysql2/promise";
import { findProgram } from "../../bench/commands.ts";
import { sendSignal } from "../../src/support/processes.ts";
import { freePorts } from "./free-ports.ts";
import { otherUser, owned } from "./other-user.ts";
import { ready } from "./started-server.ts";

const run = promisify(execFile);
const patienceMs = 30_000;

/** Why there can be none here, or null. */
export function whyNoMariadb(): string | null {
  const isThere = findProgram("mariadbd") !== null && findProgram("mariadb-install-db") !== null;
  return isThere ? null : "needs MariaDB (Debian package mariadb-server)";
}

export interface MariadbOptions {
  /** Of mariadbd: "--sql-mode=ANSI". */
  readonly settings?: readonly string[];
  /** Default: the folder for what is temporary. */
  readonly within?: string;
}

export class Mariadb {
  readonly folder: string;
  readonly port: number;
  readonly #options: MariadbOptions;
  #process: ChildProcess | null = null;

  private constructor(folder: string, port: number, options: MariadbOptions) {
    this.folder = folder;
    this.port = port;
    this.#options = options;
  }

  /** Ready for connections, with an empty database `site`; the superuser is `root`, and may come in without a password. */
  static async start(options: MariadbOptions = {}): Promise<Mariadb> {
    const folder = owned(mkdtempSync(join(options.within ?? tmpdir(), "flotilla-mariadb-")), "mysql");
    // A server that starts removes what it takes for another's that has died.
    owned(mkdirSync(join(folder, "temporary"), { recursive: true })!, "mysql");
    const server = new Mariadb(folder, (await freePorts(1))[0]!, options);
    await server.#install();
    try {
      await server.run();
      await server.sql("CREATE DATABASE site", "");
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  /** The same, ended when the test is over. */
  static async startFor(t: Pick<TestContext, "after">, options: MariadbOptions = {}): Promise<Mariadb> {
    const server = await Mariadb.start(options);
    t.after(() => server.remove());
    return server;
  }

  url(user: string = "root", database: string = "site"): string {
    return `mysql://${user}@127.0.0.1:${this.port}/${database}`;
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  get log(): string {
    return readFileSync(join(this.folder, "log"), "utf8");
  }

  /** Starts it, as far as it is not running. */
  async run(): Promise<void> {
    const [command, ...args] = this.#command(findProgram("mariadbd")!, [
      "--no-defaults",
      `--datadir=${join(this.folder, "data")}`,
      `--tmpdir=${join(this.folder, "temporary")}`,
      `--socket=${join(this.folder, "socket")}`,
      `--pid-file=${join(this.folder, "pid")}`,
      `--port=${this.port}`,
      "--bind-address=127.0.0.1",
      "--skip-name-resolve",
      "--max-connections=200",
      "--innodb-buffer-pool-size=32M",
      "--innodb-log-file-size=16M",
      "--innodb-flush-log-at-trx-commit=1",
      ...(this.#options.settings ?? []),
    ]);
    const child = spawn(command!, args, { stdio: ["ignore", "pipe", "pipe"], cwd: this.folder });
    this.#process = child;
    await ready(child, {
      ...{ name: "MariaDB", output: "stderr", patienceMs },
      pattern: /ready for connections/,
      onText: (text) => appendFileSync(join(this.folder, "log"), text),
    });
  }

  /** By itself, too. */
  get hasEnded(): boolean {
    return this.#process?.exitCode !== null || this.#process.signalCode !== null;
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** kill -9 */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  pause(): void {
    sendSignal(this.#process!.pid!, "SIGSTOP");
  }

  resume(): void {
    sendSignal(this.#process!.pid!, "SIGCONT");
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child === null || this.hasEnded) return;
    // With all that it wrote.
    const ended = once(child, "close");
    child.kill("SIGCONT");
    child.kill(signal);
    await ended;
  }

  /** As the superuser. @returns rows by the names of their columns. */
  async sql(
    text: string,
    database: string = "site",
    values: readonly (string | number)[] = [],
  ): Promise<mysql.RowDataPacket[]> {
    return await this.session(async (connection) => {
      const [rows] = await connection.query<mysql.RowDataPacket[]>(text, [...values]);
      return rows;
    }, database);
  }

  /** With a connection of the superuser. */
  async session<R>(use: (connection: mysql.Connection) => Promise<R>, database: string = "site"): Promise<R> {
    const connection = await mysql.createConnection({
      ...{ host: "127.0.0.1", port: this.port, user: "root" },
      ...(database !== "" && { database }),
    });
    try {
      return await use(connection);
    } finally {
      connection.destroy();
    }
  }

  async #install(): Promise<void> {
    const [command, ...args] = this.#command(findProgram("mariadb-install-db")!, [
      "--no-defaults",
      `--datadir=${join(this.folder, "data")}`,
      `--tmpdir=${join(this.folder, "temporary")}`,
      "--auth-root-authentication-method=normal",
      "--skip-test-db",
      "--skip-name-resolve",
      "--innodb-log-file-size=16M",
    ]);
    await run(command!, args, { cwd: this.folder });
  }

  #command(program: string, args: readonly string[]): string[] {
    const user = otherUser("mysql");
    const as =
      user === null ? [] : ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"];
    return [...as, program, ...args];
  }
}
