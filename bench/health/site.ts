/** A balancer in front of three equal app servers, ready for requests. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { freePorts } from "../../test/harness/free-ports.ts";
import { until } from "../../test/harness/process.ts";
import { isInstalled } from "../commands.ts";
import { end, flotillaCommand, haproxyCommand, nginxCommand } from "../contenders.ts";
import { AppServer } from "./app-server.ts";

interface Setup {
  readonly template: string;
  readonly command: (path: string) => readonly string[];
  /** The application joins the cluster instead of listening on HTTP. */
  readonly isLinked?: boolean;
  /** What has to be installed for it: program and Debian's package. */
  readonly needs?: readonly [string, string];
}

export type Balancer =
  | "flotilla"
  | "flotilla-check"
  | "flotilla-http"
  | "nginx"
  | "haproxy"
  | "haproxy-tuned";

const haproxy = { command: haproxyCommand, needs: ["haproxy", "haproxy"] } as const;
const setups: Readonly<Record<Balancer, Setup>> = {
  flotilla: { template: "flotilla.yaml", command: flotillaCommand, isLinked: true },
  "flotilla-check": { template: "flotilla-check.yaml", command: flotillaCommand, isLinked: true },
  "flotilla-http": { template: "flotilla-http.yaml", command: flotillaCommand },
  nginx: { template: "nginx.conf", command: nginxCommand, needs: ["nginx", "nginx-light"] },
  haproxy: { template: "haproxy.cfg", ...haproxy },
  "haproxy-tuned": { template: "haproxy-tuned.cfg", ...haproxy },
};

export const balancerNames: readonly Balancer[] = Object.keys(setups) as Balancer[];

/** Why this one can't take part here, or null. */
export function whyLeftOut(balancer: Balancer): string | null {
  const { needs } = setups[balancer];
  if (needs === undefined || isInstalled(needs[0])) return null;
  return `${balancer} is left out: ${needs[0]} is not installed (apt-get install ${needs[1]})`;
}

export interface SiteOptions {
  /** What the application is told of its work (app.js). */
  readonly application: Readonly<Record<string, string>>;
  /** Flotilla's policy, else its default. */
  readonly policy?: string;
  /** What the command of the balancer, and of each app server, begins with. */
  readonly prefix?: (process: "balancer" | number) => readonly string[];
}

const serverLetters = ["a", "b", "c"] as const;

export class Site {
  readonly port: number;
  readonly apps: readonly AppServer[];
  readonly #folder: string;
  readonly #balancer: ChildProcess;
  /** When this process ends in the middle. */
  readonly #leaveNothing: () => void;

  private constructor(
    port: number,
    apps: readonly AppServer[],
    folder: string,
    balancer: ChildProcess,
    leaveNothing: () => void,
  ) {
    this.#leaveNothing = leaveNothing;
    this.port = port;
    this.apps = apps;
    this.#folder = folder;
    this.#balancer = balancer;
  }

  /** Every app server has answered. @throws with what the processes wrote; nothing is left behind then. */
  static async start(balancer: Balancer, options: SiteOptions): Promise<Site> {
    const setup = setups[balancer];
    const folder = mkdtempSync(join(tmpdir(), `flotilla-drill-${balancer}-`));
    const [port, webLinkPort, ...appPorts] = (await freePorts(2 + serverLetters.length)) as [
      number,
      number,
      ...number[],
    ];
    const path = configure(folder, setup.template, options.policy, {
      PORT: port,
      WEB_LINK_PORT: webLinkPort,
      ...Object.fromEntries(appPorts.map((appPort, index) => [`APP_PORT_${index}`, appPort])),
    });
    const apps = serverLetters.map((letter, index) => {
      const name = `app-${letter}`;
      const place = setup.isLinked
        ? { FLOTILLA_SERVER: name, FLOTILLA_CONFIG: path }
        : { PORT: String(appPorts[index]) };
      const prefix = options.prefix?.(index) ?? [];
      return new AppServer(name, { ...options.application, ...place }, join(folder, `${name}.log`), prefix);
    });
    let child: ChildProcess | null = null;
    const leaveNothing = (): void => {
      child?.kill("SIGTERM");
      for (const app of apps) app.abandon();
      rmSync(folder, { recursive: true, force: true });
    };
    process.once("exit", leaveNothing);
    try {
      await Promise.all(apps.map((app) => app.start()));
      child = spawnLogged(
        [...(options.prefix?.("balancer") ?? []), ...setup.command(path)],
        join(folder, "balancer.log"),
      );
      await everyoneAnswers(port, child);
      return new Site(port, apps, folder, child, leaveNothing);
    } catch (thrown) {
      const output = logsIn(folder);
      await stopAll(child, apps, folder);
      process.off("exit", leaveNothing);
      throw new Error(`${balancer} did not start: ${String(thrown)}\n${output}`);
    }
  }

  async stop(): Promise<void> {
    await stopAll(this.#balancer, this.apps, this.#folder);
    process.off("exit", this.#leaveNothing);
  }
}

/** @returns the path of the filled-in configuration. */
function configure(
  folder: string,
  template: string,
  policy: string | undefined,
  values: Readonly<Record<string, number>>,
): string {
  const all: Record<string, string | number> = {
    ...values,
    FOLDER: folder,
    // As root, nginx would give its worker to a user who may not write into our folder.
    USER: process.getuid?.() === 0 ? "user root;" : "",
  };
  const text = readFileSync(new URL(`peers/${template}`, import.meta.url), "utf8")
    .replace(/__([A-Z_]+(?:_\d)?)__/g, (_, name: string) => String(all[name] ?? ""))
    .replace("  app:\n", `  app:\n${policy === undefined ? "" : `    balance: ${policy}\n`}`);
  const path = join(folder, basename(template));
  writeFileSync(path, text);
  writeFileSync(join(folder, "secret"), randomBytes(32).toString("base64url"), { mode: 0o600 });
  return path;
}

function spawnLogged(command: readonly string[], logFile: string): ChildProcess {
  const [program, ...args] = command;
  const { FLOTILLA_SERVER: _, FLOTILLA_CONFIG: __, ...inherited } = process.env;
  const log = openSync(logFile, "a");
  const child = spawn(program!, args, {
    env: { ...inherited, NODE_ENV: "production" },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.on("error", () => {});
  return child;
}

async function everyoneAnswers(port: number, balancer: ChildProcess): Promise<void> {
  const seen = new Set<string>();
  await until("every app server has answered", async () => {
    if (balancer.pid === undefined || balancer.exitCode !== null) throw new Error("the balancer ended");
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
    if (answer === null) return false;
    await answer.arrayBuffer();
    if (answer.status === 200) seen.add(answer.headers.get("x-served-by")!);
    return seen.size === serverLetters.length;
  });
}

async function stopAll(
  balancer: ChildProcess | null,
  apps: readonly AppServer[],
  folder: string,
): Promise<void> {
  // The balancer first: it would complain about an application that is gone.
  if (balancer !== null) await end(balancer);
  await Promise.all(apps.map((app) => app.stop()));
  rmSync(folder, { recursive: true, force: true });
}

function logsIn(folder: string): string {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".log") && name !== "access.log")
    .map((name) => `--- ${name}\n${readFileSync(join(folder, name), "utf8").slice(-4_000)}`)
    .join("");
}
