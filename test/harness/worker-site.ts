/** A web server of real processes in front of a plain origin in the test's own process, and visitors that count what fails. */
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { testSecret } from "./cluster-folder.ts";
import { freePorts } from "./free-ports.ts";
import { startFlotilla, type TestProcess, temporaryFolder } from "./process.ts";

export interface WorkerSiteShape {
  readonly workers?: number;
  /** Where access lines go; default: a file. */
  readonly access?: string;
  /** `timeouts:` of the web tier. */
  readonly timeouts?: string;
  /** In front of the one to the origin, as in the file; and clusters for them. */
  readonly moreRoutes?: string;
  readonly moreClusters?: string;
  /** Starts the web server; default: `flotilla start web-a`. */
  readonly start?: (site: WorkerSitePorts) => Promise<TestProcess>;
  /** Where browsers connect; default: any that is free. */
  readonly port?: number;
}

export interface WorkerSitePorts {
  readonly folder: string;
  readonly config: string;
  readonly port: number;
  readonly healthPort: number;
}

export interface WorkerSite extends WorkerSitePorts {
  readonly running: TestProcess;
  readonly accessLog: string;
  /** The origin answers `/slow` only once this is called. */
  answerSlow(): void;
  /** Resolves when the origin has a request for `/slow`. */
  readonly slowAsked: Promise<void>;
  closeOrigin(): Promise<void>;
}

/** It is up when this resolves, and killed when the test is over. */
export async function workerSite(t: TestContext, shape: WorkerSiteShape = {}): Promise<WorkerSite> {
  const slow = Promise.withResolvers<void>();
  const slowAsked = Promise.withResolvers<void>();
  const origin = createServer((asked, answer) => {
    if (asked.url !== "/slow") return void answer.end("fast");
    answer.write("first ");
    slowAsked.resolve();
    void slow.promise.then(() => answer.end("last"));
  });
  origin.listen(0, "127.0.0.1");
  const closeOrigin = (): Promise<void> =>
    new Promise((resolve) => {
      origin.close(() => resolve());
      origin.closeAllConnections();
    });
  t.after(closeOrigin);
  const [clusterPort, healthPort, freePort] = await freePorts(3);
  const port = shape.port ?? freePort!;
  const text = webServerFile(
    { ...shape, clusterPort: clusterPort!, port, healthPort: healthPort! },
    origin.address() as AddressInfo,
  );
  const folder = temporaryFolder(t, { "flotilla.yaml": text });
  const ports = { folder, config: join(folder, "flotilla.yaml"), port, healthPort: healthPort! };
  const running = (await shape.start?.(ports)) ?? startFlotilla(t, ["start", "web-a"], { cwd: folder });
  await running.line(/up at http/);
  return {
    ...ports,
    running,
    accessLog: join(folder, "access.log"),
    answerSlow: slow.resolve,
    slowAsked: slowAsked.promise,
    closeOrigin,
  };
}

function webServerFile(
  shape: WorkerSiteShape & { clusterPort: number; port: number; healthPort: number },
  origin: AddressInfo,
): string {
  const { workers = 2, timeouts = "drain: 5s", access = "access.log", clusterPort, port, healthPort } = shape;
  const { moreRoutes = "", moreClusters = "" } = shape;
  return `secret: ${testSecret}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: ${clusterPort} } }
    listen: [{ http: "127.0.0.1:${port}" }]
    health: 127.0.0.1:${healthPort}
    workers: ${workers}
    log: { access: "${access}" }
    timeouts: { ${timeouts} }
    routes: [${moreRoutes}{ to: app }]
  app:
    servers: { plain-a: { http: "http://127.0.0.1:${origin.port}" } }
${moreClusters}`;
}

/** Visitors that ask one request after the other, half of them on a connection that they keep. */
export class Visitors {
  answered = 0;
  readonly failures: string[] = [];
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #loops: Promise<void>[];
  #stopped = false;

  constructor(port: number, count: number) {
    this.#port = port;
    this.#loops = Array.from({ length: count }, (_, index) => this.#loop(index % 2 === 0));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    this.#agent.destroy();
  }

  async #loop(keeps: boolean): Promise<void> {
    while (!this.#stopped) {
      try {
        const { status } = await get(this.#port, "/", keeps ? this.#agent : false);
        if (status === 200) this.answered++;
        else this.failures.push(`status ${status}`);
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }
}

export interface Got {
  readonly status: number;
  readonly body: string;
  readonly connection: string;
}

/** @throws when the connection fails. */
export function get(port: number, path: string, agent: Agent | false = false): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, agent }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 0, body, connection: answer.headers.connection ?? "" }),
      );
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}
