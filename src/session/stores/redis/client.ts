/** What we need of a client of Redis, whichever library it is of (node-redis.ts, ioredis.ts). */

/** One connection, or those to the nodes of a cluster, made for us alone; it is not used again once it was lost. */
export interface RedisClient {
  /** Commands are written at once then, and refused at once otherwise: nothing waits for a connection. */
  readonly isReady: boolean;
  connect(): Promise<void>;
  /** @param key of the session that it is about: a cluster finds the node by it. */
  send(key: string, args: readonly string[]): Promise<unknown>;
  subscribe(channel: string, onMessage: (message: string) => void): Promise<void>;
  /** Each node that has sessions, to be asked for itself. */
  nodes(): Promise<readonly RedisNode[]>;
  /** At once. What is under way rejects. */
  destroy(): void;
}

export type RedisNode = (args: readonly string[]) => Promise<unknown>;

/** How such clients are made. */
export interface RedisSource {
  /** For messages: "Redis at 10.0.0.5:6379". */
  readonly name: string;
  readonly isCluster: boolean;
  /** In front of all keys and channels, as the user's client would put it. */
  readonly keyPrefix: string;
  /** @param onLost once, with the cause, when a connection that was made has ended. */
  make(onLost: (cause: unknown) => void): Promise<RedisClient>;
}
