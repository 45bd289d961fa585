/**
 * A cell as one row of a table. A write is one UPDATE that names the revision it replaces: the row's lock orders those that
 * come together, and PostgreSQL looks at the revision again when it has the lock.
 *
 * A row that somebody holds is waited for a shorter time than an answer: else processes of the server, whose clients are
 * long gone, would pile up behind it, and change it later.
 */
import { randomBytes } from "node:crypto";
import type { PostgresSettings } from "../../config/model.ts";
import { systemClock, type Timer } from "../../support/clock.ts";
import { codeOf, FlotillaError } from "../../support/errors.ts";
import { postgres as limits } from "../../support/limits.ts";
import { type Cell, type CellStore, type SwapOutcome, SwapRefused } from "../cell/cell.ts";
import { unreachable } from "../unreachable.ts";
import { type Answer, AnswerLost, isRefusal, type PostgresConnection } from "./connection.ts";
import { Primary, placesOf, type ServerFacts } from "./primary.ts";
import { channel, type Row, readRow, type Statements, statementsFor } from "./statements.ts";
import { registerAt, troubleInWords } from "./words.ts";

export interface PostgresStoreOptions {
  /** The cluster's name: the row's key. */
  readonly cluster: string;
  readonly settings: PostgresSettings;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /** For messages. */
  readonly where: string;
  /** Something about the server that an operator should know; each once. */
  readonly onRemark: (message: string) => void;
}

