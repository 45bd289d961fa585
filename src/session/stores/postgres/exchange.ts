/**
 * One prepared statement, as `pg` lets objects send themselves (its Submittable, of which pg-cursor is one). A statement of its own costs
 * it a fourth more: both sides write and read a description of the columns with each answer, and objects are made of it. Ours are texts
 * in a known order.
 */

/** What `pg` calls a connection: messages of the protocol (PostgreSQL, "Frontend/Backend Protocol", "Extended Query"). */
export interface PgConnection {
  readonly stream?: { cork?(): void; uncork?(): void; destroy(): void };
  /** Texts by name. `pg` adds what the server has taken. */
  readonly parsedStatements?: Readonly<Record<string, string>>;
  parse?(statement: { readonly text: string; readonly name: string }): void;
  bind?(to: { readonly statement: string; readonly values: readonly PgValue[] }): void;
  execute?(portal: { readonly portal: string; readonly rows: number }): void;
  sync?(): void;
}

/** A text is sent as it is, of whatever type the parameter is; bytes are those of a `bytea`. */
export type PgValue = string | Buffer;
export type PgRows = (string | null)[][];

export interface Statement {
  readonly text: string;
  /** As a prepared statement: no two texts share one. */
  readonly name: string;
}

type SendingConnection = PgConnection & Required<Pick<PgConnection, "parse" | "bind" | "execute" | "sync">>;

/** Whether `pg` and this client of it are such that they can be spoken to so; the native one, and one that pipelines, are not. */
export function canExchange({ pipeline, connection }: ExchangingClient): boolean {
  if (pipeline === true || connection?.parsedStatements === undefined) return false;
  const { parse, bind, execute, sync } = connection;
  return [parse, bind, execute, sync].every((each) => typeof each === "function");
}

export interface ExchangingClient {
  readonly connection?: PgConnection;
  readonly pipeline?: boolean;
}

/** Each method is called by `pg`: the first sends, the others are the server's answers. */
export class Exchange {
  readonly text: string;
  /** Under which `pg` notes the statement as prepared. */
  readonly name: string;
  /** Called once. Where others look for it who watch `pg`, and put their own in its place. */
  callback: (error: unknown, rows: PgRows) => void;
  readonly #values: readonly PgValue[];
  readonly #rows: PgRows = [];

  constructor(
    { text, name }: Statement,
    values: readonly PgValue[],
    callback: (error: unknown, rows: PgRows) => void,
  ) {
    this.text = text;
    this.name = name;
    this.callback = callback;
    this.#values = values;
  }

  submit(connection: SendingConnection): void {
    const { text, name } = this;
    connection.stream?.cork?.();
    try {
      if (connection.parsedStatements![name] === undefined) connection.parse({ text, name });
      connection.bind({ statement: name, values: this.#values });
      connection.execute({ portal: "", rows: 0 });
      connection.sync();
    } finally {
      connection.stream?.uncork?.();
    }
  }

  handleDataRow({ fields }: { readonly fields: (string | null)[] }): void {
    this.#rows.push(fields);
  }

  handleError(error: unknown): void {
    this.callback(error, []);
  }

  handleReadyForQuery(): void {
    this.callback(null, this.#rows);
  }

  handleRowDescription(): void {}
  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
}
