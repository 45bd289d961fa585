/**
 * The keys of all sessions in their order, for operators: Redis keeps no order, and what it would cost to keep one is paid with each
 * write. So all keys are gone over (SCAN, a thousand at a time, which disturbs nobody), and as many of the first ones as may be kept
 * are sorted here. The next pages come from them, and only behind their end is gone over all keys again.
 */
import { redisStores as limits } from "../../../support/limits.ts";
import type { RedisConnection } from "./connection.ts";

/** In order; all that there were behind `after`, up to the last one, or to the end. */
interface Kept {
  readonly after: string;
  readonly keys: readonly string[];
  readonly isWhole: boolean;
}

export class RedisKeyList {
  readonly #connection: RedisConnection;
  /** Of the keys in Redis. */
  readonly #prefix: string;
  #kept: Kept | null = null;
  #forget: NodeJS.Timeout | null = null;

  constructor(connection: RedisConnection, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  /** Without the prefix, behind `after`, in order; none: there are none. Those made since the first page may be missing. */
  async page(after: string, keysMax: number): Promise<readonly string[]> {
    const kept = this.#kept;
    if (after !== "" && kept !== null && after >= kept.after) {
      const page = pageOf(kept, after, keysMax);
      if (kept.isWhole || page.length === keysMax) return page;
    }
    this.#kept = await this.#collect(after, Math.max(keysMax, limits.listedKeysMax));
    this.#forgetLater();
    return pageOf(this.#kept, after, keysMax);
  }

  /** Keys that appear twice while Redis rearranges them count once for each step. */
  async count(): Promise<number> {
    let count = 0;
    await this.#scan((keys) => {
      count += new Set(keys).size;
    });
    return count;
  }

  close(): void {
    if (this.#forget !== null) clearTimeout(this.#forget);
    this.#kept = null;
  }

  async #collect(after: string, keysMax: number): Promise<Kept> {
    let keys: string[] = [];
    let isWhole = true;
    const tidy = (): void => {
      keys = [...new Set(keys)].sort();
      if (keys.length > keysMax) isWhole = false;
      keys.length = Math.min(keys.length, keysMax);
    };
    await this.#scan((found) => {
      const last = isWhole ? null : keys[keysMax - 1]!;
      for (const key of found) if (key > after && (last === null || key < last)) keys.push(key);
      if (keys.length > 2 * keysMax) tidy();
    });
    tidy();
    return { after, keys, isWhole };
  }

  async #scan(take: (keys: readonly string[]) => void): Promise<void> {
    const match = `${this.#prefix.replace(/[\\*?[\]^-]/g, "\\$&")}*`;
    for (const node of await this.#connection.nodes()) {
      let cursor = "0";
      do {
        const step = await node(["SCAN", cursor, "MATCH", match, "COUNT", String(limits.scannedAtOnce)]);
        const [next, keys] = step as [unknown, string[]];
        cursor = String(next);
        take(keys.map((key) => key.slice(this.#prefix.length)));
      } while (cursor !== "0");
    }
  }

  #forgetLater(): void {
    if (this.#forget !== null) clearTimeout(this.#forget);
    this.#forget = setTimeout(() => {
      this.#kept = null;
    }, limits.listedKeptMs).unref();
  }
}

function pageOf({ keys }: Kept, after: string, keysMax: number): readonly string[] {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! > after) high = middle;
    else low = middle + 1;
  }
  return keys.slice(low, low + keysMax);
}
