/**
 * The database that the file names as a SessionEngine. Its module, and the library that speaks to it, are loaded with the first
 * `open`, so that a process without one loads neither.
 */
import type { ConnectionOptions } from "node:tls";
import type { DatabaseStoreSettings, EngineTls, RedisStoreSettings } from "../../config/model.ts";
import { storePlaces } from "../../config/session-store.ts";
import { readTlsFiles } from "../../config/tls-files.ts";
import type {
  ListedRow,
  NoticeChannel,
  Replaced,
  RowLife,
  SessionEngine,
  SessionRow,
  SessionTouch,
  SessionWrite,
} from "./engine.ts";

const products = { postgres: "PostgreSQL", mysql: "MySQL", redis: "Redis" } as const;

export class StoreOfFile implements SessionEngine {
  readonly #settings: DatabaseStoreSettings;
  #engine: SessionEngine | null = null;

  constructor(settings: DatabaseStoreSettings) {
    this.#settings = settings;
  }

  get name(): string {
    return this.#engine?.name ?? `${products[this.#settings.kind]} at ${storePlaces(this.#settings)}`;
  }

  get proveIntervalMs(): number {
    return this.#opened.proveIntervalMs;
  }

  async open(): Promise<void> {
    this.#engine ??= await load(this.#settings);
    await this.#engine.open();
  }

  read(key: string): Promise<SessionRow | null> {
    return this.#opened.read(key);
  }

  insert(key: string, write: SessionWrite, life: RowLife): Promise<boolean> {
    return this.#opened.insert(key, write, life);
  }

  replace(key: string, version: number, write: SessionWrite): Promise<Replaced> {
    return this.#opened.replace(key, version, write);
  }

  touch(touches: readonly SessionTouch[]): Promise<void> {
    return this.#opened.touch(touches);
  }

  remove(key: string, writer: string): Promise<void> {
    return this.#opened.remove(key, writer);
  }

  removeExpired(rowsMax: number): Promise<number> {
    return this.#opened.removeExpired(rowsMax);
  }

  list(after: string, rowsMax: number): Promise<readonly ListedRow[]> {
    return this.#opened.list(after, rowsMax);
  }

  count(): Promise<number> {
    return this.#opened.count();
  }

  /** Tried again and again, also while it can't be opened. */
  async listen(holder: string, onChanged: (key: string) => void): Promise<NoticeChannel> {
    return await this.#opened.listen(holder, onChanged);
  }

  async close(): Promise<void> {
    await this.#engine?.close();
  }

  get #opened(): SessionEngine {
    if (this.#engine === null) throw new Error(`${this.name} was not opened`);
    return this.#engine;
  }
}

async function load(settings: DatabaseStoreSettings): Promise<SessionEngine> {
  if (settings.kind === "postgres") return (await import("./postgres/index.ts")).postgresStoreOf(settings);
  if (settings.kind === "mysql") return (await import("./mysql/index.ts")).mysqlStoreOf(settings);
  return await loadRedis(settings);
}

async function loadRedis({ address, prefix, tls }: RedisStoreSettings): Promise<SessionEngine> {
  const { redisStore } = await import("./redis/index.ts");
  const { user, password, isEncrypted, database } = address;
  return redisStore({
    ...{ url: `${isEncrypted ? "rediss" : "redis"}://${placeText(address.host)}/${database}`, prefix },
    ...(user === null ? {} : { user }),
    ...(password === null ? {} : { password }),
    ...(tls === null ? {} : { tls: () => tlsOptions(tls) }),
  });
}

/** As a URL has it. */
function placeText({ host, port }: RedisStoreSettings["address"]["host"]): string {
  return `${host.includes(":") ? `[${host}]` : encodeURIComponent(host)}:${port}`;
}

async function tlsOptions(tls: EngineTls): Promise<ConnectionOptions> {
  const texts = await readTlsFiles(tls);
  return { ...texts, ...(tls.serverName === null ? {} : { servername: tls.serverName }) };
}
