/**
 * Connections to PostgreSQL as `sql/connections.ts` wants them: of a pool of `pg` of our own, or of one that the application gave.
 * Nothing of theirs is changed for others: what a statement needs to be set ends with it.
 */
import { createHash } from "node:crypto";
import type { ConnectionOptions } from "node:tls";
import type { PostgresAddress } from "../../../config/model.ts";
import { isRefusal, isWithoutTls, mayHaveTls } from "../../../register/postgres/connection.ts";
import { placeOf } from "../../../register/postgres/primary.ts";
import { codeOf } from "../../../support/errors.ts";
import { sqlStores as limits, postgres as server } from "../../../support/limits.ts";
import { loadDriver } from "../driver.ts";
import { SessionEngineError } from "../engine.ts";
import { type Connector, type DriverPool, NotPrimary } from "../sql/connections.ts";
import {
  canExchange,
  Exchange,
  type ExchangingClient,
  type PgRows,
  type PgValue,
  type Statement,
} from "./exchange.ts";

/** A client of `pg`, as far as it is used here. */
export interface PgClient extends ExchangingClient {
  query(config: {
    readonly text: string;
    readonly values?: readonly PgValue[];
    readonly name?: string;
    readonly rowMode?: "array";
    readonly types?: { getTypeParser(): (value: unknown) => string };
  }): Promise<{ readonly rows: PgRows }>;
  query(exchange: Exchange): unknown;
  release(error?: boolean): void;
  on(event: string, listener: (argument: never) => void): unknown;
  readonly processID?: number | null;
}

/** A pool of `pg`, as far as it is used here. */
export interface PgPool {
  connect(): Promise<PgClient>;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  listenerCount?(event: "error"): number;
  readonly totalCount?: number;
  readonly idleCount?: number;
  readonly options?: { readonly max?: number; readonly host?: string; readonly port?: number };
}

export interface OwnPoolSettings {
  readonly address: PostgresAddress;
  readonly connectionsMax: number;
  /** For each pool that is made. */
  readonly tls: () => Promise<ConnectionOptions>;
}

/** What is known of a connection since it was looked at. */
export interface ConnectionFacts {
  readonly user: string;
  readonly database: string;
  /** Somebody in between gives statements to processes of the server as he likes: nothing can be listened to, or kept there. */
  readonly isPooled: boolean;
}

/** Where what failed was tried, for a message. */
export type InWords = (error: unknown, place: string, facts: ConnectionFacts | null) => string;

/** The server added a warning, as it does when somebody ended its wait for a synchronous standby. */
class Warned extends Error {}

const factsText = `SELECT current_setting('server_version_num'), pg_is_in_recovery()::text, pg_backend_pid()::text,
  current_user::text, current_database()::text`;

/** All values come as text, whatever parsers the application has given to `pg`. */
const types = { getTypeParser: () => String };

export class PostgresConnector implements Connector<PgClient> {
  readonly product = "PostgreSQL";
  readonly places: readonly string[];
  readonly isRefusal: (error: unknown) => boolean = isRefusal;
  readonly isMoved: (error: unknown) => boolean = (error) => codeOf(error) === readOnlyTransaction;
  readonly #open: (index: number) => Promise<PgPool>;
  readonly #isOwn: boolean;
  readonly #inWords: InWords;
  readonly #facts: WeakMap<PgClient, ConnectionFacts> = new WeakMap();
  readonly #warned: WeakSet<PgClient> = new WeakSet();
  /** Of clients whose prepared statements somebody has removed. */
  readonly #unnamed: WeakSet<PgClient> = new WeakSet();
  #lastFacts: ConnectionFacts | null = null;

  private constructor(
    places: readonly string[],
    isOwn: boolean,
    inWords: InWords,
    open: (index: number) => Promise<PgPool>,
  ) {
    this.places = places;
    this.#isOwn = isOwn;
    this.#inWords = inWords;
    this.#open = open;
  }

  static own(settings: OwnPoolSettings, inWords: InWords): PostgresConnector {
    const { hosts } = settings.address;
    return new PostgresConnector(hosts.map(placeOf), true, inWords, async (index) => {
      const { default: pg } = await loadDriver("pg", () => import("pg"));
      const host = hosts[index]!;
      const make = (ssl: ConnectionOptions | false): PgPool =>
        new pg.Pool(poolOptions(settings, host, ssl)) as unknown as PgPool;
      if (!mayHaveTls(settings.address, host)) return make(false);
      const pool = make(await settings.tls());
      return settings.address.tlsMode === "prefer" ? preferring(pool, () => make(false)) : pool;
    });
  }

  static given(pool: PgPool, place: string, inWords: InWords): PostgresConnector {
    return new PostgresConnector([place], false, inWords, async () => pool);
  }

  /** Of the connection that was looked at last. */
  get lastFacts(): ConnectionFacts | null {
    return this.#lastFacts;
  }

  inWords(error: unknown, place: string): string {
    return this.#inWords(error, place, this.#lastFacts);
  }

