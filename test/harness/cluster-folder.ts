/** A folder with a flotilla.yaml of free ports and a key, for tests that start real servers. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import { freePorts } from "./free-ports.ts";
import { temporaryFolder } from "./process.ts";

export interface ClusterShape {
  /** App servers app-a, app-b, ...; default 1. */
  readonly apps?: number;
  /** A web server web-a in front; default false. */
  readonly web?: boolean;
  /** Of web-a, where it is by default; default false. */
  readonly accessLog?: boolean;
  /** Of the app servers; null for none. Default: the smallest app server there is. */
  readonly run?: string | null;
  /** Default true. */
  readonly attach?: boolean;
  readonly files?: Readonly<Record<string, string>>;
}

export interface ClusterFolder {
  readonly folder: string;
  readonly config: string;
  /** Cluster ports of app-a, app-b, ... */
  readonly appPorts: readonly number[];
  /** Cluster port of web-a. */
  readonly webPort: number;
  readonly httpPort: number;
}

export const testSecret = "0123456789abcdef0123456789abcdef";
/** Answers admin questions, serves no requests. */
export const appServer: string = `node ${join(import.meta.dirname, "..", "integration", "fixtures", "app-server.ts")}`;

export async function clusterFolder(t: TestContext, shape: ClusterShape = {}): Promise<ClusterFolder> {
  const [webPort, httpPort, ...appPorts] = await freePorts(2 + (shape.apps ?? 1));
  const servers = appPorts.map(
    (port, index) => `      app-${"abcdefgh"[index]}: { address: 127.0.0.1, port: ${port} }\n`,
  );
  const run = shape.run === undefined ? appServer : shape.run;
  const text = `secret: ${testSecret}
clusters:
${shape.web === true ? webCluster(webPort!, httpPort!, shape.accessLog === true) : ""}  app:
    servers:
${servers.join("")}${run === null ? "" : `    run: ${JSON.stringify(run)}\n`}${shape.attach === false ? "    attach: false\n" : ""}    timeouts: { drain: 1s }
`;
  const folder = temporaryFolder(t, { ...shape.files, "flotilla.yaml": text });
  return { folder, config: join(folder, "flotilla.yaml"), appPorts, webPort: webPort!, httpPort: httpPort! };
}

function webCluster(clusterPort: number, httpPort: number, accessLog: boolean): string {
  return `  web:
    servers:
      web-a: { address: 127.0.0.1, port: ${clusterPort} }
    listen:
      - { http: 127.0.0.1:${httpPort} }
    routes:
      - { to: app }
${accessLog ? "" : "    log: { access: off }\n"}    timeouts: { drain: 1s }
`;
}
