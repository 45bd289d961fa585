/** A program that knows nothing of Flotilla, started as `run:` starts one, and a link to the cluster port that it gets. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { withPreload } from "../../src/app-tier/preload-option.ts";
import { type Link, StreamKind } from "../../src/link/api.ts";
import { dialOnce } from "../../src/link/dialer.ts";
import { linkKeys } from "../../src/link/keys.ts";
import { silentLog } from "../../src/support/log.ts";
import { clusterFolder, testSecret } from "./cluster-folder.ts";
import { freePorts } from "./free-ports.ts";
import { start, type TestProcess } from "./process.ts";

export interface AttachedProgram {
  readonly process: TestProcess;
  readonly folder: string;
  /** The cluster port, and PORT of its environment. */
  readonly port: number;
  /** A port that was free a moment ago: OTHER of its environment. */
  readonly other: number;
  /** Resolves when it is up. */
  link(): Promise<Link>;
  /** The same program once more, when this one has ended. */
  again(): AttachedProgram;
}

export interface ProgramShape {
  /** By default that of an ES module. */
  readonly ending?: "mjs" | "cjs";
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

export const repository: string = join(import.meta.dirname, "..", "..");

/** @param text its packages are those of this repository. */
export async function attachedProgram(
  t: TestContext,
  text: string,
  { ending = "mjs", env = {}, files = {} }: ProgramShape = {},
): Promise<AttachedProgram> {
  const [other] = (await freePorts(1)) as [number];
  const { folder, config, appPorts } = await clusterFolder(t, { run: null, web: true, files });
  const port = appPorts[0]!;
  const file = join(folder, `program.${ending}`);
  writeFileSync(file, ending === "mjs" ? `${requireIn(repository)}\n${text}` : text);
  const options = {
    cwd: folder,
    env: {
      ...{ FLOTILLA_SERVER: "app-a", FLOTILLA_CONFIG: config, NODE_PATH: join(repository, "node_modules") },
      ...{ PORT: String(port), OTHER: String(other), NODE_OPTIONS: withPreload("--no-deprecation") },
      ...env,
    },
  };
  const run = (): AttachedProgram => {
    const started = start(t, process.execPath, [file], options);
    return {
      ...{ process: started, folder, port, other, again: run },
      async link() {
        await started.line(/"up at cluster port/);
        return dial(t, port);
      },
    };
  };
  return run();
}

/** ES modules are not found by NODE_PATH. */
function requireIn(folder: string): string {
  return `import { createRequire } from "node:module"; const require = createRequire(${JSON.stringify(`${folder}/`)});`;
}

export async function dial(t: TestContext, port: number): Promise<Link> {
  const link = await dialOnce({
    ...{ self: { name: "web-a", incarnation: "test" }, expected: "app-a", address: "127.0.0.1", port },
    ...{ keys: linkKeys(Buffer.from(testSecret), null), services: new Map(), log: silentLog },
    timeoutMs: 10_000,
  });
  t.after(() => link.destroy("the test is over"));
  return link;
}

/** @returns the whole answer as it came, head and body; "reset N" when there is none. */
export function ask(link: Link, target: string, fields: readonly string[] = []): Promise<string> {
  const head = ["GET", target, "1.1", "http", "192.0.2.9", "1", "127.0.0.1", "80", ""];
  return new Promise((resolve) => {
    let text = "";
    const meta = [...head, "Host", "a.test", ...fields].join("\n");
    const stream = link.open(StreamKind.http, meta, true, {
      onData(own, bytes) {
        text += bytes.toString("latin1");
        own.consumed(bytes.length);
      },
      onEnd: () => resolve(text),
      onReset: (_stream, code) => resolve(`reset ${code}`),
      onDrain() {},
    });
    if (stream === null) resolve("not opened");
  });
}

export function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}
