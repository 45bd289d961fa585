/**
 * One visitor of a shop: walks through it at a human pace, puts things into the cart, signs in and out,
 * and compares every page with its ledger. It can be sent away for a while and come back.
 */
import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../support/clock.ts";
import { type Answer, ask } from "./ask.ts";
import { CookieJar } from "./cookie-jar.ts";
import type { DrillStatistics } from "./drill-statistics.ts";
import { Ledger, shownText } from "./ledger.ts";
import { shopPages } from "./shop-page.ts";
import type { Change, Form, Shown, Storefront } from "./storefront.ts";

/** Pause between two steps, in milliseconds. */
export interface Pace {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Away from the shop. */
interface Absence {
  readonly begun: PromiseWithResolvers<void>;
  readonly over: PromiseWithResolvers<void>;
}

interface Reply {
  readonly answer: Answer;
  /** False: it was not what the shop should answer, as the statistics know. */
  readonly isGood: boolean;
  /** Null: nothing of the session is told (a style sheet, a redirect, a failure). */
  readonly shown: Shown | null;
}

/** About 370 requests per second of 200 visitors. */
export const humanPace: Pace = { minMs: 350, maxMs: 950 };

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
  readonly name: string;
  readonly #origin: URL;
  readonly #statistics: DrillStatistics;
  readonly #random: Random;
  readonly #pace: Pace;
  readonly #shop: Storefront;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #jar = new CookieJar();
  readonly #ledger: Ledger;
  /** The last cookie whose session has ended for certain. */
  #endedCookie = "";
  #absence: Absence | null = null;

  constructor(
    name: string,
    origin: URL,
    statistics: DrillStatistics,
    random: Random,
    pace: Pace = humanPace,
    shop: Storefront = shopPages,
  ) {
    this.name = name;
    this.#ledger = new Ledger(name);
    this.#origin = origin;
    this.#statistics = statistics;
    this.#random = random;
    this.#pace = pace;
    this.#shop = shop;
  }

  /** The letter of the server that owns its session, as the cookie tells; "" when it has none, or perhaps none. */
  get ownerLetter(): string {
    const { isSettled, isSignedIn, count } = this.#ledger;
    if (!isSettled || (!isSignedIn && count === 0)) return "";
    return this.#jar.get("sid")?.[0] ?? "";
  }