export class PostgresStore implements CellStore {
  readonly attemptTimeoutMs: number = limits.statementTimeoutMs;
  readonly #options: PostgresStoreOptions;
  readonly #statements: Statements;
  readonly #primary: Primary;
  readonly #remarks: Set<string> = new Set();
  /** Statements go one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #last: Cell | null = null;
  #onCell: (cell: Cell) => void = () => {};
  #isPooled = false;
  #isLooking = false;
  #isStopped = false;
  #askedAtMs = 0;
  #poll: Timer | null = null;

  constructor(options: PostgresStoreOptions) {
    const { settings, applicationName, cluster } = options;
    this.#options = options;
    this.#statements = statementsFor(settings.table);
    this.#primary = new Primary({
      settings,
      applicationName,
      channel,
      onUp: (server) => this.#up(server),
      onNotification: (payload) => payload === cluster && this.#look(),
    });
  }

  watch(onCell: (cell: Cell) => void): void {
    this.#onCell = onCell;
  }

  stop(): void {
    this.#isStopped = true;
    this.#poll?.cancel();
    this.#primary.stop();
  }

  get(timeoutMs: number): Promise<Cell | null> {
    return this.#inTurn(timeoutMs, async (connection, restMs) => await this.#read(connection, restMs()));
  }

  swap(expected: string | null, bytes: Buffer, timeoutMs: number): Promise<SwapOutcome> {
    return this.#inTurn(timeoutMs, async (connection, restMs) => {
      const { rows, isWarned } = await this.#write(connection, expected, bytes, restMs);
      // Somebody ended its wait for a synchronous standby: it is made here, and may be lost there.
      if (isWarned) throw new AnswerLost("the server warned that the change may not be on its standbys");
      if (rows.length === 0) return { isDone: false, cell: await this.#read(connection, restMs()) };
      const revision = revisionOf(readRow({ ...rows[0]!, bytes: 0, value: null }, this.#options.where)!);
      this.#last = { revision, bytes };
      return { isDone: true, revision };
    });
  }

  async #write(
    connection: PostgresConnection,
    expected: string | null,
    bytes: Buffer,
    restMs: () => number,
  ): Promise<Answer> {
    const { cluster } = this.#options;
    const waitMs = String(Math.max(1, Math.round(restMs() * limits.lockShare)));
    if (expected === null) {
      const values = [cluster, randomBytes(12).toString("base64url"), bytes, waitMs];
      return await this.#withTable(connection, restMs, this.#statements.insert, values);
    }
    const values = [cluster, ...partsOf(expected), bytes, waitMs];
    return await this.#withTable(connection, restMs, this.#statements.update, values);
  }

  async #read(connection: PostgresConnection, timeoutMs: number): Promise<Cell | null> {
    const { cluster, where } = this.#options;
    const last = this.#last;
    const values = [cluster, ...partsOf(last?.revision ?? "")];
    const { rows } = await this.#withTable(connection, () => timeoutMs, this.#statements.read, values);
    if (rows[0]!.standby === true) {
      this.#primary.leave(connection);
      throw new AnswerLost("it is a standby now");
    }
    this.#askedAtMs = systemClock.now();
    const row = readRow(rows[0]!, where);
    if (row === null) return null;
    if (row.value !== null) this.#last = { revision: revisionOf(row), bytes: row.value };
    return this.#last;
  }

  /** Makes the table where there is none. */
  async #withTable(
    connection: PostgresConnection,
    restMs: () => number,
    statement: string,
    values: readonly unknown[],
  ): Promise<Answer> {
    try {
      return await connection.query(statement, values, restMs());
    } catch (error) {
      if (codeOf(error) !== undefinedTable) throw error;
    }
    // Several servers may do so at once: all but one are told, in one of several ways, that it is there.
    let refusal: unknown = null;
    try {
      await connection.query(this.#statements.create, [], restMs());
    } catch (error) {
      if (!isRefusal(error)) throw error;
      refusal = error;
    }
    try {
      return await connection.query(statement, values, restMs());
    } catch (error) {
      throw codeOf(error) === undefinedTable && refusal !== null ? refusal : error;
    }
  }

  /** @throws FlotillaError */
  #inTurn<R>(
    timeoutMs: number,
    run: (connection: PostgresConnection, restMs: () => number) => Promise<R>,
  ): Promise<R> {
    const untilMs = systemClock.now() + timeoutMs;
    const restMs = (): number => Math.max(1, untilMs - systemClock.now());
    const done = this.#turn.then(async () => {
      try {
        return await run(await this.#primary.get(restMs()), restMs);
      } catch (error) {
        throw this.#inWords(error);
      }
    });
    this.#turn = done.catch(() => {});
    return done;
  }

  #inWords(error: unknown): FlotillaError {
    if (error instanceof FlotillaError) return error;
    const { settings } = this.#options;
    const place = this.#primary.place ?? placesOf(settings.address);
    const words = troubleInWords(error, registerAt(settings, place));
    if (error instanceof AnswerLost) return unreachable(words, error);
    if (!isRefusal(error)) throw error;
    return new SwapRefused(words, passing.includes(codeOf(error)) ? "yes" : "no", error);
  }

  #up({ place, isPooled, weakness }: ServerFacts): void {
    this.#isPooled = isPooled;
    if (weakness !== null)
      this.#remark(`PostgreSQL at ${place} keeps the register of sessions, and ${weakness}`);
    // What was told while there was no connection is told to nobody again.
    this.#look();
    this.#pollLater();
  }

  #remark(message: string): void {
    if (this.#remarks.has(message)) return;
    this.#remarks.add(message);
    this.#options.onRemark(message);
  }

  /** Troubles are told by reads that somebody waits for. */
  #look(): void {
    if (this.#isLooking || this.#isStopped) return;
    this.#isLooking = true;
    this.get(limits.lookTimeoutMs)
      .then((cell) => {
        if (cell !== null && !this.#isStopped) this.#onCell(cell);
      })
      .catch((error: unknown) => {
        if (!(error instanceof FlotillaError)) throw error;
      })
      .finally(() => {
        this.#isLooking = false;
      });
  }

  /** A notification may be lost with its connection, and behind a pooler there are none. */
  #pollLater(): void {
    this.#poll?.cancel();
    if (this.#isStopped) return;
    const intervalMs = this.#isPooled ? limits.pooledPollMs : limits.pollMs;
    this.#poll = systemClock.after(intervalMs, () => {
      if (systemClock.now() - this.#askedAtMs >= intervalMs / 2) this.#look();
      this.#pollLater();
    });
  }
}

const undefinedTable = "42P01";
/** Transactions that met, or a row that somebody held: another try may find it free. */
const passing = ["40001", "40P01", "55P03"];

function revisionOf({ made, revision }: Row): string {
  return `${made} ${revision}`;
}

function partsOf(revision: string): [made: string, revision: string] {
  const space = revision.lastIndexOf(" ");
  return space < 0 ? ["", "0"] : [revision.slice(0, space), revision.slice(space + 1)];
}
