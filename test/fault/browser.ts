/** One session's cookie, and requests that carry it. */
import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, ask } from "../../src/demo/ask.ts";
import type { Shown } from "./ledger.ts";

const agent = new Agent({ keepAlive: true });
/** For an answer that has to come, with all tries. */
const patienceMs = 60_000;
const retryMs = 50;

export type Method = "GET" | "POST";

export interface Visit extends Answer {
  /** For people: who was asked, and who answered. */
  readonly where: string;
  /** It was never sent. */
  readonly isRefused: boolean;
}

export class Browser {
  cookie = "";

  /** The letters of the servers that keep the session, as its id tells. */
  get keepers(): string {
    return this.cookie.slice("sid=".length, "sid=".length + 2);
  }

  /** Asks at the first of the doors that does not refuse connections, as browsers do with several addresses. */
  async ask(method: Method, doors: readonly URL[], path: string): Promise<Visit> {
    const visit = await this.#askAt(method, doors[0]!, path);
    return visit.isRefused && doors.length > 1 ? this.ask(method, doors.slice(1), path) : visit;
  }

  async #askAt(method: Method, door: URL, path: string): Promise<Visit> {
    const headers = {
      ...(this.cookie === "" ? {} : { cookie: this.cookie }),
      ...(method === "POST" ? { "content-length": "0" } : {}),
    };
    const answer = await ask({ origin: door, agent, method, path, headers, body: null });
    const given = answer.headers["set-cookie"]?.at(-1);
    if (given !== undefined) this.cookie = given.split(";")[0]!;
    const server = answer.headers["x-served-by"] ?? "nobody";
    return {
      ...answer,
      where: `asked at ${door.host}, answered by ${String(server)}`,
      isRefused: answer.failure === "connection refused",
    };
  }

  /** Asks again until the answer is a 200. @throws when none comes in time. */
  async insist(method: Method, doors: readonly URL[], path: string): Promise<Visit> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const visit = await this.ask(method, doors, path);
      if (visit.status === 200) return visit;
      if (performance.now() > deadline) {
        const last = visit.failure ?? `${visit.status} ${visit.text}`;
        throw new Error(
          `${method} ${path} failed for ${patienceMs / 1_000} s, ${visit.where}; at last: ${last}`,
        );
      }
      await sleep(retryMs);
    }
  }
}

/** What a 200 of the application says. */
export function shownBy({ text }: Answer): Shown {
  return JSON.parse(text) as Shown;
}
