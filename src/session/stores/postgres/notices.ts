/**
 * Notices over LISTEN, on a connection of its own. A round trip on it is a proof: before a process of the server reads a statement it
 * passes on what was committed until then (ProcessClientReadInterrupt; whoever committed has sent his signal before he was answered).
 */
import { randomBytes } from "node:crypto";
import { sqlStores as limits } from "../../../support/limits.ts";
import { within } from "../../../support/within.ts";
import { type NoticeChannel, SessionEngineError } from "../engine.ts";
import type { Lease } from "../sql/connections.ts";
import { type PgClient, type PostgresConnector, send } from "./pool.ts";
import { keyToldTo } from "./statements.ts";

export interface Listening {
  readonly holder: string;
  readonly onChanged: (key: string) => void;
  /** Of this table's notices; small letters, digits and _ alone. */
  readonly channel: string;
}

export class PostgresNotices implements NoticeChannel {
  readonly #lease: Lease<PgClient>;
  readonly #listening: Listening;
  #isBroken = false;
  #proof: Promise<void> | null = null;
  #nextProof: Promise<void> | null = null;
  #onProbe: (payload: string) => void = () => {};

  private constructor(lease: Lease<PgClient>, listening: Listening) {
    this.#lease = lease;
    this.#listening = listening;
    const { connection } = lease;
    connection.on("notification", ({ channel, payload }: { channel: string; payload?: string }) => {
      if (channel === listening.channel) this.#heard(payload ?? "");
    });
    connection.on("end", () => this.close());
  }

  /** @throws SessionEngineError, also where notices do not come through. */
  static async open(
    lease: Lease<PgClient>,
    connector: PostgresConnector,
    listening: Listening,
  ): Promise<PostgresNotices> {
    const notices = new PostgresNotices(lease, listening);
    try {
      if (connector.isPooled(lease.connection)) throw pooled(lease.place);
      await within(notices.#begin(), limits.statementTimeoutMs);
      return notices;
    } catch (error) {
      notices.close();
      if (error instanceof SessionEngineError) throw error;
      throw new SessionEngineError(connector.inWords(error, lease.place), "nothing", error);
    }
  }

  /** One that is asked for while another is under way begins after it, once for all who asked. */
  prove(): Promise<void> {
    if (this.#proof === null) {
      this.#proof = this.#ask().finally(() => {
        this.#proof = null;
      });
      return this.#proof;
    }
    this.#nextProof ??= this.#proof
      .catch(() => {})
      .then(() => {
        this.#nextProof = null;
        return this.prove();
      });
    return this.#nextProof;
  }

  async #ask(): Promise<void> {
    const { connection, place } = this.#lease;
    try {
      if (this.#isBroken) throw new Error("its connection has ended");
      // After a failover others write elsewhere.
      if (!this.#lease.isCurrent) throw new Error("another host is the primary by now");
      await within(send(connection, "SELECT 1"), limits.statementTimeoutMs);
    } catch (error) {
      this.close();
      const said = error instanceof Error ? error.message : String(error);
      throw new SessionEngineError(
        `notices of PostgreSQL at ${place} may be lost: ${said}`,
        "nothing",
        error,
      );
    }
  }

  close(): void {
    this.#isBroken = true;
    this.#lease.drop();
  }

  /** Tells itself something: a pooler that was not noticed otherwise would not bring it back. */
  async #begin(): Promise<void> {
    const { connection, place } = this.#lease;
    const { channel } = this.#listening;
    const probe = randomBytes(12).toString("hex");
    let isHeard = false;
    this.#onProbe = (payload) => {
      isHeard ||= payload === probe;
    };
    await send(connection, `LISTEN "${channel}"`);
    await send(connection, `SELECT pg_notify('${channel}', '${probe}')`);
    // Its own are sent before the answer to the next statement at the latest.
    await send(connection, "SELECT 1");
    this.#onProbe = () => {};
    if (!isHeard) throw pooled(place);
  }

  #heard(payload: string): void {
    if (this.#isBroken) return;
    this.#onProbe(payload);
    const key = keyToldTo(this.#listening.holder, payload);
    if (key !== null) this.#listening.onChanged(key);
  }
}

function pooled(place: string): SessionEngineError {
  return new SessionEngineError(
    `notices (LISTEN) of PostgreSQL do not come through ${place}: a pooler stands there, such as PgBouncer; name the server itself, or write load: always`,
    "nothing",
  );
}
