/**
 * The demo's cluster: a copy of the application's flotilla.yaml in a folder of its own, with a new secret and free ports,
 * and `flotilla start --all` on it. Everything goes when `stop` is called, and also when this process dies.
 */
import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseDocument } from "yaml";
import { clusterStatus } from "../admin/cluster-status.ts";
import { loadOrThrow } from "../config/load.ts";
import type { ClusterFile } from "../config/model.ts";
import type { MemberStatus } from "../member/member.ts";
import { OutputPrinter } from "../supervise/output.ts";
import { type Ending, type Program, startProgram } from "../supervise/program.ts";
import { FlotillaError, messageOf } from "../support/errors.ts";
import { admin as limits } from "../support/limits.ts";
import { type DemoApp, installApp } from "./demo-apps.ts";
import { findPlace, type Place } from "./free-ports.ts";

/** The command line of this installation. */
export const commandPath: string = fileURLToPath(new URL("../../bin/flotilla", import.meta.url));

const startTimeoutMs = 20_000;
const stopTimeoutMs = 10_000;
const statusPauseMs = 200;
/** Last lines of the servers that are shown when the start fails. */
const linesKeptMax = 20;

export interface DemoServer extends MemberStatus {
  /** "127.0.0.2:6800" */
  readonly place: string;
}

export class DemoCluster {
  readonly folder: string;
  readonly path: string;
  readonly origin: URL;
  readonly #places: ReadonlyMap<string, string>;
  readonly #onLine: (line: string) => void;
  readonly #lastLines: string[] = [];
  readonly #ended: PromiseWithResolvers<Ending> = Promise.withResolvers();
  #hasEnded = false;
  #program: Program | null = null;
  #file: ClusterFile | null = null;

  private constructor(files: DemoFiles, onLine: (line: string) => void) {
    this.folder = files.folder;
    this.path = files.path;
    this.origin = files.origin;
    this.#places = files.places;
    this.#onLine = onLine;
  }

  /**
   * Starts the application's cluster and waits until every server is up.
   * @param onLine each line that a server logs or prints
   * @throws FlotillaError when it can't be started; nothing is left behind then.
   */
  static async start(app: DemoApp, onLine: (line: string) => void): Promise<DemoCluster> {
    const cluster = new DemoCluster(await writeDemoFiles(app), onLine);
    cluster.#run();
    try {
      await cluster.#awaitUp();
    } catch (thrown) {
      await cluster.stop();
      throw thrown;
    }
    return cluster;
  }

  /** Every server of the file, as `flotilla status` tells it. */
  async servers(): Promise<DemoServer[]> {
    this.#file ??= loadOrThrow(this.path);
    const servers = await clusterStatus(this.#file, limits.statusTimeoutMs);
    return servers.map((server) => ({ ...server, place: this.#places.get(server.name) ?? "" }));
  }

  /** Resolves when the cluster ends by itself, which it should not. */
  get ended(): Promise<Ending> {
    return this.#ended.promise;
  }

  /** Ends the servers, by force after a while, and removes the folder. */
  async stop(): Promise<void> {
    if (!this.#hasEnded) this.#program?.terminate();
    const timer = setTimeout(() => this.#program?.kill(), stopTimeoutMs);
    await this.#ended.promise;
    clearTimeout(timer);
    await rm(this.folder, { recursive: true, force: true });
  }

  #run(): void {
    const log = createWriteStream(join(this.folder, "flotilla.log"));
    const printer = new OutputPrinter(log, 0);
    const output = { out: printer, err: printer, onLine: (line: string) => this.#take(line) };
    const settings = {
      server: "demo",
      command: `exec "$FLOTILLA_DEMO_COMMAND" start --all`,
      folder: this.folder,
      environment: {
        FLOTILLA_DEMO_COMMAND: commandPath,
        FLOTILLA_CONFIG: this.path,
        NODE_ENV: "production",
        NEXT_TELEMETRY_DISABLED: "1",
      },
      drainTimeoutMs: stopTimeoutMs,
    };
    this.#program = startProgram(settings, output, (ending) => {
      this.#hasEnded = true;
      log.end(() => this.#ended.resolve(ending));
    });
  }

  #take(line: string): void {
    this.#lastLines.push(line);
    if (this.#lastLines.length > linesKeptMax) this.#lastLines.shift();
    this.#onLine(line);
  }

  async #awaitUp(): Promise<void> {
    const deadline = performance.now() + startTimeoutMs;
    for (;;) {
      if (this.#hasEnded) throw this.#notStarted("it ended at once");
      const servers = await this.servers();
      if (servers.length === this.#places.size && servers.every((server) => server.state === "up")) return;
      if (performance.now() > deadline) {
        const waiting = servers.filter((server) => server.state !== "up").map((server) => server.name);
        throw this.#notStarted(
          `not up after ${startTimeoutMs / 1_000} s: ${waiting.join(", ") || "all servers"}`,
        );
      }
      await sleep(statusPauseMs);
    }
  }

  #notStarted(why: string): FlotillaError {
    const said = this.#lastLines.map((line) => `\n  ${readable(line)}`).join("");
    return new FlotillaError("FLOTILLA_DEMO_START", `the demo could not be started: ${why}${said}`);
  }
}

/** A server's log line as one sentence: "shop-b: ..." */
export function readable(line: string): string {
  try {
    const { server, msg } = JSON.parse(line) as { server?: unknown; msg?: unknown };
    return typeof msg === "string" ? `${String(server)}: ${msg}` : line;
  } catch {
    return line;
  }
}

interface DemoFiles {
  readonly folder: string;
  readonly path: string;
  readonly origin: URL;
  /** "127.0.0.2:6800" by server name. */
  readonly places: ReadonlyMap<string, string>;
}

async function writeDemoFiles(app: DemoApp): Promise<DemoFiles> {
  const document = parseDocument(await readFile(join(app.folder, "flotilla.yaml"), "utf8"));
  const taken = new Set<string>();
  const places = new Map<string, string>();
  const written = document.toJS() as DemoFile;
  for (const [cluster, { servers }] of Object.entries(written.clusters)) {
    for (const [name, wanted] of Object.entries(servers)) {
      const place = await findPlace(wanted, taken);
      document.setIn(["clusters", cluster, "servers", name, "address"], place.address);
      document.setIn(["clusters", cluster, "servers", name, "port"], place.port);
      places.set(name, `${place.address}:${place.port}`);
    }
  }
  const [address = "", port = ""] = written.clusters.web.listen[0]!.http.split(":");
  const door = await findPlace({ address, port: Number(port) }, taken);
  const listen = `${door.address}:${door.port}`;
  document.setIn(["clusters", "web", "listen", 0, "http"], listen);

  const folder = await mkdtemp(join(tmpdir(), "flotilla-demo-"));
  const path = join(folder, "flotilla.yaml");
  try {
    await installApp(app, folder);
    await writeFile(join(folder, "secret"), `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600 });
    await writeFile(path, String(document));
  } catch (thrown) {
    await rm(folder, { recursive: true, force: true });
    if (thrown instanceof FlotillaError) throw thrown;
    throw new FlotillaError("FLOTILLA_DEMO_START", `cannot write in ${folder}: ${messageOf(thrown)}`);
  }
  return { folder, path, origin: new URL(`http://${listen}`), places };
}

/** What we know of the file, which is ours. */
interface DemoFile {
  readonly clusters: {
    readonly [name: string]: { readonly servers: Readonly<Record<string, Place>> };
    readonly web: {
      readonly servers: Readonly<Record<string, Place>>;
      readonly listen: readonly { http: string }[];
    };
  };
}
