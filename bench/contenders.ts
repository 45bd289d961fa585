/** Proxies and web servers, each in front of an application process of its own, ready for requests. */
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePorts } from "../test/harness/free-ports.ts";
import { certificateFiles } from "../test/harness/tls.ts";
import { findProgram } from "./commands.ts";
import { spawnLogged } from "./logged.ts";

export type ContenderName = "nginx" | "haproxy" | "flotilla";
export type AppKind = "plain" | "express";

const certificate = certificateFiles("a");
const startTimeoutMs = 15_000;
const stopTimeoutMs = 5_000;
/** Logs are written in blocks: the last one comes a little later. */
const logTimeoutMs = 5_000;

interface Process {
  readonly role: "proxy" | "app";
  readonly child: ChildProcess;
}

export interface Setup<Name extends string = string> {
  readonly name: Name;
  /** Of its configuration: `__NAME__` in it is filled in. */
  readonly template: URL;
  /** In its folder; null: it writes none. */
  readonly accessLog: string | null;
  /** @param path of the filled-in configuration. */
  readonly command: (path: string) => readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** The application joins the cluster instead of listening on HTTP. */
  readonly isLinked?: boolean;
  /** More files of its folder, by name. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
}

const peer = (template: string): URL => new URL(`peers/${template}`, import.meta.url);

export const flotillaCommand: Setup["command"] = (path) => [
  fileURLToPath(new URL("../bin/flotilla", import.meta.url)),
  ...["start", "web-a", "-c", path],
];
export const nginxCommand: Setup["command"] = (path) => [
  findProgram("nginx")!,
  ...["-c", path, "-g", "daemon off;"],
];
export const haproxyCommand: Setup["command"] = (path) => [findProgram("haproxy")!, "-db", "-f", path];

export const setups: Readonly<Record<ContenderName, Setup<ContenderName>>> = {
  nginx: { name: "nginx", template: peer("nginx.conf"), accessLog: "access.log", command: nginxCommand },
  haproxy: {
    name: "haproxy",
    template: peer("haproxy.cfg"),
    accessLog: "proxy.log",
    command: haproxyCommand,
  },
  flotilla: {
    name: "flotilla",
    template: peer("flotilla.yaml"),
    accessLog: ".flotilla/log/web-a.access.log",
    command: flotillaCommand,
    isLinked: true,
  },
};

export class Contender<Name extends string = string> {
  readonly name: Name;
  readonly port: number;
  /** The same over TLS, in HTTP/2 and HTTP/1.1. */
  readonly tlsPort: number;
  readonly #setup: Setup<Name>;
  readonly #folder: string;
  readonly #processes: Process[] = [];

  private constructor(setup: Setup<Name>, port: number, tlsPort: number) {
    this.name = setup.name;
    this.port = port;
    this.tlsPort = tlsPort;
    this.#setup = setup;
    this.#folder = mkdtempSync(join(tmpdir(), `flotilla-bench-${setup.name}-`));
  }

  /** @throws with what its processes wrote when it does not answer in time; nothing is left behind then. */
  static async start<Name extends string>(setup: Setup<Name>, kind: AppKind): Promise<Contender<Name>> {
    const [port, tlsPort, appPort, linkPort] = (await freePorts(4)) as [number, number, number, number];
    const contender = new Contender(setup, port, tlsPort);
    try {
      const ports = { PORT: port, TLS_PORT: tlsPort, APP_PORT: appPort, WEB_LINK_PORT: linkPort };
      const path = contender.#configure(ports);
      const script = fileURLToPath(new URL("app.js", import.meta.url));
      contender.#spawn("app", [process.execPath, script, kind], {
        ...(setup.isLinked ? { FLOTILLA_SERVER: "app-a", FLOTILLA_CONFIG: path } : { PORT: String(appPort) }),
      });
      contender.#spawn("proxy", setup.command(path), setup.environment ?? {});
      await contender.#awaitAnswer();
    } catch (thrown) {
      const output = contender.#output();
      await contender.stop();
      throw new Error(`${setup.name} did not start: ${String(thrown)}\n${output}`);
    }
    return contender;
  }

  pids(role: "proxy" | "app"): number[] {
    return this.#processes.filter((process) => process.role === role).map(({ child }) => child.pid!);
  }

  /** Lines of its access log with this many requests in it, or with all that there are after a while. */
  async loggedRequests(expected: number): Promise<number> {
    const { accessLog } = this.#setup;
    if (accessLog === null) return expected;
    const deadline = performance.now() + logTimeoutMs;
    for (;;) {
      const lines = await countLines(join(this.#folder, accessLog));
      if (lines >= expected || performance.now() > deadline) return lines;
      await sleep(100);
    }
  }

  async stop(): Promise<void> {
    // The proxy first: it would complain about an application that is gone.
    for (const { child } of this.#processes.toReversed()) await end(child);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #configure(values: Readonly<Record<string, number>>): string {
    const { template, files = {} } = this.#setup;
    // HAProxy wants both in one file.
    const both = join(this.#folder, "both.pem");
    writeFileSync(
      both,
      readFileSync(certificate.certPath, "utf8") + readFileSync(certificate.keyPath, "utf8"),
    );
    const all: Record<string, string | number> = {
      ...values,
      CERT: certificate.certPath,
      KEY: certificate.keyPath,
      CERT_AND_KEY: both,
      FOLDER: this.#folder,
      PROJECT: fileURLToPath(new URL("..", import.meta.url)),
      // As root, nginx would give its worker to a user who may not write into our folder.
      USER: process.getuid?.() === 0 ? "user root;" : "",
    };
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.#folder, name)), { recursive: true });
      writeFileSync(join(this.#folder, name), content);
    }
    const path = join(this.#folder, basename(template.pathname));
    const text = readFileSync(template, "utf8");
    writeFileSync(
      path,
      text.replace(/__([A-Z_]+)__/g, (_, name: string) => String(all[name] ?? "")),
    );
    writeFileSync(join(this.#folder, "secret"), randomBytes(32).toString("base64url"), { mode: 0o600 });
    return path;
  }

  #spawn(role: "proxy" | "app", command: readonly string[], environment: Record<string, string>): void {
    const log = join(this.#folder, `${role}.log`);
    this.#processes.push({ role, child: spawnLogged(role, command, environment, log) });
  }

  async #awaitAnswer(): Promise<void> {
    const deadline = performance.now() + startTimeoutMs;
    for (;;) {
      const status = await fetch(`http://127.0.0.1:${this.port}/`).then(
        async (answer) => {
          await answer.arrayBuffer();
          return answer.status;
        },
        () => 0,
      );
      if (status === 200) return;
      const gone = this.#processes.find(({ child }) => child.pid === undefined || child.exitCode !== null);
      if (gone !== undefined) throw new Error(`its ${gone.role} process ended`);
      if (performance.now() > deadline) throw new Error(`no answer, last status ${status}`);
      await sleep(50);
    }
  }

  #output(): string {
    return ["proxy.log", "app.log", "error.log"]
      .map((name) => {
        try {
          return readFileSync(join(this.#folder, name), "utf8").slice(-4_000);
        } catch {
          return "";
        }
      })
      .join("");
  }
}

/** TERM, and KILL for one that does not end by it. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
  await exit;
  clearTimeout(timer);
}

async function countLines(path: string): Promise<number> {
  let lines = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, at + 1)) lines++;
    }
  } catch {
    // There is none: nothing was logged.
  }
  return lines;
}
