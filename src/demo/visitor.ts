/**
 * One visitor of the demo shop: walks through its pages at a human pace, puts things into the cart, and
 * checks on every page that the cart and the name are still the visitor's own.
 */
import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../support/clock.ts";
import { type Answer, ask } from "./ask.ts";
import { CookieJar } from "./cookie-jar.ts";
import type { DrillStatistics } from "./drill-statistics.ts";

/** Pause between two steps, in milliseconds. */
export interface Pace {
  readonly minMs: number;
  readonly maxMs: number;
}

interface HeldSession {
  /** The letter of the server that keeps it. */
  readonly owner: string;
  /** When the request was sent that brought its id. */
  readonly since: number;
}

/** About 370 requests per second of 200 visitors. */
const humanPace: Pace = { minMs: 350, maxMs: 950 };

const products = ["compass", "lantern", "rope", "bell", "buoy", "anchor", "oilskin", "mug"] as const;

/** As a current browser sends them. */
const browserHeaders = {
  "user-agent":
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36",
  accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "accept-language": "en-GB,en;q=0.9",
  "sec-fetch-site": "same-origin",
  "sec-fetch-mode": "navigate",
} as const;

export class Visitor {
  readonly #name: string;
  readonly #origin: URL;
  readonly #statistics: DrillStatistics;
  readonly #random: Random;
  readonly #pace: Pace;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #jar = new CookieJar();
  /** The sessions held since the last page that was checked: more than one when a POST began a new one. */
  #held: HeldSession[] = [];
  /** Pieces in the cart as the last page showed them. */
  #countSeen = 0;
  /** Pieces added since, or null when a POST may have worked or not. */
  #countAdded: number | null = 0;
  #signedIn = false;

  constructor(
    name: string,
    origin: URL,
    statistics: DrillStatistics,
    random: Random,
    pace: Pace = humanPace,
  ) {
    this.#name = name;
    this.#origin = origin;
    this.#statistics = statistics;
    this.#random = random;
    this.#pace = pace;
  }

  /** Walks until `signal` fires, then ends the step begun and closes the connection. */
  async walk(signal: AbortSignal): Promise<void> {
    // Visitors arrive one after the other, not all in one moment.
    const { minMs, maxMs } = this.#pace;
    await pause(this.#random() * maxMs, signal);
    if (!signal.aborted) await this.#get("/");
    if (!signal.aborted) await this.#get("/shop.css");
    while (!signal.aborted) {
      await pause(minMs + this.#random() * (maxMs - minMs), signal);
      if (!signal.aborted) await this.#step();
    }
    this.#agent.destroy();
  }

  async #step(): Promise<void> {
    const chance = this.#random();
    const product = products[Math.floor(this.#random() * products.length)]!;
    if (chance < 0.3) return this.#get(`/products/${product}`);
    // The page that takes its time: somebody is waiting for it whenever a server dies.
    if (chance < 0.45) return this.#get(`/products/${product}/stock`);
    if (chance < 0.65) return this.#get("/");
    if (chance < 0.8) return this.#get("/cart");
    if (!this.#signedIn && chance < 0.87) return this.#signIn();
    if (this.#countSeen >= 12) return this.#order();
    return this.#add(product, 1 + Math.floor(this.#random() * 2));
  }

  async #add(product: string, quantity: number): Promise<void> {
    const done = await this.#post("/cart/add", { product, quantity: String(quantity) });
    this.#countAdded = done && this.#countAdded !== null ? this.#countAdded + quantity : null;
    await this.#get("/cart");
  }

  async #order(): Promise<void> {
    const done = await this.#post("/checkout", { name: this.#name, address: "Pier 7" });
    if (done) this.#countSeen = 0;
    this.#countAdded = done ? 0 : null;
    await this.#get("/cart");
  }

  async #signIn(): Promise<void> {
    const done = await this.#post("/login", { name: this.#name });
    if (done) this.#signedIn = true;
    else this.#countAdded = null;
    await this.#get("/");
  }

  async #get(path: string): Promise<void> {
    const answer = await this.#send("GET", path, null);
    if (answer === null || path.endsWith(".css")) return;
    this.#check(answer.text);
  }

  /** @returns true when it was done for certain. */
  async #post(path: string, form: Readonly<Record<string, string>>): Promise<boolean> {
    return (await this.#send("POST", path, new URLSearchParams(form).toString())) !== null;
  }

  async #send(method: "GET" | "POST", path: string, body: string | null): Promise<Answer | null> {
    const cookie = this.#jar.header(path);
    const startedAt = performance.now();
    const answer = await ask({
      origin: this.#origin,
      agent: this.#agent,
      method,
      path,
      headers: {
        ...browserHeaders,
        ...(cookie === "" ? {} : { cookie }),
        ...(body === null
          ? {}
          : {
              "content-type": "application/x-www-form-urlencoded",
              "content-length": String(Buffer.byteLength(body)),
            }),
      },
      body,
    });
    const failure = answer.failure ?? failureOf(method, path, answer);
    this.#statistics.add({
      method,
      startedAt,
      endedAt: performance.now(),
      failure,
      // 503 says that nothing was sent on; a 4xx is the shop's own refusal.
      unknown: answer.status === 0 || (answer.status >= 500 && answer.status !== 503),
      servedBy: String(answer.headers["x-served-by"] ?? ""),
    });
    const before = this.#jar.get("sid");
    for (const field of answer.headers["set-cookie"] ?? []) this.#jar.store(field);
    const after = this.#jar.get("sid");
    if (after !== undefined && after !== before) this.#held.push({ owner: after[0] ?? "", since: startedAt });
    return failure === null ? answer : null;
  }

  /** Compares what the page shows with what this visitor did. */
  #check(page: string): void {
    const count = Number(/data-count="([0-9]+)"/.exec(page)?.[1] ?? 0);
    const name = /data-name="([^"]*)"/.exec(page)?.[1] ?? null;
    const added = this.#countAdded;
    if (name !== null && name !== this.#name) {
      this.#statistics.addSessionTrouble("foreign");
    } else if (added !== null) {
      const signedOut = this.#signedIn && name === null;
      const asLeft = count === this.#countSeen + added;
      const begunAnew = count === 0 || count === added;
      if (signedOut || (!asLeft && begunAnew)) {
        const expected = this.#held.some(({ owner, since }) =>
          this.#statistics.ownerKilledSince(owner, since),
        );
        this.#statistics.addSessionTrouble(expected ? "lost-with-owner" : "lost-otherwise");
      } else if (!asLeft) {
        this.#statistics.addSessionTrouble("wrong");
      }
    }
    this.#countSeen = count;
    this.#countAdded = 0;
    this.#signedIn = name === this.#name;
    this.#held = this.#held.slice(-1);
  }
}

/** What the shop should answer: a whole page, or a redirect after a POST. */
function failureOf(method: "GET" | "POST", path: string, answer: Answer): string | null {
  if (answer.status !== (method === "GET" ? 200 : 303)) return `status ${answer.status}`;
  if (method === "POST" || path.endsWith(".css")) return null;
  return answer.text.trimEnd().endsWith("</html>") ? null : "wrong page";
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal }).catch(() => {});
}
