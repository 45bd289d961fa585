/**
 * A pool of a driver, used so that nothing is waited for without end, and so that what became of a statement is known:
 *
 * - A connection whose answer did not come is destroyed. Those that nobody has heard of since are dropped before they are used, all of
 *   them: after a restart of the database, or a network that was cut, the next statement finds a connection that works.
 * - Of several hosts it keeps to the one that takes writes, and looks for it again when there is no connection left.
 *
 * Nothing is retried: a statement is sent once.
 */
import { systemClock } from "../../../support/clock.ts";
import { FlotillaError } from "../../../support/errors.ts";
import { sqlStores as limits } from "../../../support/limits.ts";
import { WheelEntry } from "../../../support/timer-wheel.ts";
import { deadlines, Late, within } from "../../../support/within.ts";
import { SessionEngineError } from "../engine.ts";

/** What pools of `pg` and `mysql2` have in common. */
export interface DriverPool<C extends object> {
  /** A connection that nobody else uses. May take as long as it likes. */
  take(): Promise<C>;
  give(connection: C): void;
  /** Ends it at once, whatever is under way on it. */
  drop(connection: C): void;
  /** Connections that there are, or are being made. */
  readonly size: number;
  /** All that there may be are in use. */
  readonly isBusy: boolean;
  /** Ends it with all of its connections that are not in use; those are ended by `give`. */
  end(): Promise<void>;
}

export interface Connector<C extends object> {
  /** What a person calls it: "PostgreSQL". */
  readonly product: string;
  /** "10.0.0.5:5432": its hosts, in the order in which they are asked. Of a user's pool there is one. */
  readonly places: readonly string[];
  /** Of one of the places. */
  open(index: number): Promise<DriverPool<C>>;
  /** Looks at a connection before its first use. @throws NotPrimary, or what the database said. */
  greet(connection: C, place: string): Promise<void>;
  /** The database surely has not executed the statement. */
  isRefusal(error: unknown): boolean;
  /** It takes no writes any more, and none of its connections is of use: new ones may lead to another server. */
  isMoved(error: unknown): boolean;
  /** One line, without a period at its end. */
  inWords(error: unknown, place: string): string;
}

/** It takes no writes: another host may. The message says so to a person, without a period. */
export class NotPrimary extends Error {}

/** Of what failed it is certain that nothing was written, as with a transaction whose end was not asked for. */
export class Undone extends Error {
  constructor(cause: unknown) {
    super("undone", { cause });
  }
}

/** A connection that is kept: for notices. */
export interface Lease<C extends object> {
  readonly connection: C;
  /** "10.0.0.5:5432". */
  readonly place: string;
  /** Statements of others go there, too. */
  readonly isCurrent: boolean;
  drop(): void;
}

interface Taken<C extends object> {
  readonly pool: DriverPool<C>;
  readonly connection: C;
  readonly place: string;
}

export class Connections<C extends object> {
  readonly #connector: Connector<C>;
  /** When its last answer came. One that is not known has not been looked at. */
  readonly #heardAtMs: WeakMap<C, number> = new WeakMap();
  /** What ends each connection that is kept, and of which pool it is. */
  readonly #leases: Map<() => void, DriverPool<C>> = new Map();
  #pool: DriverPool<C> | null = null;
  #opening: Promise<DriverPool<C>> | null = null;
  #index = 0;
  /** When a connection was last found to be lost. */
  #lostAtMs = Number.NEGATIVE_INFINITY;
  /** Each ends the waiting of an operation for a connection. */
  readonly #waiters: Set<(error: Error) => void> = new Set();
  #isEnded = false;

  constructor(connector: Connector<C>) {
    this.#connector = connector;
  }

  /** Of the host that is asked now. */
  get place(): string {
    return this.#connector.places[this.#index]!;
  }

  /** Nothing is written, whatever becomes of it. @throws SessionEngineError */
  read<R>(ask: (connection: C) => Promise<R>): Promise<R> {
    return this.#use(ask, "nothing");
  }

  /** @throws SessionEngineError whose outcome is `unknown` when the answer did not come. */
  write<R>(ask: (connection: C) => Promise<R>): Promise<R> {
    return this.#use(ask, "unknown");
  }

