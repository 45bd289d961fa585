/**
 * The dialing side of the cluster port: keeps one link to one server. After a loss it dials again, at once at first,
 * then with exponential backoff and full jitter, so that many servers do not come back in step.
 */
import { type Random, systemClock, type Timer } from "../support/clock.ts";
import { FlotillaError } from "../support/errors.ts";
import * as limits from "../support/limits.ts";
import type { Link, LinkObserver } from "./api.ts";
import { type DialOptions, LinkAttempt } from "./attempt.ts";

export interface LinkDialerOptions extends DialOptions {
  readonly observer: LinkObserver;
  readonly random?: Random;
  /** The longest pause before it is dialed again; default that of the limits. */
  readonly reconnectMaxMs?: number;
}

const { firstLinkQuietMs, handshakeTimeoutMs, reconnectMinMs, reconnectMaxMs } = limits.link;

export class LinkDialer {
  readonly #options: LinkDialerOptions;
  readonly #random: Random;
  #attempt: LinkAttempt | null = null;
  #retry: Timer | null = null;
  #link: Link | null = null;
  /** Tries since the last link that lasted. */
  #failures = 0;
  #startedAt = 0;
  #hadLink = false;
  #upAt = 0;
  #lastError = "";
  /** The failure that the log holds already. */
  #said = "";
  #closed = false;

  constructor(options: LinkDialerOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /** Begins to dial; once. */
  start(): void {
    if (this.#attempt !== null || this.#retry !== null || this.#closed) return;
    this.#startedAt = this.#now();
    this.#dial();
  }

  /** The link, or null while there is none. */
  get link(): Link | null {
    return this.#link;
  }

  /** Why there is no link, for a person; "" while there is one, and before the first failure. */
  get lastError(): string {
    return this.#lastError;
  }

  /** Ends the link after what it has to send, and dials no more. */
  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#attempt?.abort(`"${this.#options.self.name}" ended the link`);
  }

  #dial(): void {
    this.#retry = null;
    this.#attempt = new LinkAttempt(this.#options, handshakeTimeoutMs, {
      up: (link) => this.#up(link),
      changed: (link) => this.#options.observer.onChange(link),
      failed: (code, message) => this.#ended(message, code === "FLOTILLA_LINK_UNREACHABLE" && this.#isNew()),
      down: (reason) => this.#ended(reason, false),
    });
  }

  #up(link: Link): void {
    const { log, expected, observer } = this.#options;
    this.#link = link;
    this.#hadLink = true;
    this.#upAt = this.#now();
    this.#lastError = "";
    const version = link.peer.version;
    log.info({ peer: expected, version }, `link to ${expected} (${link.remote}) is up`);
    this.#said = "";
    observer.onUp(link);
  }

  /** It has just begun and never had a link: the other server may have been started at the same moment. */
  #isNew(): boolean {
    return !this.#hadLink && this.#now() - this.#startedAt < firstLinkQuietMs;
  }

  /** @param quiet it is not told yet; if it lasts, the next try tells it. */
  #ended(message: string, quiet: boolean): void {
    const link = this.#link;
    this.#link = null;
    this.#attempt = null;
    // A link that is refused again and again right after its hello is no reason to dial fast for ever.
    if (link !== null && this.#now() - this.#upAt >= reconnectMaxMs) this.#failures = 0;
    if (!this.#closed) {
      this.#lastError = message;
      this.#schedule();
      if (!quiet && message !== this.#said) {
        this.#said = message;
        const { log, expected } = this.#options;
        log.warn(
          { peer: expected },
          `${link === null ? "no link" : "lost the link"} to ${expected}: ${message}`,
        );
      }
    }
    if (link !== null) this.#options.observer.onDown(link, message);
  }

  #schedule(): void {
    const longest = this.#options.reconnectMaxMs ?? reconnectMaxMs;
    const most = Math.min(longest, reconnectMinMs * 2 ** Math.min(this.#failures, 16));
    this.#failures++;
    this.#retry = (this.#options.clock ?? systemClock).after(this.#random() * most, () => this.#dial());
  }

  #now(): number {
    return (this.#options.clock ?? systemClock).now();
  }
}

export interface DialOnceOptions extends DialOptions {
  readonly timeoutMs: number;
  readonly observer?: LinkObserver;
}

/**
 * One link, for a tool that asks and ends.
 * @throws FlotillaError FLOTILLA_LINK_UNREACHABLE, FLOTILLA_LINK_WRONG_KEY or FLOTILLA_LINK_REFUSED.
 */
export function dialOnce(options: DialOnceOptions): Promise<Link> {
  return new Promise((resolve, reject) => {
    let link: Link | null = null;
    new LinkAttempt(options, options.timeoutMs, {
      up(established) {
        link = established;
        options.observer?.onUp(established);
        resolve(established);
      },
      changed: (changed) => options.observer?.onChange(changed),
      failed: (code, message) => reject(new FlotillaError(code, message, { source: "server", retry: "yes" })),
      down: (reason) => options.observer?.onDown(link!, reason),
    });
  });
}
