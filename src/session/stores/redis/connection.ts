/**
 * The store's connection to Redis: made anew for ever when it is lost, given up when it owes an answer for too long (a cable that was
 * pulled says nothing), and nothing waits for it: without one an operation fails at once, and has surely done nothing.
 */
import { randomInt } from "node:crypto";
import { FlotillaError } from "../../../support/errors.ts";
import { redisStores as limits } from "../../../support/limits.ts";
import { within } from "../../../support/within.ts";
import { SessionEngineError } from "../engine.ts";
import type { RedisClient, RedisNode, RedisSource } from "./client.ts";
import { failureOf, isNoScript, isReply, unreachable } from "./failure.ts";
import type { RedisScript } from "./scripts.ts";

/** A command under way. */
interface Owed {
  /** By `#looks`. */
  readonly since: number;
}

export class RedisConnection {
  readonly name: string;
  readonly #source: RedisSource;
  #client: RedisClient | null = null;
  #opening: Promise<RedisClient> | null = null;
  #cause: unknown = null;
  #isClosed = false;
  #tries = 0;
  #retry: NodeJS.Timeout | null = null;
  #watch: NodeJS.Timeout | null = null;
  #looks = 0;
  /** In the order in which they were sent. */
  readonly #owed: Set<Owed> = new Set();
  readonly #onLost: Set<(cause: unknown) => void> = new Set();

  constructor(source: RedisSource) {
    this.#source = source;
    this.name = source.name;
  }

  /** From then on it is made anew by itself. @throws SessionEngineError */
  async open(): Promise<void> {
    if (this.#isClosed) throw closed(this.name);
    if (this.#client !== null) return;
    this.#opening ??= this.#connect();
    try {
      await this.#opening;
    } finally {
      this.#opening = null;
    }
  }

  /** @param key of the session that it is about. */
  async send(key: string, args: readonly string[], isWrite: boolean): Promise<unknown> {
    const client = this.#ready();
    try {
      return await this.#under(client.send(key, args));
    } catch (error) {
      throw failureOf(this.name, this.#whyOf(client, error), isWrite);
    }
  }

  /** In one round trip; in two when Redis does not know the script (after its restart). */
  async run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly string[],
    isWrite = true,
  ): Promise<unknown> {
    const client = this.#ready();
    const first = keys[0]!;
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.#under(client.send(first, ["EVALSHA", script.sha, ...rest]));
    } catch (error) {
      if (!isNoScript(error)) throw failureOf(this.name, this.#whyOf(client, error), isWrite);
    }
    return await this.send(first, ["EVAL", script.text, ...rest], isWrite);
  }

  /** Each node that has sessions. */
  async nodes(): Promise<readonly RedisNode[]> {
    const client = this.#ready();
    const nodes = await this.#under(client.nodes()).catch((error: unknown) => {
      throw failureOf(this.name, error, false);
    });
    return nodes.map((node) => async (args) => {
      try {
        return await this.#under(node(args));
      } catch (error) {
        throw failureOf(this.name, error, false);
      }
    });
  }

  /** Calls it once, when the connection of now is lost. @returns what takes it back. */
  whenLost(listener: (cause: unknown) => void): () => void {
    this.#onLost.add(listener);
    return () => void this.#onLost.delete(listener);
  }

  /** What is under way rejects. */
  close(): void {
    this.#isClosed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#lose(this.#client, closed(this.name));
  }

  #ready(): RedisClient {
    if (this.#isClosed) throw closed(this.name);
    const client = this.#client;
    if (client === null || !client.isReady) throw unreachable(this.name, this.#cause);
    return client;
  }

  /** Of a connection that was given up its client knows only that it has ended. */
  #whyOf(client: RedisClient, error: unknown): unknown {
    return client === this.#client || this.#cause === null || isReply(error) ? error : this.#cause;
  }

  async #under<T>(answer: Promise<T>): Promise<T> {
    const owed: Owed = { since: this.#looks };
    this.#owed.add(owed);
    try {
      return await answer;
    } finally {
      this.#owed.delete(owed);
    }
  }

  async #connect(): Promise<RedisClient> {
    let made: RedisClient | null = null;
    try {
      made = await this.#source.make((cause) => this.#lose(made, cause));
      // A client that is given up settles at its leisure.
      await within(made.connect(), limits.connectTimeoutMs);
      if (this.#isClosed) throw closed(this.name);
    } catch (error) {
      made?.destroy();
      this.#cause = error;
      // What only a person can mend, as a library that is not installed, ends a server's start.
      if (error instanceof FlotillaError) throw error;
      throw unreachable(this.name, error);
    }
    this.#client = made;
    this.#cause = null;
    this.#tries = 0;
    this.#watch = setInterval(this.#look, limits.lookIntervalMs).unref();
    return made;
  }

  #lose(client: RedisClient | null, cause: unknown): void {
    if (client === null || client !== this.#client) return;
    this.#client = null;
    this.#cause = cause;
    if (this.#watch !== null) clearInterval(this.#watch);
    client.destroy();
    const listeners = [...this.#onLost];
    this.#onLost.clear();
    for (const listener of listeners) listener(cause);
    this.#again();
  }

  #again(): void {
    if (this.#isClosed) return;
    const pauseMs = Math.min(limits.reconnectMinMs * 2 ** Math.min(this.#tries++, 16), limits.reconnectMaxMs);
    // By chance less, so that not all processes come back at the same moment.
    const waitMs = randomInt(pauseMs / 2, pauseMs);
    this.#retry = setTimeout(() => this.open().catch(() => this.#again()), waitMs).unref();
  }

  readonly #look = (): void => {
    this.#looks++;
    const client = this.#client!;
    // It may have ended before we knew that it is ours.
    if (!client.isReady) return this.#lose(client, this.#cause ?? new Error("the connection was lost"));
    const [oldest] = this.#owed;
    if (oldest === undefined) {
      // What comes of it is known by whether it is still owed.
      if (!this.#source.isCluster) this.send("", ["PING"], false).catch(() => {});
    } else if (this.#looks - oldest.since > limits.silentLooksMax) {
      const silentMs = limits.silentLooksMax * limits.lookIntervalMs;
      this.#lose(client, new Error(`no answer for ${silentMs / 1_000} s, so the connection was given up`));
    }
  };
}

function closed(name: string): SessionEngineError {
  return new SessionEngineError(`the store on ${name} was closed`, "nothing");
}