  /** A connection that is not given back. @throws SessionEngineError */
  async lease(): Promise<Lease<C>> {
    const { pool, connection, place } = await this.#take();
    const drop = (): void => {
      if (this.#leases.delete(drop)) pool.drop(connection);
    };
    this.#leases.set(drop, pool);
    const isCurrent = (): boolean => this.#pool === pool;
    return {
      ...{ connection, place, drop },
      get isCurrent() {
        return isCurrent();
      },
    };
  }

  async end(): Promise<void> {
    this.#isEnded = true;
    for (const refuse of this.#waiters) refuse(closed());
    for (const drop of this.#leases.keys()) drop();
    const pool = await this.#opening?.catch(() => null);
    this.#opening = null;
    const ending = (this.#pool ?? pool)?.end();
    this.#pool = null;
    if (ending !== undefined) await within(ending, limits.endTimeoutMs).catch(() => {});
  }

  async #use<R>(ask: (connection: C) => Promise<R>, outcome: "nothing" | "unknown"): Promise<R> {
    const { pool, connection, place } = await this.#take();
    try {
      const answer = await within(ask(connection), limits.statementTimeoutMs);
      this.#heardAtMs.set(connection, systemClock.now());
      pool.give(connection);
      return answer;
    } catch (thrown) {
      const error = thrown instanceof Undone ? thrown.cause : thrown;
      const isRefusal = this.#connector.isRefusal(error);
      if (isRefusal && !this.#connector.isMoved(error) && !(thrown instanceof Undone)) {
        this.#heardAtMs.set(connection, systemClock.now());
        pool.give(connection);
      } else {
        this.#lose(pool, connection);
      }
      const became = isRefusal || thrown instanceof Undone ? "nothing" : outcome;
      throw new SessionEngineError(this.#connector.inWords(error, place), became, error);
    }
  }

  /** @throws SessionEngineError: nothing was asked. */
  async #take(): Promise<Taken<C>> {
    const untilMs = systemClock.now() + limits.connectTimeoutMs;
    const troubles: string[] = [];
    for (let dropped = 0; ; ) {
      if (this.#waiters.size >= limits.waitingMax) throw this.#busy();
      const { place } = this;
      const pool = this.#pool ?? (await this.#current());
      if (this.#isEnded) throw closed();
      try {
        const connection = await this.#wait(pool, untilMs);
        if (this.#isKnown(connection) || (await this.#isGood(pool, connection, untilMs)))
          return { pool, connection, place };
        if (++dropped > limits.droppedAtOnceMax) throw new Late("its connections were lost");
      } catch (error) {
        if (error instanceof FlotillaError) throw error;
        const isElsewhere = error instanceof NotPrimary || this.#isWithout(pool);
        if (isElsewhere) this.#leave(pool, error);
        troubles.push(this.#connector.inWords(error, place));
        if (!isElsewhere || troubles.length === this.#connector.places.length || systemClock.now() >= untilMs)
          throw new SessionEngineError(troubles.join("; "), "nothing", error);
      }
    }
  }

  /** A connection of the pool, however long that takes the pool. */
  async #wait(pool: DriverPool<C>, untilMs: number): Promise<C> {
    const isBusy = pool.isBusy;
    return await new Promise<C>((resolve, reject) => {
      let hasEnded = false;
      const end = (error: Error): void => {
        hasEnded = true;
        deadlines.stop(deadline);
        this.#waiters.delete(end);
        reject(error);
      };
      const deadline = new WheelEntry(() => end(isBusy ? this.#busy() : Late.after(limits.connectTimeoutMs)));
      deadlines.start(deadline, Math.max(0, untilMs - systemClock.now()));
      this.#waiters.add(end);
      pool.take().then(
        (connection) => {
          if (hasEnded) {
            pool.give(connection);
            return;
          }
          deadlines.stop(deadline);
          this.#waiters.delete(end);
          resolve(connection);
        },
        (error: Error) => {
          if (!hasEnded) end(error);
        },
      );
    });
  }

  #busy(): SessionEngineError {
    return new SessionEngineError(
      `all connections to ${this.#connector.product} at ${this.place} are busy with other statements: let there be more of them, or see what holds the statements up`,
      "nothing",
    );
  }

  /** It answered since a connection was last found to be lost. */
  #isKnown(connection: C): boolean {
    const heardAtMs = this.#heardAtMs.get(connection);
    return heardAtMs !== undefined && heardAtMs > this.#lostAtMs;
  }

  /** Of one that is not known. False: it may be dead, and was dropped. */
  async #isGood(pool: DriverPool<C>, connection: C, untilMs: number): Promise<boolean> {
    if (this.#heardAtMs.has(connection)) {
      pool.drop(connection);
      return false;
    }
    try {
      await within(this.#connector.greet(connection, this.place), untilMs - systemClock.now());
    } catch (error) {
      this.#lose(pool, connection);
      throw error;
    }
    this.#heardAtMs.set(connection, systemClock.now());
    return true;
  }

  async #current(): Promise<DriverPool<C>> {
    if (this.#isEnded) throw closed();
    if (this.#pool !== null) return this.#pool;
    this.#opening ??= this.#connector.open(this.#index).then((pool) => {
      if (!this.#isEnded) this.#pool = pool;
      return pool;
    });
    try {
      return await this.#opening;
    } catch (error) {
      if (error instanceof FlotillaError) throw error;
      throw new SessionEngineError(this.#connector.inWords(error, this.place), "nothing", error);
    } finally {
      this.#opening = null;
    }
  }

  /** No operation has a connection of it: those that are kept are of no use to them. */
  #isWithout(pool: DriverPool<C>): boolean {
    let { size } = pool;
    for (const leased of this.#leases.values()) if (leased === pool) size--;
    return size <= 0;
  }

  #lose(pool: DriverPool<C>, connection: C): void {
    this.#lostAtMs = systemClock.now();
    pool.drop(connection);
  }

  /** The next host is asked from now on. */
  #leave(pool: DriverPool<C>, error: unknown): void {
    if (this.#pool !== pool) return;
    this.#pool = null;
    for (const refuse of this.#waiters) refuse(error as Error);
    this.#index = (this.#index + 1) % this.#connector.places.length;
    pool.end().catch(() => {});
  }
}

function closed(): SessionEngineError {
  return new SessionEngineError("the session store was closed", "nothing");
}
