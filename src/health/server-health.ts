/** The state of one app server as one process of a web server knows it, and why it is in it. */
import type { Clock } from "../support/clock.ts";
import { type HealthState, noNews, type ServerNews } from "./server-news.ts";

export class ServerHealth {
  state: HealthState = "up";
  /** Why it is not simply up, or "". */
  reason = "";
  readonly #clock: Clock;
  /** Of the file. */
  readonly #weight: number;
  #news: ServerNews;
  #sinceMs: number;

  constructor(name: string, weight: number, clock: Clock) {
    this.#clock = clock;
    this.#weight = weight;
    this.#news = noNews(name);
    this.#sinceMs = clock.now();
  }

  get weight(): number {
    return this.fullWeight;
  }

  get fullWeight(): number {
    return this.#news.weight ?? this.#weight;
  }

  /** It may get a visitor whom it does not know. */
  get takesNew(): boolean {
    return this.state === "up" && this.weight > 0;
  }

  /** It may get those whose sessions it keeps. */
  get takesKept(): boolean {
    return this.state === "up" || this.state === "draining";
  }

  get forMs(): number {
    return this.#clock.now() - this.#sinceMs;
  }

  hear(news: ServerNews): void {
    this.#news = news;
    this.#judge();
  }

  #judge(): void {
    const { order, check } = this.#news;
    if (order === "maint") this.#enter("maintenance", "an operator wants it");
    else if (order === "drain") this.#enter("draining", "an operator wants it");
    else if (check?.passed === false) this.#enter("down", check.reason);
    else this.#enter("up", "");
  }

  #enter(state: HealthState, reason: string): void {
    this.reason = reason;
    if (state === this.state) return;
    this.state = state;
    this.#sinceMs = this.#clock.now();
  }
}
