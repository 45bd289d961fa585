/** Signed-in visitors of a site, and the proof that their counters are right to the last request. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { pinned } from "../commands.ts";
import type { VisitorLoad, VisitorLoadResult } from "./generator.ts";

export const connections = 48;

/** What visitors see of a site. */
export interface VisitedSite {
  readonly kind: string;
  /** HTTP ports of its app processes. */
  readonly ports: readonly number[];
}

const visitorsPerConnection = 32;
/** Requests of the proof under way at once. */
const askedAtOnce = 32;
/** A killed process: its sessions may be waited for so long. */
const takeoverTimeoutMs = 5_000;

export type Page = "read" | "write";

interface Visitor {
  readonly connection: number;
  cookie: string;
}

interface Shown {
  readonly items: number;
  readonly visits: number;
}

export class Visitors<Site extends VisitedSite = VisitedSite> {
  readonly site: Site;
  readonly #all: Visitor[];
  /** Of all of them. */
  answeredWrites = 0;

  private constructor(site: Site, perConnection: number) {
    this.site = site;
    this.#all = Array.from({ length: connections * perConnection }, (_, index) => ({
      connection: index % connections,
      cookie: "",
    }));
  }

  static async signIn<Site extends VisitedSite>(
    site: Site,
    perConnection: number = visitorsPerConnection,
  ): Promise<Visitors<Site>> {
    const visitors = new Visitors(site, perConnection);
    await inTurns(visitors.#all, async (visitor) => {
      const answer = await fetch(`${visitors.#origin(visitor)}/sign-in`);
      await answer.arrayBuffer();
      visitor.cookie = (answer.headers.getSetCookie()[0] ?? "").split(";", 1)[0]!;
    });
    return visitors;
  }

  /** @throws when a request failed. */
  async load(page: Page, durationMs: number, ratePerSecond: number | null): Promise<VisitorLoadResult> {
    const cookies: string[][] = Array.from({ length: connections }, () => []);
    for (const { connection, cookie } of this.#all) cookies[connection]!.push(cookie);
    const { ports, kind } = this.site;
    const settings = { connections, visitors: cookies, path: `/${page}`, ratePerSecond, durationMs };
    const result = await generate({ ...settings, ports });
    if (result.failed > 0) {
      throw new Error(`${kind}: ${result.failed} of ${result.answered + result.failed} requests failed`);
    }
    if (page === "write") this.answeredWrites += result.answered;
    return result;
  }

  /**
   * Looks at every visitor's session, each through another app server than its own, and compares the counters
   * with the writes that were answered.
   * @param without an app process that was killed.
   * @returns what is wrong, or null.
   */
  async check(without: number | null = null): Promise<string | null> {
    let sum = 0;
    let wrong = 0;
    await inTurns(this.#all, async ({ connection, cookie }) => {
      const { ports } = this.site;
      let other = (connection + 1) % ports.length;
      if (other === without) other = (other + 1) % ports.length;
      const shown = await shownAt(`http://127.0.0.1:${ports[other]}/read`, cookie);
      sum += shown.visits;
      if (shown.items !== 4) wrong++;
    });
    if (wrong > 0) return `${wrong} of ${this.#all.length} visitors have another cart than theirs`;
    if (sum === this.answeredWrites) return null;
    return `the counters stand at ${sum} after ${this.answeredWrites} answered writes`;
  }

  #origin({ connection }: Visitor): string {
    const { ports } = this.site;
    return `http://127.0.0.1:${ports[connection % ports.length]}`;
  }
}

/** The page's answer; while the servers agree on who keeps the session now it is asked again. */
async function shownAt(url: string, cookie: string): Promise<Shown> {
  const deadline = performance.now() + takeoverTimeoutMs;
  for (;;) {
    const answer = await fetch(url, { headers: { cookie } });
    if (answer.status === 200) return (await answer.json()) as Shown;
    const body = await answer.text();
    if (answer.status !== 503 || performance.now() > deadline) throw new Error(`${answer.status}: ${body}`);
  }
}

async function inTurns(
  visitors: readonly Visitor[],
  ask: (visitor: Visitor) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < visitors.length; from += askedAtOnce) {
    await Promise.all(visitors.slice(from, from + askedAtOnce).map(ask));
  }
}

function generate(load: VisitorLoad): Promise<VisitorLoadResult> {
  const script = fileURLToPath(new URL("generator.ts", import.meta.url));
  const [program, ...args] = pinned("visitors", [process.execPath, script]);
  return new Promise((resolve, reject) => {
    const child = execFile(program!, args, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as VisitorLoadResult);
      else reject(error);
    });
    child.stdin!.end(JSON.stringify(load));
  });
}
