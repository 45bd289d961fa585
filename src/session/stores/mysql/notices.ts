/**
 * Notices in a table: MySQL calls nobody, so each holder reads his own, a few times a second. Whoever writes or removes another
 * holder's row puts one there in the same transaction. What was read is removed; so it does not matter in which order the numbers of
 * rows are committed, and nothing that was read once is read again.
 *
 * A listener has a row of his own. When another process begins to listen under the same name, or the notices of a holder who was away
 * for long were removed, it is not there any more, or not the last one: then notices may have been missed, and `prove` says so.
 */
import { systemClock } from "../../../support/clock.ts";
import { sqlStores as limits } from "../../../support/limits.ts";
import { type NoticeChannel, SessionEngineError } from "../engine.ts";
import type { Connections } from "../sql/connections.ts";
import type { MysqlConnection, MysqlConnector } from "./pool.ts";
import type { Statements } from "./statements.ts";

export interface Listening {
  readonly connections: Connections<MysqlConnection>;
  readonly connector: MysqlConnector;
  readonly statements: Statements;
  readonly holder: string;
  readonly onChanged: (key: string) => void;
}

export class MysqlNotices implements NoticeChannel {
  readonly #listening: Listening;
  /** Of the row that says that this one listens. */
  readonly #number: number;
  #isClosed = false;
  #seenAtMs: number = systemClock.now();

  private constructor(listening: Listening, number: number) {
    this.#listening = listening;
    this.#number = number;
  }

  /** @throws SessionEngineError */
  static async open(listening: Listening): Promise<MysqlNotices> {
    const { connections, connector, statements, holder } = listening;
    return await connections.write(async (connection) => {
      const { insertId } = await connector.write(connection, statements.listen, { holder });
      // What was told before concerns no copy of ours: there is none yet.
      await connector.write(connection, statements.forgetBefore, { holder, before: insertId });
      return new MysqlNotices(listening, insertId);
    });
  }

  async prove(): Promise<void> {
    const { connections, onChanged } = this.#listening;
    const keys = await connections.write((connection) => this.#takeAll(connection));
    if (this.#isClosed) throw this.#missed("the channel was closed");
    for (const key of keys) onChanged(key);
  }

  close(): void {
    this.#isClosed = true;
  }

  async #takeAll(connection: MysqlConnection): Promise<string[]> {
    const { connector, statements, holder } = this.#listening;
    const statement = statements.notices(limits.noticesAtOnceMax);
    const rows = (await connector.ask(connection, statement, { holder })).map(([number, key]) => ({
      ...{ number: Number(number), key: String(key) },
    }));
    const listeners = rows.filter(({ key }) => key === "");
    if (!listeners.some(({ number }) => number === this.#number))
      throw this.#missed("another process listens under this name, or this one was away for too long");
    if (listeners.at(-1)!.number !== this.#number)
      throw this.#missed("another process listens under this name");
    if (rows.length === limits.noticesAtOnceMax) throw this.#missed("there are too many");
    const told = rows.filter(({ key }) => key !== "");
    if (told.length > 0)
      await connector.send(connection, statements.forget(told.map(({ number }) => number)));
    if (systemClock.now() - this.#seenAtMs > limits.listenerSeenMs) {
      await connector.write(connection, statements.alive, { number: this.#number });
      this.#seenAtMs = systemClock.now();
    }
    return told.map(({ key }) => key);
  }

  #missed(why: string): SessionEngineError {
    const { connections, connector, holder } = this.#listening;
    return new SessionEngineError(
      `notices for ${JSON.stringify(holder)} of ${connector.product} at ${connections.place} may be lost: ${why}`,
      "nothing",
    );
  }
}

/** What nobody will read: of holders who are gone. A holder who was only away for long finds that out with his next proof. */
export async function forgetLateHolders(
  connection: MysqlConnection,
  connector: MysqlConnector,
  statements: Statements,
): Promise<void> {
  const ages = { since: limits.noticesKeptMs, gone: limits.listenersKeptMs };
  for (const [holder] of await connector.ask(connection, statements.lateHolders, ages))
    await connector.write(connection, statements.forgetHolder, { holder: String(holder) });
}
