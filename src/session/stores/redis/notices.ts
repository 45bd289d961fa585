/**
 * What others did to sessions that this process holds, told by Redis' own publishing, which keeps nothing for a subscriber that is not
 * there: what breaks a channel breaks it for good, and its user begins a new one with an empty memory.
 *
 * Why a proof is one. Redis does one thing after the other, and a subscriber's connection brings what was published in that order. A proof
 * is published by the connection of the commands, so behind all that was published before, and has arrived when it is heard. It goes that way,
 * and is no mere ping of the subscriber's connection, because the two might lead to different servers (after a failover, or behind a
 * balancer): then nothing is heard, or on a replica in the same order. A command connection that is made anew may lead elsewhere; that breaks the
 * channel as well.
 */
import { randomBytes } from "node:crypto";
import { redisStores as limits } from "../../../support/limits.ts";
import { type NoticeChannel, SessionEngineError } from "../engine.ts";
import type { RedisClient, RedisSource } from "./client.ts";
import type { RedisConnection } from "./connection.ts";
import { unreachable } from "./failure.ts";

/** Begins no key: what else is told on the channel are keys. */
const proofMark = "?";

interface Proof {
  readonly done: () => void;
  readonly fail: (error: SessionEngineError) => void;
}

export class RedisNotices implements NoticeChannel {
  readonly #connection: RedisConnection;
  readonly #channel: string;
  readonly #onChanged: (key: string) => void;
  /** Others with the same holder's name hear our proofs, and we theirs. */
  readonly #own: string = proofMark + randomBytes(9).toString("base64url");
  readonly #proofs: Map<string, Proof> = new Map();
  #proofsMade = 0;
  #client: RedisClient | null = null;
  #failure: SessionEngineError | null = null;
  #forget: () => void = () => {};

  private constructor(connection: RedisConnection, channel: string, onChanged: (key: string) => void) {
    this.#connection = connection;
    this.#channel = channel;
    this.#onChanged = onChanged;
  }

  /** @throws SessionEngineError */
  static async open(
    source: RedisSource,
    connection: RedisConnection,
    channel: string,
    onChanged: (key: string) => void,
  ): Promise<RedisNotices> {
    const notices = new RedisNotices(connection, channel, onChanged);
    notices.#forget = connection.whenLost((cause) => notices.#break(cause));
    try {
      const client = await source.make((cause) => notices.#break(cause));
      // Broken meanwhile, it has nothing to end yet.
      if (notices.#failure !== null) throw notices.#failure;
      notices.#client = client;
      await client.connect();
      await client.subscribe(channel, (message) => notices.#hear(message));
      // Before it, the connection of the commands might have been none.
      await notices.prove();
      return notices;
    } catch (error) {
      notices.#break(error);
      throw notices.#failure;
    }
  }

  async prove(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const proof = `${this.#own}:${this.#proofsMade++}`;
    let timer: NodeJS.Timeout | undefined;
    const heard = new Promise<void>((done, fail) => {
      this.#proofs.set(proof, { done, fail });
      timer = setTimeout(() => {
        this.#break(new Error(`nothing was heard of a notice for ${limits.proveTimeoutMs / 1_000} s`));
      }, limits.proveTimeoutMs);
    });
    const sent = this.#connection.send("", ["PUBLISH", this.#channel, proof], false);
    sent.catch((error: unknown) => this.#break(error));
    try {
      await heard;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#break(new Error("the channel was closed"));
  }

  #hear(message: string): void {
    if (this.#failure !== null) return;
    if (!message.startsWith(proofMark)) this.#onChanged(message);
    else if (message.startsWith(this.#own)) {
      this.#proofs.get(message)?.done();
      this.#proofs.delete(message);
    }
  }

  #break(cause: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = cause instanceof SessionEngineError ? cause : unreachable(this.#connection.name, cause);
    this.#forget();
    this.#client?.destroy();
    for (const { fail } of this.#proofs.values()) fail(this.#failure);
    this.#proofs.clear();
  }
}
