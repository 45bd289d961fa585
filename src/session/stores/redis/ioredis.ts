/** Clients of the library `ioredis`, like one of the user's. */
import { hostInWords } from "../../../config/engine-url.ts";
import { redisStores as limits } from "../../../support/limits.ts";
import type { RedisClient, RedisSource } from "./client.ts";

/** The part of a client of `ioredis` that we use. */
export interface IoredisLike {
  readonly status: string;
  readonly options: object;
  duplicate(override?: object): unknown;
  call(command: string, ...args: string[]): Promise<unknown>;
}

/** The part of a cluster of `ioredis` that we use. */
export interface IoredisClusterLike {
  readonly status: string;
  readonly isCluster: boolean;
  readonly options: object;
  duplicate(nodes?: never[], options?: object): unknown;
  nodes(role: "master"): unknown[];
  call(command: string, ...args: string[]): Promise<unknown>;
}

interface Ioredis extends IoredisLike {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  connect(): Promise<void>;
  subscribe(channel: string): Promise<unknown>;
  disconnect(): void;
  nodes(role: "master"): Ioredis[];
}

interface Options {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly keyPrefix?: string;
  readonly redisOptions?: object;
  readonly sentinels?: readonly { host?: string; port?: number }[] | null;
  readonly name?: string;
}

/** What the store relies on, whatever the user's client is like: nothing waits for a connection, nothing is sent twice, and replies are plain. */
const settings = {
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: null,
  reconnectOnError: null,
  commandTimeout: undefined,
  enableAutoPipelining: false,
  stringNumbers: false,
  keyPrefix: "",
  connectTimeout: limits.connectTimeoutMs,
};

export function ioredisSource(client: IoredisLike): RedisSource {
  const options = client.options as Options;
  const own = { ...settings, lazyConnect: true, enableOfflineQueue: false, retryStrategy: null };
  return {
    ...{ name: `Redis at ${placeOf(options)}`, keyPrefix: options.keyPrefix ?? "", isCluster: false },
    make: (onLost) => Promise.resolve(clientOf(client.duplicate(own) as Ioredis, onLost)),
  };
}

/** Lost connections to its nodes are its own business: it makes them anew, and finds out who has taken over. */
export function ioredisClusterSource(cluster: IoredisClusterLike): RedisSource {
  const options = cluster.options as Options;
  const own = {
    redisOptions: settings,
    keyPrefix: "",
    lazyConnect: true,
    enableOfflineQueue: false,
    // Whether what failed was done is not known then: it must not be sent again.
    ...{ retryDelayOnFailover: 0, retryDelayOnClusterDown: 0, enableAutoPipelining: false },
  };
  return {
    ...{ name: "Redis Cluster", keyPrefix: options.keyPrefix ?? "", isCluster: true },
    make: () => {
      const copy = cluster.duplicate([], own) as Ioredis;
      const client = clientOf(copy, () => {});
      const nodes: RedisClient["nodes"] = () =>
        Promise.resolve(
          copy.nodes("master").map(
            (node) =>
              ([name, ...args]) =>
                node.call(name!, ...args),
          ),
        );
      return Promise.resolve(Object.defineProperty(client, "nodes", { value: nodes }));
    },
  };
}

function clientOf(client: Ioredis, onLost: (cause: unknown) => void): RedisClient {
  // Its promises say only that the connection is closed; why, it says in this event.
  let cause: unknown;
  client.on("error", (error) => {
    cause = error;
  });
  client.on("close", () => onLost(cause ?? new Error("the connection was closed")));
  return {
    get isReady() {
      return client.status === "ready";
    },
    connect: async () => {
      await client.connect().catch((error: unknown) => Promise.reject(cause ?? error));
    },
    send: (_key, [name, ...args]) => client.call(name!, ...args),
    subscribe: async (channel, onMessage) => {
      client.on("message", (from, message) => {
        if (from === channel) onMessage(String(message));
      });
      await client.subscribe(channel);
    },
    nodes: () => Promise.resolve([([name, ...args]) => client.call(name!, ...args)]),
    destroy: () => client.disconnect(),
  };
}

function placeOf({ host, port, path, sentinels, name }: Options): string {
  if (sentinels != null && sentinels.length > 0) return `${name ?? "mymaster"} of its sentinels`;
  return path ?? hostInWords({ host: host ?? "localhost", port: port ?? 6_379 });
}
