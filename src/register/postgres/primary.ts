/**
 * The one connection of this process to the primary: made with the first host of the file that is one, made again when it is
 * lost. Whoever needs it waits for it. A standby is refused: what it shows may be old.
 */
import { hostInWords } from "../../config/engine-url.ts";
import type { DatabaseHost, PostgresAddress, PostgresSettings } from "../../config/model.ts";
import { systemClock } from "../../support/clock.ts";
import type { FlotillaError } from "../../support/errors.ts";
import { postgres as limits } from "../../support/limits.ts";
import { unreachable } from "../unreachable.ts";
import { PostgresConnection } from "./connection.ts";
import { registerAt, troubleInWords } from "./words.ts";

export interface PrimaryOptions {
  readonly settings: PostgresSettings;
  readonly applicationName: string;
  /** Of notifications. */
  readonly channel: string;
  /** A new connection, ready for statements. */
  readonly onUp: (server: ServerFacts) => void;
  readonly onNotification: (payload: string) => void;
}

export interface ServerFacts {
  /** "10.0.0.5:5432". */
  readonly place: string;
  /** Somebody in between gives statements to processes of the server as he likes: nothing can be listened to. */
  readonly isPooled: boolean;
  /** What an acknowledged change may not survive here, for the log; null: nothing of that kind is known. */
  readonly weakness: string | null;
}

interface Waiter {
  readonly resolve: (connection: PostgresConnection) => void;
  readonly reject: (error: FlotillaError) => void;
  readonly timer: NodeJS.Timeout;
}

export class Primary {
  readonly #options: PrimaryOptions;
  readonly #waiters: Set<Waiter> = new Set();
  #connection: PostgresConnection | null = null;
  /** Index of the host to begin with. */
  #first = 0;
  #trouble = "";
  #isStarted = false;
  #isStopped = false;
  #endPause: () => void = () => {};

  constructor(options: PrimaryOptions) {
    this.#options = options;
  }

  /** Of the connection that there is: "10.0.0.5:5432". */
  get place(): string | null {
    return this.#connection === null ? null : placeOf(this.#options.settings.address.hosts[this.#first]!);
  }

  /** Keeps a connection from now on. */
  #start(): void {
    this.#isStarted = true;
    this.#keep().catch((error: unknown) => {
      // A mistake of ours: nobody else would hear of it.
      queueMicrotask(() => {
        throw error;
      });
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#connection?.close();
    for (const { timer } of this.#waiters) clearTimeout(timer);
    this.#waiters.clear();
    this.#endPause();
  }

  /** The connection, now or as soon as there is one; the first call begins to keep one. @throws FLOTILLA_REGISTER_UNREACHABLE after `timeoutMs` */
  get(timeoutMs: number): Promise<PostgresConnection> {
    if (this.#connection?.isOpen) return Promise.resolve(this.#connection);
    if (!this.#isStarted) this.#start();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        const places = placesOf(this.#options.settings.address);
        reject(
          unreachable(
            this.#trouble || `PostgreSQL at ${places} does not answer: start it, or mend the network between`,
          ),
        );
      }, timeoutMs);
      const waiter: Waiter = { resolve, reject, timer };
      this.#waiters.add(waiter);
    });
  }

  /** It is no primary any more: the next host is asked. */
  leave(connection: PostgresConnection): void {
    this.#first = (this.#first + 1) % this.#options.settings.address.hosts.length;
    connection.close();
  }

  async #keep(): Promise<void> {
    let failures = 0;
    while (!this.#isStopped) {
      const startedAt = systemClock.now();
      if (await this.#connectOnce()) await this.#connection?.ended;
      this.#connection = null;
      // A connection that is lost as soon as it is made counts as none.
      failures = systemClock.now() - startedAt > limits.stableAfterMs ? 0 : failures + 1;
      if (!this.#isStopped && failures > 0) await this.#pause(failures);
    }
  }

  /** Every host once, beginning with the last that was the primary. */
  async #connectOnce(): Promise<boolean> {
    const { hosts } = this.#options.settings.address;
    const troubles: string[] = [];
    for (let tried = 0; tried < hosts.length && !this.#isStopped; tried++) {
      const index = (this.#first + tried) % hosts.length;
      try {
        await this.#connectTo(hosts[index]!);
        this.#first = index;
        return true;
      } catch (error) {
        troubles.push(troubleInWords(error, registerAt(this.#options.settings, placeOf(hosts[index]!))));
      }
    }
    this.#trouble = troubles.join("; ");
    return false;
  }

  async #connectTo(host: DatabaseHost): Promise<void> {
    const { settings, applicationName, channel, onNotification, onUp } = this.#options;
    const connection = await PostgresConnection.open({ settings, host, applicationName, onNotification });
    let server: ServerFacts;
    try {
      server = await askFacts(connection, placeOf(host));
      if (!server.isPooled) await connection.query(`LISTEN ${channel}`, [], limits.connectTimeoutMs);
    } catch (error) {
      connection.close();
      throw error;
    }
    if (this.#isStopped) {
      connection.close();
      return;
    }
    this.#connection = connection;
    this.#trouble = "";
    for (const { resolve, timer } of this.#waiters) {
      clearTimeout(timer);
      resolve(connection);
    }
    this.#waiters.clear();
    onUp(server);
  }

  #pause(failures: number): Promise<void> {
    const mostMs = Math.min(limits.reconnectMaxMs, limits.reconnectMinMs * 2 ** Math.min(failures, 10));
    return new Promise((resolve) => {
      const timer = systemClock.after(mostMs * (0.5 + Math.random() / 2), resolve);
      this.#endPause = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}

const facts = `SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS standby,
  pg_backend_pid() AS process, current_setting('synchronous_standby_names') AS synchronous,
  current_setting('fsync') AS fsync, (SELECT count(*)::int FROM pg_stat_replication) AS receivers`;

/** @throws FlotillaError where the register can't be kept. */
async function askFacts(connection: PostgresConnection, place: string): Promise<ServerFacts> {
  const { version, standby, process, synchronous, fsync, receivers } = (
    await connection.query(facts, [], limits.connectTimeoutMs)
  ).rows[0]!;
  if (version < limits.serverVersionMin)
    throw unreachable(`PostgreSQL at ${place} is older than version 12, which the register needs`);
  if (standby) throw standbyError(place);
  return {
    place,
    isPooled: process !== connection.processId,
    weakness: weaknessOf(fsync, receivers > 0 && synchronous === ""),
  };
}

function standbyError(place: string): FlotillaError {
  return unreachable(
    `PostgreSQL at ${place} is a standby, and only a primary can keep the register; name the primary, or all hosts with commas between them`,
  );
}

function weaknessOf(fsync: unknown, isAsynchronous: boolean): string | null {
  if (fsync === "off") return "its fsync is off: a power cut can lose or damage the register";
  if (!isAsynchronous) return null;
  return (
    "it has standbys and synchronous_standby_names is empty: a standby that is promoted may lack the last changes of the " +
    "register, and sessions may be lost with them"
  );
}

export function placeOf({ host, port }: DatabaseHost): string {
  return host.startsWith("/") ? `${host}/.s.PGSQL.${port}` : hostInWords({ host, port });
}

export function placesOf({ hosts }: PostgresAddress): string {
  return hosts.map(placeOf).join(", ");
}
