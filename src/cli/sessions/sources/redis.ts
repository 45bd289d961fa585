/**
 * Sessions that connect-redis and its like keep in Redis or Valkey: one string of JSON under `sess:<sid>`, which Redis ends by the
 * key's own time. Nothing but SCAN, STRLEN, PTTL, GETRANGE and INFO is sent.
 *
 * A cursor of SCAN leads on for as long as the server's process lives, whoever asks with it: which process that is stands before it.
 * Keys that are there all the time are told of at least once.
 */
import { loadDriver } from "../../../session/stores/driver.ts";
import { endClient } from "../../../session/stores/redis/node-redis.ts";
import { sessionImport as limits } from "../../../support/limits.ts";
import type { SourceAddress } from "./address.ts";
import { ask, type Found, type Page, type SessionSource, type SourceOptions } from "./source.ts";

/** What of the library's client is used. */
interface Client {
  connect(): Promise<unknown>;
  destroy(): void;
  disconnect(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  info(): Promise<string>;
  scan(
    cursor: string,
    options: { MATCH: string; COUNT: number },
  ): Promise<{ cursor: string; keys: string[] }>;
  strLen(key: string): Promise<number>;
  pTTL(key: string): Promise<number>;
  getRange(key: string, from: number, to: number): Promise<string>;
}

export const defaultPrefix = "sess:";
const firstCursor = "0";

export async function openRedis(address: SourceAddress, options: SourceOptions): Promise<SessionSource> {
  const { createClient } = await loadDriver("redis", () => import("redis"));
  const prefix = options.prefix ?? defaultPrefix;
  const name = `Redis at ${address.place}, keys ${prefix}*`;
  const client = createClient({
    url: address.url,
    // Without HELLO, which Redis knows from 6 on.
    RESP: 2,
    disableOfflineQueue: true,
    // A timer of its own for each command would take more memory and time than all else: `ask` has one for all of a page.
    commandOptions: { timeout: 0 },
    // A cursor may lead nowhere after a restart: whoever runs the command again is told.
    socket: { reconnectStrategy: false, connectTimeout: limits.connectTimeoutMs },
  }) as unknown as Client;
  // What was asked is told; without a listener the process would end.
  client.on("error", () => {});
  try {
    await ask(name, "connect", client.connect());
    // A user who may only read keys is refused it, and can do without.
    const info = await ask(
      name,
      "ask what it is",
      client.info().catch(() => ""),
    );
    return new RedisSource(client, name, prefix, options.keepsPrefix, info);
  } catch (error) {
    endClient(client);
    throw error;
  }
}

class RedisSource implements SessionSource {
  readonly name: string;
  readonly note: string | null;
  readonly #client: Client;
  readonly #prefix: string;
  readonly #idBegin: number;
  readonly #pattern: string;
  /** Of the server's process; "": it does not say. */
  readonly #runId: string;

  constructor(client: Client, name: string, prefix: string, keepsPrefix: boolean, info: string) {
    this.#client = client;
    this.name = name;
    this.#prefix = prefix;
    this.#idBegin = keepsPrefix ? 0 : prefix.length;
    this.#pattern = `${prefix.replace(/[\\*?[\]^]/g, "\\$&")}*`;
    this.#runId = /^run_id:(\w+)/m.exec(info)?.[1] ?? "";
    this.note = /^cluster_enabled:1/m.test(info)
      ? "it is one of several of a Redis Cluster, and only its own sessions are read: import from each of the masters"
      : null;
  }

  leadsOn(from: string): Promise<boolean> {
    return Promise.resolve(this.#runId !== "" && from.startsWith(`${this.#runId} `));
  }

  async page(from: string): Promise<Page> {
    const before = from === "" ? firstCursor : from.slice(from.indexOf(" ") + 1);
    const options = { MATCH: this.#pattern, COUNT: limits.pageRows };
    const { cursor, keys } = await this.#ask("list its keys", this.#client.scan(before, options));
    const found = await this.#ask("look at its keys", Promise.all(keys.map((key) => this.#look(key))));
    const isLast = cursor === firstCursor;
    return {
      found: found.filter((one) => one !== null),
      next: isLast ? null : `${this.#runId} ${cursor}`,
      share: isLast ? 1 : shareBefore(cursor),
    };
  }

  async texts(sids: readonly string[]): Promise<readonly (string | null)[]> {
    const before = this.#idBegin === 0 ? "" : this.#prefix;
    // One may have grown meanwhile: it is cut off then, and no JSON.
    const texts = sids.map((sid) => this.#client.getRange(before + sid, 0, limits.textBytesMax));
    return (await this.#ask("read its sessions", Promise.all(texts))).map((text) => text || null);
  }

  close(): Promise<void> {
    endClient(this.#client);
    return Promise.resolve();
  }

  /** Null: it has gone. */
  async #look(key: string): Promise<Found | null> {
    const length = this.#client.strLen(key).catch((error: Error) => {
      // A key of this name may be a list, or a set.
      if (error.message.startsWith("WRONGTYPE")) return null;
      throw error;
    });
    const [bytes, ttlMs] = await Promise.all([length, this.#client.pTTL(key)]);
    if (ttlMs === gone) return null;
    return {
      sid: key.slice(this.#idBegin),
      bytes,
      leftMs: ttlMs === endless ? Number.POSITIVE_INFINITY : ttlMs,
    };
  }

  #ask<T>(doing: string, asked: Promise<T>): Promise<T> {
    return ask(this.name, doing, asked);
  }
}

/** Answers of PTTL that are no times. */
const gone = -2;
const endless = -1;

/**
 * How much of all keys comes before a cursor: it counts the buckets of Redis' table with its bits in reverse, the highest one first,
 * so that it stays right when the table grows.
 */
function shareBefore(cursor: string): number {
  let share = 0;
  let weight = 0.5;
  for (let bits = BigInt(cursor); bits > 0n; bits >>= 1n, weight /= 2)
    if ((bits & 1n) === 1n) share += weight;
  return share;
}
