/**
 * Where to ask a plain HTTP server something, one question at a time: the address that answered last, and the next one of its name when that fails.
 * The name is resolved again when what is known of it has grown old; a resolver that fails leaves what was known.
 */
import { isIP } from "node:net";
import type { Server } from "../config/model.ts";
import type { Clock } from "../support/clock.ts";
import type { NameResolver } from "./resolver.ts";

export class KnownAddresses {
  readonly #name: string;
  readonly #resolver: NameResolver;
  readonly #clock: Clock;
  #hosts: readonly string[] = [];
  /** The one to ask, counted through the hosts again and again. */
  #at = 0;
  #validUntilMs = Number.POSITIVE_INFINITY;
  #resolving: Promise<void> | null = null;

  constructor({ address, plain }: Pick<Server, "address" | "plain">, resolver: NameResolver, clock: Clock) {
    this.#name = address;
    this.#resolver = resolver;
    this.#clock = clock;
    const socketPath = plain?.socketPath ?? null;
    if (socketPath !== null) this.#hosts = [socketPath];
    else if (isIP(address) !== 0) this.#hosts = [address];
    else this.#validUntilMs = Number.NEGATIVE_INFINITY;
  }

  get count(): number {
    return this.#hosts.length;
  }

  /** IP address, or the path of a Unix socket. */
  get current(): string {
    return this.#hosts[this.#at % this.#hosts.length]!;
  }

  /** The current one failed. */
  moveOn(): void {
    this.#at++;
  }

  get fresh(): boolean {
    return this.#clock.now() < this.#validUntilMs;
  }

  /** Resolves when there is an address. @throws Error when none is known. */
  async refresh(): Promise<void> {
    this.#resolving ??= this.#resolve();
    await this.#resolving;
  }

  async #resolve(): Promise<void> {
    try {
      const { addresses, validMs } = await this.#resolver.resolve(this.#name);
      const before = this.#hosts.length === 0 ? "" : this.current;
      this.#hosts = addresses;
      this.#at = Math.max(0, addresses.indexOf(before));
      this.#validUntilMs = this.#clock.now() + validMs;
    } catch (error) {
      if (this.#hosts.length === 0) throw error;
    } finally {
      this.#resolving = null;
    }
  }
}
