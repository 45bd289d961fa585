/** Clients of the library `redis` (node-redis 4 and later): of a URL, or like one of the user's. */
import { hostInWords } from "../../../config/engine-url.ts";
import { redisStores as limits } from "../../../support/limits.ts";
import type { RedisClient, RedisNode, RedisSource } from "./client.ts";

/** The part of a client of `redis` that we use. */
export interface NodeRedisLike {
  readonly isReady: boolean;
  readonly options?: object | undefined;
  duplicate(overrides?: object): unknown;
  sendCommand(args: string[]): Promise<unknown>;
}

/** The part of a cluster of `redis` that we use. */
export interface NodeRedisClusterLike {
  readonly isOpen: boolean;
  readonly masters: readonly object[];
  duplicate(overrides?: object): unknown;
  nodeClient(node: never): unknown;
  sendCommand(firstKey: string, isReadonly: boolean, args: string[]): Promise<unknown>;
}

/** With what `createClient` makes one. */
export interface NodeRedisOptions {
  readonly keyPrefix?: string;
  readonly socket?: object;
  readonly [name: string]: unknown;
}

interface NodeRedis extends NodeRedisLike {
  on(event: string, listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  destroy?(): void;
  disconnect(): Promise<void>;
}

interface NodeRedisCluster extends NodeRedisClusterLike {
  on(event: string, listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  destroy?(): void;
  disconnect(): Promise<void>;
}

/**
 * What the store relies on, whatever the user's client is like: nothing waits for a connection, nothing is sent twice, and replies are plain.
 * That no command has a timeout saves a timer for each; connection.ts watches over all of them with one.
 */
const settings = {
  disableOfflineQueue: true,
  commandOptions: { timeout: undefined },
  RESP: 2,
  clientSideCache: undefined,
  emitInvalidate: false,
  maintNotifications: "disabled",
  pingInterval: 0,
};
const socketSettings = {
  connectTimeout: limits.connectTimeoutMs,
  socketTimeout: undefined,
  reconnectStrategy: false,
};

/** @param options those of `createClient`, as far as they are not the store's own business. */
export function optionsOf(options: NodeRedisOptions): NodeRedisOptions {
  return { ...options, ...settings, socket: { ...options.socket, ...socketSettings } };
}

export function clientSource(name: string, make: () => Promise<unknown>, keyPrefix: string): RedisSource {
  return {
    ...{ name, keyPrefix, isCluster: false },
    make: async (onLost) => clientOf((await make()) as NodeRedis, onLost),
  };
}

function clientOf(client: NodeRedis, onLost: (cause: unknown) => void): RedisClient {
  client.on("error", onLost);
  return {
    get isReady() {
      return client.isReady;
    },
    connect: async () => void (await client.connect()),
    send: (_key, args) => client.sendCommand(args as string[]),
    subscribe: (channel, onMessage) => client.subscribe(channel, onMessage),
    nodes: () => Promise.resolve([(args) => client.sendCommand(args as string[])]),
    destroy: () => endClient(client),
  };
}

/** Lost connections to its nodes are its own business: it makes them anew, and finds out who has taken over. */
export function clusterSource(cluster: NodeRedisClusterLike): RedisSource {
  const { defaults, rootNodes } = ownOptions(cluster);
  const first = (rootNodes as readonly { url?: string; socket?: object }[] | undefined)?.[0];
  return {
    name: `Redis Cluster${first === undefined ? "" : ` at ${placeOf(first.url, first.socket)}`}`,
    ...{ keyPrefix: String(defaults?.keyPrefix ?? ""), isCluster: true },
    make: () => {
      const socket = { ...defaults?.socket, ...socketSettings, reconnectStrategy };
      const copy = cluster.duplicate({ defaults: { ...defaults, ...settings, socket } }) as NodeRedisCluster;
      copy.on("error", () => {});
      return Promise.resolve({
        get isReady() {
          return copy.isOpen;
        },
        connect: async () => void (await copy.connect()),
        send: (key, args) => copy.sendCommand(key, false, args as string[]),
        subscribe: () => Promise.reject(new Error("notices of a cluster can't be proven")),
        nodes: () =>
          Promise.all(
            copy.masters.map(async (node): Promise<RedisNode> => {
              const client = (await copy.nodeClient(node as never)) as NodeRedis;
              return (args) => client.sendCommand(args as string[]);
            }),
          ),
        destroy: () => endClient(copy),
      });
    },
  };
}

/** Of a cluster they are not public. */
function ownOptions(cluster: object): { defaults?: NodeRedisOptions; rootNodes?: unknown } {
  return (cluster as { _options?: { defaults?: NodeRedisOptions } })._options ?? {};
}

function reconnectStrategy(retries: number): number {
  return Math.min(limits.reconnectMinMs * 2 ** Math.min(retries, 16), limits.reconnectMaxMs);
}

/** "10.0.0.5:6379"; a URL may have a password in it. */
export function placeOf(url: string | undefined, socket: object | undefined): string {
  const { host, port, path } = (socket ?? {}) as { host?: string; port?: number; path?: string };
  if (path !== undefined) return path;
  if (host !== undefined) return hostInWords({ host, port: port ?? 6_379 });
  if (url === undefined || !URL.canParse(url)) return "localhost:6379";
  const parsed = new URL(url);
  return `${parsed.hostname}:${parsed.port || 6_379}`;
}

/** At once, and whether or not it has ended already. */
export function endClient(client: { destroy?(): void; disconnect(): Promise<void> }): void {
  if (client.destroy === undefined) {
    client.disconnect().catch(() => {});
    return;
  }
  try {
    client.destroy();
  } catch {
    // Version 5 of the library throws where it has.
  }
}
