/** The app processes of one site of a benchmark of sessions, in a folder of their own, all on one core. */
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "../../test/harness/free-ports.ts";
import { until } from "../../test/harness/process.ts";
import { end } from "../contenders.ts";
import { spawnLogged } from "../logged.ts";

export class AppProcesses {
  readonly folder: string;
  /** Their HTTP ports. */
  readonly ports: readonly number[];
  readonly #children: ChildProcess[] = [];
  readonly #names: string[] = [];

  private constructor(name: string, ports: readonly number[]) {
    this.ports = ports;
    this.folder = mkdtempSync(join(tmpdir(), `flotilla-bench-sessions-${name}-`));
  }

  static async prepare(name: string, count: number): Promise<AppProcesses> {
    return new AppProcesses(name, await freePorts(count));
  }

  /**
   * A cluster's file with these app servers, each on an address of its own, as if on a machine of its own: then each votes on the register.
   * @param sessions the section, in one line.
   * @returns its path.
   */
  async writeFile(sessions: string): Promise<string> {
    const servers: string[] = [];
    for (let index = 0; index < this.ports.length; index++) {
      const address = `127.0.0.${index + 1}`;
      const [port] = await freePorts(1, address);
      servers.push(`      ${nameOf(index)}: { address: ${address}, port: ${port} }\n`);
    }
    const path = join(this.folder, "flotilla.yaml");
    const clusters = `clusters:\n  app:\n    sessions: ${sessions}\n    servers:\n${servers.join("")}`;
    writeFileSync(path, `secret: \${file:./secret}\n\n${clusters}`);
    writeFileSync(join(this.folder, "secret"), randomBytes(32).toString("base64url"), { mode: 0o600 });
    return path;
  }

  /** sessions/app.js at each port. @throws when one of them ends. */
  async start(kind: string, environment: Readonly<Record<string, string>>): Promise<void> {
    const script = fileURLToPath(new URL("app.js", import.meta.url));
    for (const [index, port] of this.ports.entries()) {
      const server = "FLOTILLA_CONFIG" in environment ? { FLOTILLA_SERVER: nameOf(index) } : {};
      const own = { ...environment, ...server, PORT: String(port) };
      this.#children.push(this.spawn(nameOf(index), [process.execPath, script, kind], own));
    }
    for (const port of this.ports)
      await until(`the app at port ${port} answers`, () => this.#isAnswering(port));
  }

  /** On the core of the app processes. What it writes is in `output`. */
  spawn(name: string, command: readonly string[], environment: Record<string, string> = {}): ChildProcess {
    this.#names.push(name);
    return spawnLogged("app", command, environment, join(this.folder, `${name}.log`));
  }

  get pids(): number[] {
    return this.#children.map(({ pid }) => pid!);
  }

  kill(index: number): void {
    this.#children[index]!.kill("SIGKILL");
  }

  /** The end of what each process wrote. */
  get output(): string {
    const endOf = (name: string): string =>
      `${name}: ${readFileSync(join(this.folder, `${name}.log`), "utf8").slice(-2_000)}\n`;
    return this.#names.map(endOf).join("");
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map(end));
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #isAnswering(port: number): Promise<boolean> {
    const gone = this.#children.find(({ pid, exitCode }) => pid === undefined || exitCode !== null);
    if (gone !== undefined) throw new Error("an app process ended");
    return await fetch(`http://127.0.0.1:${port}/sign-in`).then(
      ({ status }) => status === 200,
      () => false,
    );
  }
}

function nameOf(index: number): string {
  return `app-${"abc"[index]}`;
}
