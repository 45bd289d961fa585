/** Connections to MySQL or MariaDB as `sql/connections.ts` wants them: of a pool of `mysql2` of our own, or of one that the application gave. */
import { connect, isIP, type Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { hostInWords } from "../../../config/engine-url.ts";
import type { DatabaseHost, MysqlAddress } from "../../../config/model.ts";
import { systemClock } from "../../../support/clock.ts";
import { sqlStores as limits } from "../../../support/limits.ts";
import { loadDriver } from "../driver.ts";
import { SessionEngineError } from "../engine.ts";
import { type Connector, type DriverPool, NotPrimary } from "../sql/connections.ts";
import { isDenied, isMoved, isRefusal } from "./errors.ts";
import type { Parameters, Statement } from "./statements.ts";

type Column = string | number | Buffer | null;

/** Of a statement that writes: how many rows it found; and the number that the database gave to a new one. */
export interface Done {
  readonly affectedRows: number;
  readonly insertId: number;
}

type Answered = (error: unknown, rows: Column[][] | Done) => void;

interface Query {
  readonly sql: string;
  readonly values: readonly Column[];
  readonly rowsAsArray: true;
  readonly nestTables: false;
  readonly typeCast: (field: unknown, next: () => unknown) => unknown;
}

/** A connection of `mysql2`, as far as it is used here. */
export interface MysqlConnection {
  execute(query: Query, answered: Answered): void;
  query(query: Query, answered: Answered): void;
  release(): void;
  destroy(): void;
  on(event: "error", listener: () => void): unknown;
  readonly stream?: Partial<Pick<Socket, "ref" | "unref">>;
}

/** A pool of `mysql2`, as far as it is used here; not that of `mysql2/promise`, which has it within. */
export interface MysqlPool {
  getConnection(taken: (error: Error | null, connection: MysqlConnection) => void): void;
  end(ended: (error?: Error) => void): void;
  readonly config?: {
    readonly connectionLimit?: number;
    readonly connectionConfig?: {
      readonly host?: string;
      readonly port?: number;
      readonly socketPath?: string;
    };
  };
  readonly _allConnections?: { readonly length: number };
  readonly _freeConnections?: { readonly length: number };
}

/** What is known of a server since a connection to it was looked at. */
export interface ServerFacts {
  readonly user: string;
  readonly database: string | null;
  readonly isMariaDB: boolean;
  readonly packetBytesMax: number;
}

export interface OwnPoolSettings {
  readonly address: MysqlAddress;
  readonly connectionsMax: number;
  /** For each pool that is made. */
  readonly tls: () => Promise<ConnectionOptions>;
}

export type InWords = (error: unknown, place: string, facts: ServerFacts | null) => string;

const factsText = `SELECT VERSION(), @@autocommit, @@global.read_only, @@global.innodb_read_only, @@max_allowed_packet,
  CURRENT_USER(), DATABASE()`;

export class MysqlConnector implements Connector<MysqlConnection> {
  readonly places: readonly string[];
  readonly isRefusal: (error: unknown) => boolean = isRefusal;
  readonly #open: () => Promise<MysqlPool>;
  readonly #isOwn: boolean;
  readonly #inWords: InWords;
  #facts: ServerFacts | null = null;
  #renewedAtMs: number = Number.NEGATIVE_INFINITY;

  private constructor(place: string, isOwn: boolean, inWords: InWords, open: () => Promise<MysqlPool>) {
    this.places = [place];
    this.#isOwn = isOwn;
    this.#inWords = inWords;
    this.#open = open;
  }

  static own(settings: OwnPoolSettings, inWords: InWords): MysqlConnector {
    const { address } = settings;
    return new MysqlConnector(hostInWords(address.host), true, inWords, async () => {
      const { createPool } = await loadDriver("mysql2", () => import("mysql2"));
      const isSecured = address.tlsMode !== "disabled" && !isSocket(address.host);
      const tls = isSecured ? await settings.tls() : null;
      return createPool(poolOptions(settings, tls)) as unknown as MysqlPool;
    });
  }

  static given(pool: MysqlPool, place: string, inWords: InWords): MysqlConnector {
    return new MysqlConnector(place, false, inWords, async () => pool);
  }

  get product(): string {
    return this.#facts?.isMariaDB === true ? "MariaDB" : "MySQL";
  }

  /** Of the connection that was looked at last. */
  get facts(): ServerFacts | null {
    return this.#facts;
  }

  isMoved(error: unknown): boolean {
    if (isMoved(error)) return true;
    // A connection has the rights in its database that there were when it was made: what an administrator gives only new ones have.
    const now = systemClock.now();
    if (!isDenied(error) || now - this.#renewedAtMs < limits.renewIntervalMs) return false;
    this.#renewedAtMs = now;
    return true;
  }

  inWords(error: unknown, place: string): string {
    return this.#inWords(error, place, this.#facts);
  }

  async open(): Promise<DriverPool<MysqlConnection>> {
    const pool = await this.#open();
    const isOwn = this.#isOwn;
    return {
      async take() {
        const connection = await new Promise<MysqlConnection>((resolve, reject) =>
          pool.getConnection((error, taken) => (error ? reject(error) : resolve(taken))),
        );
        if (isOwn) connection.stream?.ref?.();
        return connection;
      },
      give(connection) {
        // Idle connections do not keep the process alive.
        if (isOwn) connection.stream?.unref?.();
        connection.release();
      },
      drop: (connection) => connection.destroy(),
      get size() {
        return pool._allConnections?.length ?? 1;
      },
      get isBusy() {
        const all = pool._allConnections?.length ?? 0;
        return pool._freeConnections?.length === 0 && all >= (pool.config?.connectionLimit || Infinity);
      },
      end: () =>
        new Promise((resolve, reject) => {
          if (isOwn) pool.end((error) => (error ? reject(error) : resolve()));
          else resolve();
        }),
    };
  }

  async greet(connection: MysqlConnection, place: string): Promise<void> {
    // Without a listener the end of a connection would be the end of the process.
    connection.on("error", () => {});
    const [row] = await this.ask(connection, { text: factsText, parameters: [] }, {});
    const [version, autocommit, readOnly, innodbReadOnly, packet, user, database] = row!;
    const isMariaDB = /mariadb/i.test(String(version));
    const [, major = "0", minor = "0"] = /^(?:5\.5\.5-)?(\d+)\.(\d+)/.exec(String(version)) ?? [];
    const isOld = isMariaDB ? Number(major) * 100 + Number(minor) < 1006 : Number(major) < 8;
    if (isOld)
      throw refused(
        `${isMariaDB ? "MariaDB" : "MySQL"} at ${place} is of version ${version}; MySQL 8.0 or MariaDB 10.6 are needed`,
      );
    if (isOn(readOnly) || isOn(innodbReadOnly))
      throw new NotPrimary(
        `${isMariaDB ? "MariaDB" : "MySQL"} at ${place} is read-only, as a replica is (read_only), and only a primary can keep sessions`,
      );
    if (!isOn(autocommit))
      throw refused(
        "connections of the pool have autocommit off, so that nothing of what is written would stay: turn it on for them",
      );
    this.#facts = {
      ...{ user: String(user), database: database === null ? null : String(database), isMariaDB },
      packetBytesMax: Number(packet),
    };
    // What runs for long is ended by the server, too.
    if (this.#isOwn) await this.send(connection, ownSession(isMariaDB));
  }

  /** A question. */
  async ask(connection: MysqlConnection, statement: Statement, values: Parameters): Promise<Column[][]> {
    return (await this.#execute(connection, statement, values)) as Column[][];
  }

  /** A statement that writes. */
  async write(connection: MysqlConnection, statement: Statement, values: Parameters): Promise<Done> {
    return (await this.#execute(connection, statement, values)) as Done;
  }

  /** A text without parameters, not prepared: of those there would be too many. @returns rows, or what was done. */
  send(connection: MysqlConnection, text: string): Promise<Column[][] | Done> {
    return new Promise((resolve, reject) =>
      connection.query(queryOf(text, []), (error, rows) => (error ? reject(error) : resolve(rows))),
    );
  }

  /** Prepared with its first use on a connection. */
  #execute(
    connection: MysqlConnection,
    { text, parameters }: Statement,
    values: Parameters,
  ): Promise<Column[][] | Done> {
    const list = parameters.map((name) => values[name]!);
    return new Promise((resolve, reject) =>
      connection.execute(queryOf(text, list), (error, rows) => (error ? reject(error) : resolve(rows))),
    );
  }
}

/** Whatever the application has set for its own statements; of casts only a function takes the place of another one. */
function queryOf(sql: string, values: readonly Column[]): Query {
  return { sql, values, rowsAsArray: true, nestTables: false, typeCast: (_, next) => next() };
}

function ownSession(isMariaDB: boolean): string {
  const longest = isMariaDB
    ? `max_statement_time = ${limits.statementTimeoutMs / 1_000}`
    : `max_execution_time = ${limits.statementTimeoutMs}`;
  // What a column can't hold is refused, and not cut off.
  return `SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES'), innodb_lock_wait_timeout = ${Math.ceil(limits.lockWaitMs / 1_000)}, lock_wait_timeout = 1, ${longest}`;
}

function poolOptions({ address, connectionsMax }: OwnPoolSettings, tls: ConnectionOptions | null): object {
  const { host, port } = address.host;
  return {
    // The name that the certificate must have. Of an address mysql2 would ask for "localhost"; with a dot behind it Node takes it for what it is.
    host: tls?.servername ?? (isIP(host) === 0 ? host : `${host}.`),
    stream: () => {
      const socket = isSocket(address.host) ? connect(host) : connect(port, host);
      return socket.setNoDelay(true).setKeepAlive(true, limits.keepAliveMs);
    },
    user: address.user,
    ...(address.password !== null && { password: address.password }),
    database: address.database,
    charset: "utf8mb4_bin",
    ...(tls !== null && { ssl: { ...tls, verifyIdentity: address.tlsMode === "verify-identity" } }),
    connectTimeout: limits.connectTimeoutMs,
    connectionLimit: connectionsMax,
    maxIdle: connectionsMax,
    queueLimit: limits.waitingMax,
  };
}

function isSocket({ host }: DatabaseHost): boolean {
  return host.startsWith("/");
}

/** Variables are numbers in one version and words in another. */
function isOn(value: Column | undefined): boolean {
  return Number(value) === 1 || /^(?:on|true|yes|no_lock)/i.test(String(value));
}

function refused(message: string): SessionEngineError {
  return new SessionEngineError(message, "nothing");
}
