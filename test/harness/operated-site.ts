/** Two web servers, each a process of its own, in front of three app servers that keep sessions on two of them: what operators work on. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MemberStatus } from "../../src/member/member.ts";
import { cartApp, slotsInAll } from "./cart-site.ts";
import { testSecret } from "./cluster-folder.ts";
import { freePorts } from "./free-ports.ts";
import {
  runFlotilla,
  start,
  startFlotilla,
  statusOf,
  type TestProcess,
  temporaryFolder,
  until,
} from "./process.ts";

export interface OperatedShape {
  readonly files?: Readonly<Record<string, string>>;
  /** Default: the cart. */
  readonly run?: string | null;
  readonly workers?: number;
  readonly apps?: number;
}

export class OperatedSite {
  readonly folder: string;
  readonly config: string;
  /** Of web-a and web-b, where browsers connect. */
  readonly httpPorts: readonly [number, number];
  readonly #t: TestContext;
  readonly #apps: readonly string[];

  private constructor(t: TestContext, folder: string, ports: readonly number[], apps: readonly string[]) {
    this.#t = t;
    this.folder = folder;
    this.config = join(folder, "flotilla.yaml");
    this.httpPorts = [ports[0]!, ports[1]!];
    this.#apps = apps;
  }

  static async make(
    t: TestContext,
    { files, run, workers = 1, apps = 3 }: OperatedShape = {},
  ): Promise<OperatedSite> {
    const ports = await freePorts(4 + apps);
    const names = ["app-a", "app-b", "app-c"].slice(0, apps);
    const text = `secret: ${testSecret}
clusters:
${["a", "b"].map((letter, index) => webCluster(letter, ports[index]!, ports[2 + index]!, workers)).join("")}  app:
    servers:
${names.map((name, index) => `      ${name}: { address: 127.0.0.${index + 2}, port: ${ports[4 + index]}, weight: 2 }\n`).join("")}    balance: round-robin
    sessions: { durability: backup }
    timeouts: { drain: 8s }
${run === null ? "" : `    run: ${run ?? `exec node ${cartApp}`}\n`}`;
    const folder = temporaryFolder(t, { ...files, "flotilla.yaml": text });
    return new OperatedSite(t, folder, ports, names);
  }

  startApps(): TestProcess {
    return startFlotilla(this.#t, ["start", ...this.#apps], { cwd: this.folder });
  }

  /** An app server without a supervisor. */
  startByHand(name: string): TestProcess {
    const env = { FLOTILLA_SERVER: name, FLOTILLA_CONFIG: this.config };
    return start(this.#t, process.execPath, [cartApp], { cwd: this.folder, env });
  }

  async startWeb(name: "web-a" | "web-b"): Promise<TestProcess> {
    const running = startFlotilla(this.#t, ["start", name], { cwd: this.folder });
    await running.line(/up at http/);
    return running;
  }

  /** All of it; ends when every session has two copies. */
  async start(): Promise<{ apps: TestProcess; webA: TestProcess; webB: TestProcess }> {
    // Each waits for its turn to start, which on a busy machine may take long.
    const apps = this.startApps();
    await apps.line(/app-a started/);
    const webA = await this.startWeb("web-a");
    const webB = await this.startWeb("web-b");
    await this.whole();
    for (const port of this.httpPorts)
      await until("the site answers", async () => (await fetch(`http://127.0.0.1:${port}/`)).status === 200);
    return { apps, webA, webB };
  }

  async whole(): Promise<void> {
    await until("every session slot has two copies", async () => {
      const servers = await this.servers();
      const slots = servers.reduce((sum, server) => sum + (server.slots ?? 0), 0);
      return slots === slotsInAll && servers.every((server) => (server.singleCopySlots ?? 0) === 0);
    });
  }

  async servers(): Promise<MemberStatus[]> {
    return await statusOf(this.folder);
  }

  async server(name: string): Promise<MemberStatus> {
    return (await this.servers()).find((server) => server.name === name)!;
  }

  async flotilla(...words: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    return await runFlotilla(this.#t, words, { cwd: this.folder });
  }

  /** By which servers `count` new visitors of a web server were served. */
  async newVisitors(web: 0 | 1, count: number): Promise<Set<string>> {
    const served = new Set<string>();
    for (let index = 0; index < count; index++) {
      const response = await fetch(`http://127.0.0.1:${this.httpPorts[web]}/`);
      await response.text();
      served.add(response.headers.get("x-served-by")?.split("/")[0] ?? String(response.status));
    }
    return served;
  }
}

/** On one machine two web servers listen on different ports, so each is a cluster of its own. */
function webCluster(letter: string, httpPort: number, clusterPort: number, workers: number): string {
  return `  web-${letter}:
    servers: { web-${letter}: { address: 127.0.0.1, port: ${clusterPort} } }
    listen: [{ http: "127.0.0.1:${httpPort}" }]
    routes: [{ to: app }]
    workers: ${workers}
    log: { access: off }
    timeouts: { drain: 3s }
`;
}

/** A visitor who puts something into his cart again and again, at both web servers in turn, and counts himself what should be in it. */
export class Shopper {
  puts = 0;
  readonly failures: string[] = [];
  readonly #site: OperatedSite;
  readonly #pauseMs: number;
  #cookie = "";
  #isOver = false;
  readonly #loop: Promise<void>;

  /** It ends with the test at the latest. */
  constructor(t: TestContext, site: OperatedSite, pauseMs: number) {
    this.#site = site;
    this.#pauseMs = pauseMs;
    this.#loop = this.#shop();
    t.after(() => {
      this.#isOver = true;
      return this.#loop;
    });
  }

  /** @returns what the site says is in the cart. */
  async stop(): Promise<number> {
    this.#isOver = true;
    await this.#loop;
    return await this.#ask("GET");
  }

  async #shop(): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#ask("POST");
        this.puts++;
      } catch (error) {
        this.failures.push(String(error));
      }
      await sleep(this.#pauseMs);
    }
  }

  async #ask(method: string): Promise<number> {
    const port = this.#site.httpPorts[this.puts % 2];
    const response = await fetch(`http://127.0.0.1:${port}/`, { method, headers: { cookie: this.#cookie } });
    const given = response.headers.getSetCookie().at(-1);
    if (given !== undefined) this.#cookie = given.split(";")[0]!;
    const body = await response.text();
    if (response.status !== 200) throw new Error(`${response.status} ${body}`);
    return Number(body);
  }
}