  async open(index: number): Promise<DriverPool<PgClient>> {
    const pool = await this.#open(index);
    // Node ends a process when an idle connection fails and nobody listens to that.
    if ((pool.listenerCount?.("error") ?? 0) === 0) pool.on("error", () => {});
    const isOwn = this.#isOwn;
    return {
      take: () => pool.connect(),
      give: (client) => client.release(),
      drop(client) {
        client.connection?.stream?.destroy();
        client.release(true);
      },
      get size() {
        return pool.totalCount ?? 1;
      },
      get isBusy() {
        return (
          pool.idleCount === 0 && (pool.totalCount ?? 0) >= (pool.options?.max ?? Number.POSITIVE_INFINITY)
        );
      },
      end: async () => (isOwn ? await pool.end() : undefined),
    };
  }

  async greet(client: PgClient, place: string): Promise<void> {
    // Without a listener the end of a connection would be the end of the process.
    client.on("error", () => {});
    client.on("notice", ({ code }: { readonly code?: string }) => {
      if (code?.startsWith("01")) this.#warned.add(client);
    });
    const [version, standby, pid, user, database] = await send(client, factsText);
    if (Number(version) < server.serverVersionMin)
      throw new SessionEngineError(
        `PostgreSQL at ${place} is older than version 12, which is needed`,
        "nothing",
      );
    if (standby === "true")
      throw new NotPrimary(`PostgreSQL at ${place} is a standby, and only a primary can keep sessions`);
    const isPooled = client.processID != null && Number(pid) !== client.processID;
    this.#lastFacts = { user: user!, database: database!, isPooled };
    this.#facts.set(client, this.#lastFacts);
    // What runs for long is ended by the server, too; the commit itself is not touched by it.
    if (this.#isOwn && !isPooled)
      await send(client, `SELECT set_config('statement_timeout', '${limits.statementTimeoutMs}', false)`);
  }

  isPooled(client: PgClient): boolean {
    return this.#facts.get(client)?.isPooled ?? true;
  }

  /** One statement, prepared with its first use on a connection. @returns its rows; all values are texts or null. */
  async run(client: PgClient, statement: Statement, values: readonly PgValue[]): Promise<PgRows> {
    this.#warned.delete(client);
    const rows = await this.#rowsOf(client, statement, values);
    if (this.#warned.has(client)) throw new Warned("it warned that the change may not be on its standbys");
    return rows;
  }

  async #rowsOf(client: PgClient, statement: Statement, values: readonly PgValue[]): Promise<PgRows> {
    const { text, name } = statement;
    const unnamed = { text, values, types, rowMode: "array" } as const;
    // A pooler gives the next statement to another process of the server, which does not know the name.
    if (this.isPooled(client) || this.#unnamed.has(client)) return (await client.query(unnamed)).rows;
    try {
      if (canExchange(client)) return await exchange(client, statement, values);
      return (await client.query({ ...unnamed, name })).rows;
    } catch (error) {
      // Surely not executed: an application has said DISCARD ALL on this connection of its pool.
      if (codeOf(error) !== noSuchStatement) throw error;
      this.#unnamed.add(client);
      return (await client.query(unnamed)).rows;
    }
  }
}

function exchange(client: PgClient, statement: Statement, values: readonly PgValue[]): Promise<PgRows> {
  return new Promise((resolve, reject) => {
    void client.query(
      new Exchange(statement, values, (error, rows) => (error === null ? resolve(rows) : reject(error))),
    );
  });
}

export function statement(text: string): Statement {
  return { text, name: `flotilla_${createHash("sha256").update(text).digest("hex").slice(0, 24)}` };
}

const noSuchStatement = "26000";
const readOnlyTransaction = "25006";

/** Without parameters, and not prepared. @returns its first row. */
export async function send(client: PgClient, text: string): Promise<(string | null)[]> {
  return (await client.query({ text, types, rowMode: "array" })).rows?.[0] ?? [];
}

/** Whether the server speaks TLS is found out with the first connection. */
function preferring(withTls: PgPool, makeWithout: () => PgPool): PgPool {
  let pool = withTls;
  return {
    async connect() {
      try {
        return await pool.connect();
      } catch (error) {
        if (!isWithoutTls(error)) throw error;
        if (pool === withTls) {
          pool = makeWithout();
          pool.on("error", () => {});
          withTls.end().catch(() => {});
        }
        return await pool.connect();
      }
    },
    end: () => pool.end(),
    on: (event, listener) => pool.on(event, listener),
    get totalCount() {
      return pool.totalCount ?? 0;
    },
    get idleCount() {
      return pool.idleCount ?? 0;
    },
    get options() {
      return pool.options ?? {};
    },
  };
}

function poolOptions(
  { address, connectionsMax }: OwnPoolSettings,
  { host, port }: PostgresAddress["hosts"][number],
  ssl: ConnectionOptions | false,
): object {
  return {
    ...{ host, port, ssl, max: connectionsMax },
    user: address.user,
    database: address.database,
    // As a function: without one the library would take PGPASSWORD, or look for ~/.pgpass.
    password: () => address.password ?? "",
    application_name: "flotilla sessions",
    connectionTimeoutMillis: limits.connectTimeoutMs,
    idleTimeoutMillis: limits.idleMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: limits.keepAliveMs,
    allowExitOnIdle: true,
  };
}
