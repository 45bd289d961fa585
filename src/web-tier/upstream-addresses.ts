/**
 * Where a plain HTTP server is: one address, or those of its name, which is resolved again for as long as the web
 * server runs. They are used in turn; one that fails is passed over for a while (R11).
 */
import { isIP } from "node:net";
import type { Server } from "../config/model.ts";
import type { NameResolver } from "../plain/resolver.ts";
import type { Clock, Timer } from "../support/clock.ts";
import { messageOf } from "../support/errors.ts";
import { upstream as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";

export class Address {
  /** IP address, or the path of a Unix socket. */
  readonly host: string;
  /** Why no connection could be had, or "". */
  failure = "";
  /** With a failure: it is tried once more then, by one request. */
  retryAtMs = 0;
  waitMs = 0;
  /** The name no longer has it. */
  gone = false;

  constructor(host: string) {
    this.host = host;
  }
}

export interface AddressOptions {
  readonly resolver: NameResolver;
  readonly clock: Clock;
  readonly log: Log;
}

export class UpstreamAddresses {
  readonly #server: Server;
  readonly #options: AddressOptions;
  readonly #onResolved: () => void;
  #list: readonly Address[] = [];
  #turn = 0;
  #timer: Timer | null = null;
  #resolving = false;
  #resolvedAtMs = Number.NEGATIVE_INFINITY;
  #trouble = "";
  #closed = false;

  /** @param onResolved the addresses have changed: connections to those that are `gone` are not to be used again. */
  constructor(server: Server, options: AddressOptions, onResolved: () => void) {
    this.#server = server;
    this.#options = options;
    this.#onResolved = onResolved;
    const socketPath = server.plain?.socketPath ?? null;
    if (socketPath !== null) this.#list = [new Address(socketPath)];
    else if (isIP(server.address) !== 0) this.#list = [new Address(server.address)];
    else void this.#resolve();
  }

  get count(): number {
    return this.#list.length;
  }

  /** A connection may be tried now. */
  get usable(): boolean {
    for (const address of this.#list) if (this.#mayTry(address)) return true;
    return false;
  }

  /** Why not, in words. */
  get reason(): string {
    if (this.#list.length === 0) return this.#trouble || `${this.#server.address} is not resolved yet`;
    return this.#list.map(({ failure }) => failure).find((failure) => failure !== "") ?? "";
  }

  /** Until one may be tried. */
  get retryInMs(): number {
    const retryAtMs = Math.min(...this.#list.map((address) => address.retryAtMs));
    return Math.max(0, retryAtMs - this.#options.clock.now());
  }

  /** The next one in turn. A failed one whose time has come is taken by one request: the next has to wait as long again. */
  take(): Address | null {
    const { length } = this.#list;
    for (let step = 0; step < length; step++) {
      const at = (this.#turn + step) % length;
      const address = this.#list[at]!;
      if (!this.#mayTry(address)) continue;
      this.#turn = (at + 1) % length;
      if (address.failure !== "") address.retryAtMs = this.#options.clock.now() + address.waitMs;
      return address;
    }
    return null;
  }

  failed(address: Address, reason: string, waitMs: number): void {
    address.failure = reason;
    address.waitMs = waitMs;
    address.retryAtMs = this.#options.clock.now() + waitMs;
    // Most likely it has moved.
    if (!this.usable) this.#hurry();
  }

  worked(address: Address): void {
    address.failure = "";
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #mayTry(address: Address): boolean {
    return address.failure === "" || this.#options.clock.now() >= address.retryAtMs;
  }

  #hurry(): void {
    // No timer: one address for ever, or asked just now.
    if (this.#timer === null) return;
    const sinceMs = this.#options.clock.now() - this.#resolvedAtMs;
    this.#again(Math.max(0, limits.nameHurryMs - sinceMs));
  }

  #again(afterMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#closed ? null : this.#options.clock.after(afterMs, () => void this.#resolve());
  }

  async #resolve(): Promise<void> {
    if (this.#resolving) return;
    this.#resolving = true;
    this.#timer = null;
    let validMs: number = limits.nameRetryMs;
    try {
      const found = await this.#options.resolver.resolve(this.#server.address);
      validMs = found.validMs;
      this.#found(found.addresses);
    } catch (error) {
      this.#notFound(messageOf(error));
    }
    this.#resolving = false;
    this.#resolvedAtMs = this.#options.clock.now();
    this.#again(validMs);
  }

  #found(hosts: readonly string[]): void {
    const { name, address: hostName } = this.#server;
    if (this.#trouble !== "") this.#options.log.info(`${name}: ${hostName} is resolved again`);
    this.#trouble = "";
    const before = this.#list;
    this.#list = hosts.map((host) => before.find((address) => address.host === host) ?? new Address(host));
    const left = before.filter((address) => !this.#list.includes(address));
    for (const address of left) address.gone = true;
    if (left.length > 0) this.#options.log.info(`${name}: ${hostName} is now ${hosts.join(", ")}`);
    if (left.length > 0 || hosts.length > before.length) this.#onResolved();
  }

  /** Told once; the last known addresses stay in use, however long it lasts. */
  #notFound(why: string): void {
    if (this.#closed || this.#trouble !== "") return;
    const { name, address: hostName } = this.#server;
    this.#trouble = `its name can't be resolved: ${why}`;
    const used = this.#list.map(({ host }) => host).join(", ");
    const goesOn = used === "" ? "it gets no requests until it can" : `${used} is used on`;
    this.#options.log.warn(`${name}: the name ${hostName} can't be resolved (${why}); ${goesOn}`);
  }
}
