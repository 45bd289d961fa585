/** A whole site of real processes, whose application keeps a cart in the session, and its visitors. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { MemberStatus } from "../../src/member/member.ts";
import { freePorts } from "./free-ports.ts";
import { runFlotilla, startFlotilla, statusOf, type TestProcess, temporaryFolder, until } from "./process.ts";

/** The application. */
export const cartApp: string = join(import.meta.dirname, "..", "integration", "fixtures", "cart.ts");
export const slotsInAll = 4_096;

/**
 * A file of one web server and app servers on addresses of their own, as several machines have them.
 * @param ports of the website, of the web server, of the app servers. @param more settings of the app servers.
 */
export function cartFile([http, web, ...apps]: readonly number[], more: readonly string[]): string {
  const servers = apps.map(
    (port, index) => `      app-${"abc"[index]}: { address: 127.0.0.${index + 2}, port: ${port} }\n`,
  );
  return `secret: 0123456789abcdef0123456789abcdef
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: ${web} } }
    listen: [{ http: "127.0.0.1:${http}" }]
    routes: [{ to: app }]
    log: { access: off }
  app:
    servers:
${servers.join("")}${more.map((line) => `    ${line}\n`).join("")}`;
}

export interface CartShape {
  readonly apps: number;
  readonly durability?: "memory" | "backup" | "backup+disk";
  /** Instead of that, `store:`. */
  readonly store?: string;
  /** More of `sessions:`: ", save: always". */
  readonly sessions?: string;
  readonly drain?: string;
  readonly coordination?: string;
  /** For the last sync of the sessions' file, in which the process does nothing else. */
  readonly syncMs?: number;
  /** Another application, as a command. */
  readonly run?: string;
}

/** Loaded before the application. The file is synced, then renamed: as long as that takes, a slow disk would have taken. */
const slowDisk = (syncMs: number): string => `import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
const { renameSync } = fs;
fs.renameSync = (from, to) => {
  if (String(to).endsWith(".db")) {
    console.log("the disk is slow");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${syncMs});
  }
  renameSync(from, to);
};
syncBuiltinESMExports();
`;

export class CartSite {
  readonly #t: TestContext;
  readonly folder: string;
  readonly #httpPort: number;
  readonly #apps: number;
  readonly #isReplicated: boolean;

  private constructor(t: TestContext, folder: string, httpPort: number, shape: CartShape) {
    const { apps, durability, store } = shape;
    this.#t = t;
    this.folder = folder;
    this.#httpPort = httpPort;
    this.#apps = apps;
    this.#isReplicated = durability !== "memory" && apps > 1 && store === undefined;
  }

  static async make(t: TestContext, shape: CartShape): Promise<CartSite> {
    const ports = await freePorts(2 + shape.apps);
    const { syncMs, store, durability = "backup" } = shape;
    const preload = syncMs === undefined ? "" : "--import ./slow-disk.mjs ";
    const text = cartFile(ports, [
      `run: ${shape.run ?? `exec node ${preload}${cartApp}`}`,
      `sessions: { ${store === undefined ? `durability: ${durability}` : `store: ${store}`}${shape.sessions ?? ""} }`,
      ...(store === undefined ? [`coordination: ${shape.coordination ?? "members"}`] : []),
      `timeouts: { drain: ${shape.drain ?? "8s"} }`,
    ]);
    const files = {
      "flotilla.yaml": text,
      ...(syncMs === undefined ? {} : { "slow-disk.mjs": slowDisk(syncMs) }),
    };
    return new CartSite(t, temporaryFolder(t, files), ports[0]!, shape);
  }

  /** @param what of it. @param as what is run before, to run it without some rights. */
  launch(what: string = "--all", as: readonly string[] = []): TestProcess {
    return startFlotilla(this.#t, ["start", what], { cwd: this.folder }, as);
  }

  /** The same; ends when every session has as many copies as it is to have. */
  async start(as: readonly string[] = []): Promise<TestProcess> {
    const process = this.launch("--all", as);
    await this.isWhole();
    return process;
  }

  /** All are up, and every session has as many copies as it is to have. */
  async isWhole(): Promise<void> {
    await until("all servers are up", async () => {
      const servers = await this.servers();
      if (servers.some(({ state }) => state !== "up")) return false;
      if (!this.#isReplicated) return true;
      const slots = servers.reduce((sum, server) => sum + (server.slots ?? 0), 0);
      return slots === slotsInAll && servers.every((server) => (server.singleCopySlots ?? 0) === 0);
    });
    await this.answers();
  }

  /** The web server has found them (again). */
  async answers(): Promise<void> {
    await until("the site answers", async () => (await this.visitor().look()) === 200);
  }

  async servers(): Promise<MemberStatus[]> {
    return await statusOf(this.folder);
  }

  async stop(...words: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    return await runFlotilla(this.#t, ["stop", ...words], { cwd: this.folder });
  }

  /** Of those servers that have one now. */
  files(): string[] {
    return ["app-a", "app-b", "app-c"]
      .slice(0, this.#apps)
      .map((name) => join(this.folder, ".flotilla", "sessions", `${name}.db`))
      .filter(existsSync);
  }

  /** Where browsers connect. */
  get httpPort(): number {
    return this.#httpPort;
  }

  visitor(): Visitor {
    return new Visitor(`http://127.0.0.1:${this.#httpPort}`);
  }
}

export class Visitor {
  readonly #origin: string;
  cookie = "";

  constructor(origin: string) {
    this.#origin = origin;
  }

  async look(): Promise<number> {
    return (await fetch(`${this.#origin}/`)).status;
  }

  async ask(method: string, path = "/"): Promise<number> {
    const { status, body } = await this.try(method, path);
    assert.equal(status, 200, body);
    return Number(body);
  }

  async try(method: string, path = "/"): Promise<{ readonly status: number; readonly body: string }> {
    const response = await fetch(this.#origin + path, { method, headers: { cookie: this.cookie } });
    const given = response.headers.getSetCookie().at(-1);
    if (given !== undefined) this.cookie = given.split(";")[0]!;
    return { status: response.status, body: await response.text() };
  }
}

/** Each with a count of its own. */
export async function visit(site: CartSite, count: number): Promise<Visitor[]> {
  const visitors = Array.from({ length: count }, () => site.visitor());
  for (const [index, visitor] of visitors.entries())
    for (let times = 0; times <= index % 3; times++) await visitor.ask("POST");
  return visitors;
}

export async function counts(visitors: readonly Visitor[]): Promise<number[]> {
  return await Promise.all(visitors.map((visitor) => visitor.ask("GET")));
}
