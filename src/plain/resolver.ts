/** Host name -> addresses and how long they are good: /etc/hosts first, then DNS with its TTLs, then what the system says. */
import { lookup, Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { codeOf } from "../support/errors.ts";
import { upstream as limits } from "../support/limits.ts";

export interface Resolution {
  /** Each once, at least one. */
  readonly addresses: readonly string[];
  readonly validMs: number;
}

export interface NameResolver {
  /** @throws Error when there is no address. */
  resolve(name: string): Promise<Resolution>;
}

/** The system's calls, for tests to stand in for. */
export interface ResolverParts {
  readonly dns: Pick<Resolver, "resolve4" | "resolve6">;
  readonly lookup: (name: string) => Promise<readonly string[]>;
  readonly hosts: () => Promise<string>;
}

const systemParts: ResolverParts = {
  dns: new Resolver({ timeout: limits.dnsTimeoutMs, tries: limits.dnsTries }),
  lookup: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  hosts: () => readFile("/etc/hosts", "utf8").catch(() => ""),
};

/**
 * DNS is asked directly, because `getaddrinfo` tells no TTL. It is asked itself for what DNS does not know as it
 * stands: names of /etc/hosts, which come before DNS as everywhere, single labels (search domains), other services.
 */
export class SystemResolver implements NameResolver {
  readonly #parts: ResolverParts;
  /** `getaddrinfo` blocks a thread of the few that files need too: one name at a time. */
  #lookups: Promise<unknown> = Promise.resolve();

  constructor(parts: ResolverParts = systemParts) {
    this.#parts = parts;
  }

  async resolve(name: string): Promise<Resolution> {
    if (name.includes(".") && !(await this.#inHosts(name))) {
      const found = await this.#ask(name);
      if (found !== null) return found;
    }
    const turn = this.#lookups.then(() => this.#parts.lookup(name));
    this.#lookups = turn.catch(() => {});
    return { addresses: bounded(await turn), validMs: limits.nameIntervalMs };
  }

  async #inHosts(name: string): Promise<boolean> {
    const words = (await this.#parts.hosts()).replaceAll(/#.*/g, "").toLowerCase().split(/\s+/);
    return words.includes(name);
  }

  /** @returns null when DNS knows no address of that name, or one of its two answers is missing. */
  async #ask(name: string): Promise<Resolution | null> {
    const answers = await Promise.allSettled([
      this.#parts.dns.resolve4(name, { ttl: true }),
      this.#parts.dns.resolve6(name, { ttl: true }),
    ]);
    if (answers.some((answer) => answer.status === "rejected" && !isUnknown(answer.reason))) return null;
    const records = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    if (records.length === 0) return null;
    const ttlMs = Math.min(...records.map(({ ttl }) => ttl)) * 1_000;
    return {
      addresses: bounded(records.map(({ address }) => address)),
      validMs: Math.max(limits.ttlMsMin, Math.min(limits.ttlMsMax, ttlMs)),
    };
  }
}

/** The name has no address of that family. */
function isUnknown(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOTFOUND" || code === "ENODATA";
}

function bounded(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses)].slice(0, limits.addressesMax);
}