  /** Walks until `signal` fires, then ends the step begun and closes the connection. */
  async walk(signal: AbortSignal): Promise<void> {
    // Visitors arrive one after the other, not all in one moment.
    const { minMs, maxMs } = this.#pace;
    await pause(this.#random() * maxMs, signal);
    for (const path of this.#shop.arrival) if (!signal.aborted) await this.#get(path);
    if (!signal.aborted) await this.#addSomething();
    while (!signal.aborted) {
      await pause(minMs + this.#random() * (maxMs - minMs), signal);
      if (this.#absence !== null) await this.#beAway(this.#absence, signal);
      else if (!signal.aborted) await this.#step();
    }
    this.#agent.destroy();
  }

  /** Sends the visitor away: it sends nothing more until `comeBack`. Resolves when it has left, with something in its cart. */
  leave(): Promise<void> {
    this.#absence ??= { begun: Promise.withResolvers(), over: Promise.withResolvers() };
    return this.#absence.begun.promise;
  }

  /** @returns whether it was away. */
  comeBack(): boolean {
    const wasAway = this.#absence !== null;
    this.#absence?.over.resolve();
    this.#absence = null;
    return wasAway;
  }

  /** After the walk: looks at the cart once more, and tries the id of a session that has ended. */
  async compare(): Promise<void> {
    if (await this.#get("/cart")) this.#statistics.cartsCompared++;
    if (this.#endedCookie !== "") await this.#tryEnded(this.#endedCookie);
    this.#agent.destroy();
  }

  async #beAway({ begun, over }: Absence, signal: AbortSignal): Promise<void> {
    if (!this.#ledger.isSettled) await this.#get("/cart");
    if (this.#ledger.count === 0) await this.#addSomething();
    // The site would close it after a while, as likely as not in the moment of the next request.
    this.#agent.destroy();
    begun.resolve();
    const aborted = (): void => over.resolve();
    signal.addEventListener("abort", aborted, { once: true });
    if (signal.aborted) aborted();
    await over.promise;
    signal.removeEventListener("abort", aborted);
    if (!signal.aborted) await this.#get("/cart");
  }

  async #step(): Promise<unknown> {
    // Whoever got no answer looks what became of it.
    if (!this.#ledger.isSettled) return this.#get("/cart");
    const chance = this.#random();
    if (chance < 0.8) return this.#get(this.#shop.page(chance / 0.8, this.#anyProduct()));
    if (!this.#ledger.isSignedIn && chance < 0.87) return this.#signIn();
    if (this.#ledger.isSignedIn && chance < 0.82) return this.#signOut();
    if (this.#ledger.count >= 12) return this.#order();
    return this.#addSomething();
  }

  #anyProduct(): string {
    return products[Math.floor(this.#random() * products.length)]!;
  }

  async #addSomething(): Promise<void> {
    const product = this.#anyProduct();
    const quantity = 1 + Math.floor(this.#random() * 2);
    await this.#post({ kind: "add", product, quantity });
    await this.#get("/cart");
  }

  async #order(): Promise<void> {
    const answer = await this.#post({ kind: "order" });
    if (answer !== null && this.#shop.foundEmptyCart(answer))
      this.#statistics.addTroubles(
        new Map([["item-lost", 1]]),
        () => `${this.name}: an order found an empty cart`,
      );
    await this.#get("/cart");
  }

  async #signIn(): Promise<void> {
    const before = this.#jar.header("/");
    const answer = await this.#post({ kind: "sign-in" });
    // The session has another id now.
    if (answer !== null && before !== "") this.#endedCookie = before;
    await this.#get(this.#shop.home);
  }

  async #signOut(): Promise<void> {
    const before = this.#jar.header("/");
    const answer = await this.#post({ kind: "sign-out" });
    if (answer !== null && before !== "") this.#endedCookie = before;
    await this.#get(this.#shop.home);
  }

  /** @returns false when it failed. */
  async #get(path: string): Promise<boolean> {
    const { answer, isGood, shown } = await this.#send("GET", path, null, this.#jar.header(path));
    this.#takeCookies(answer);
    if (shown !== null) this.#check(shown, answer, path);
    return isGood;
  }

  /** @returns the answer when `change` was done for certain. */
  async #post(change: Change): Promise<Answer | null> {
    const form = this.#shop.form(change, this.name);
    const { answer, isGood } = await this.#send("POST", form.path, form, this.#jar.header(form.path));
    // A browser takes them from every answer.
    this.#takeCookies(answer);
    if (isGood) this.#ledger.acknowledged(change);
    else this.#ledger.unanswered(change);
    return isGood ? answer : null;
  }

  async #tryEnded(cookie: string): Promise<void> {
    const { shown } = await this.#send("GET", "/cart", null, cookie);
    if (shown === null) return;
    this.#statistics.endedIdsTried++;
    this.#statistics.addTroubles(
      this.#ledger.checkEnded(shown),
      () => `${this.name}: the id of an ended session shows ${shownText(shown)}`,
    );
  }

  async #send(method: "GET" | "POST", path: string, form: Form | null, cookie: string): Promise<Reply> {
    const startedAt = performance.now();
    const answer = await ask({
      origin: this.#origin,
      agent: this.#agent,
      method,
      path,
      headers: { ...browserHeaders, ...(cookie === "" ? {} : { cookie }), ...headersOf(form) },
      body: form?.body ?? null,
    });
    const isPage = method === "GET" && this.#shop.isPage(path);
    const shown = isPage && answer.status === 200 ? this.#shop.shownBy(answer.text) : null;
    const expected = method === "GET" ? 200 : this.#shop.doneStatus;
    const failure = answer.failure ?? failureOf(answer.status, expected, isPage && shown === null);
    this.#statistics.add({
      visitor: this.name,
      method,
      startedAt,
      endedAt: performance.now(),
      failure,
      mayBeDone: statusesOfUnknown.has(answer.status),
      servedBy: this.#shop.servedBy(answer),
    });
    return { answer, isGood: failure === null, shown };
  }

  #takeCookies(answer: Answer): void {
    for (const field of answer.headers["set-cookie"] ?? []) this.#jar.store(field);
  }

  #check(shown: Shown, answer: Answer, path: string): void {
    const { expected } = this.#ledger;
    const { troubles, wasDone } = this.#ledger.check(shown);
    if (wasDone !== null) this.#statistics.settled(wasDone);
    this.#statistics.addTroubles(troubles, () => {
      const seconds = ((performance.now() - this.#statistics.startedAt) / 1_000).toFixed(1);
      const where = `${path} of ${this.#shop.servedBy(answer)} at ${seconds} s`;
      return `${this.name}: ${expected} was owed; ${where} showed ${shownText(shown)} (id ${this.#jar.get("sid")?.slice(0, 2) ?? "none"})`;
    });
  }
}

/** 0: no answer, or half of one. */
const statusesOfUnknown: ReadonlySet<number> = new Set([0, 502, 503, 504]);

function failureOf(status: number, expected: number, isWrongPage: boolean): string | null {
  if (status !== expected) return `status ${status}`;
  return isWrongPage ? "wrong page" : null;
}

function headersOf(form: Form | null): Record<string, string> {
  if (form === null) return {};
  return { "content-type": form.type, "content-length": String(Buffer.byteLength(form.body)) };
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal }).catch(() => {});
}
