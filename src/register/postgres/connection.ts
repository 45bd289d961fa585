/**
 * One connection to PostgreSQL through the library `pg`, which is loaded with the first one. It keeps nothing in the
 * server's session, so that a pooler in between (PgBouncer) may give each statement to another process of the server.
 *
 * A statement that is not answered in time ends the connection: what becomes of it is not known then.
 */
import { Socket } from "node:net";
import { type ConnectionOptions, checkServerIdentity } from "node:tls";
import type { Client, QueryResultRow } from "pg";
import type { DatabaseHost, PostgresAddress, PostgresSettings } from "../../config/model.ts";
import { readTlsFiles } from "../../config/tls-files.ts";
import { codeOf, messageOf } from "../../support/errors.ts";
import { postgres as limits } from "../../support/limits.ts";
import { within } from "../../support/within.ts";

export interface Opening {
  readonly settings: Pick<PostgresSettings, "address" | "tls">;
  /** One of those of the address. */
  readonly host: DatabaseHost;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  readonly onNotification: (payload: string) => void;
}

/** The statement may have been executed, or may still be. */
export class AnswerLost extends Error {}

export interface Answer {
  readonly rows: readonly QueryResultRow[];
  /** The server added a warning, as it does when somebody ended its wait for a synchronous standby. */
  readonly isWarned: boolean;
}

export class PostgresConnection {
  readonly #client: Client;
  readonly #socket: Socket;
  #isWarned = false;
  #isOpen = true;
  /** Resolved when it has ended, by itself or by `close`. */
  readonly ended: Promise<void>;

  private constructor(client: Client, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
    this.ended = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.once("close", () => {
      this.#isOpen = false;
    });
    // Those of a statement are told to who waits for it; of an idle connection `ended` says enough.
    client.on("error", () => this.close());
    client.on("notice", ({ code }) => {
      if (code?.startsWith("01")) this.#isWarned = true;
    });
  }

  /** @throws what the server or the system said. */
  static async open(opening: Opening): Promise<PostgresConnection> {
    const { tlsMode } = opening.settings.address;
    const isSecured = mayHaveTls(opening.settings.address, opening.host);
    try {
      return await connect(opening, isSecured ? await tlsOptions(opening.settings) : false);
    } catch (error) {
      if (tlsMode !== "prefer" || !isWithoutTls(error)) throw error;
      return await connect(opening, false);
    }
  }

  /** @internal */
  static of(client: Client, socket: Socket): PostgresConnection {
    return new PostgresConnection(client, socket);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The number of the server's process, as the server, or a pooler in between, says. */
  get processId(): number | null {
    // Not in the types of `pg`.
    return (this.#client as unknown as { processID: number | null }).processID;
  }

  /**
   * One at a time.
   * @throws the server's error when it has surely not been executed; AnswerLost otherwise, and the connection is closed.
   */
  async query(text: string, values: readonly unknown[], timeoutMs: number): Promise<Answer> {
    this.#isWarned = false;
    try {
      const { rows } = await within(this.#client.query(text, [...values]), timeoutMs);
      return { rows, isWarned: this.#isWarned };
    } catch (error) {
      if (isRefusal(error)) throw error;
      this.close();
      throw new AnswerLost(messageOf(error), { cause: error });
    }
  }

  /** At once, whatever is under way. */
  close(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }
}

async function connect(opening: Opening, ssl: ConnectionOptions | false): Promise<PostgresConnection> {
  const { settings, host, applicationName, onNotification } = opening;
  const { address } = settings;
  const { default: pg } = await import("pg");
  const socket = new Socket();
  socket.setKeepAlive(true, limits.keepAliveMs);
  const client = new pg.Client({
    stream: () => socket,
    ssl,
    host: host.host,
    port: host.port,
    database: address.database,
    user: address.user,
    // As a function: without one the library would take PGPASSWORD, or look for ~/.pgpass.
    password: () => address.password ?? "",
    application_name: applicationName,
    connectionTimeoutMillis: limits.connectTimeoutMs,
  });
  const connection = PostgresConnection.of(client, socket);
  client.on("notification", ({ processId, payload }) => {
    // Of our own writes we know.
    if (processId !== connection.processId) onNotification(payload ?? "");
  });
  try {
    await client.connect();
    return connection;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Errors that undid the statement for certain: those of the syntax, the rights, the data, the disk, the locks. */
export function isRefusal(error: unknown): boolean {
  return /^(?:22|23|25|28|3D|3F|42|53|54|55)|^40001$|^40P01$|^57014$/.test(codeOf(error));
}

/** Of Unix sockets there is none. */
export function mayHaveTls({ tlsMode }: PostgresAddress, { host }: DatabaseHost): boolean {
  return tlsMode !== "disable" && !host.startsWith("/");
}

/** These are the library's words for what the server says with one letter. */
export function isWithoutTls(error: unknown): boolean {
  return messageOf(error) === "The server does not support SSL connections";
}

/** Files are read for each connection: certificates are replaced. */
export async function tlsOptions({ address, tls }: Opening["settings"]): Promise<ConnectionOptions> {
  const { tlsMode } = address;
  const texts = await readTlsFiles(tls);
  const name = tls?.serverName ?? null;
  return {
    // As libpq: an authority that is named is asked, even where the mode alone would believe anybody.
    rejectUnauthorized: tlsMode === "verify-full" || tlsMode === "verify-ca" || texts.ca !== undefined,
    ...texts,
    checkServerIdentity: (host, certificate) =>
      tlsMode === "verify-full" ? checkServerIdentity(name ?? host, certificate) : undefined,
  };
}
