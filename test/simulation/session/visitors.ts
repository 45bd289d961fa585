/**
 * Simulated visitors: a request is a load, some thinking and a commit. They count, write several keys at once, log out,
 * come back with the cookie of long ago, keep WebSockets open. What they were told, or not told, goes to the oracle.
 */
import type { ClusterStore } from "../../../src/session/cluster/cluster-store.ts";
import { Entry, noEntries, type SessionEntries } from "../../../src/session/entry.ts";
import { endless } from "../../../src/session/snapshot.ts";
import { decode } from "../../../src/session/value.ts";
import type { FlotillaError } from "../../../src/support/errors.ts";
import { KnownSession, type Oracle } from "./oracle.ts";
import type { End, WebTier } from "./web.ts";
import type { Process, World } from "./world.ts";

export interface Site {
  readonly process: Process;
  readonly store: ClusterStore;
}

const thinkMsMax = 60;
const earlierMax = 4;

export class Visitor {
  readonly name: string;
  readonly #world: World;
  readonly #oracle: Oracle;
  readonly #web: WebTier;
  #session: KnownSession | null = null;
  /** Sessions that ended, or that were left for another one. */
  readonly #earlier: KnownSession[] = [];
  /** The server that keeps its WebSocket, until that ends. */
  #socketAt: Process | null = null;
  #sessions = 0;
  #isDone = false;
  /** What it did last, and whether that failed. */
  #dice = 0;
  #wasRefused = false;
  requests = 0;
  refused = 0;

  constructor(name: string, world: World, oracle: Oracle, web: WebTier) {
    this.name = name;
    this.#world = world;
    this.#oracle = oracle;
    this.#web = web;
  }

  start(): void {
    this.#soon(() => this.#next());
  }

  /** Makes a session and leaves it alone; `lookAgain` has to find it as it was. */
  dwell(): void {
    this.#soon(() =>
      this.#create(() => {
        if (this.#session === null && !this.#isDone) this.dwell();
      }),
    );
  }

  /** No more requests; those under way end. */
  stop(): void {
    this.#isDone = true;
  }

  /** Looks once more at the session, which must be all that was promised. */
  lookAgain(site: Site, done: (failure: string | null) => void): void {
    const session = this.#session;
    if (session === null) {
      done(null);
      return;
    }
    const startedAt = this.#world.now;
    site.store.load(session.id, (error, entries) => {
      if (error !== null) return done(`${this.name}: ${error.code}`);
      this.#oracle.see(session, entries, startedAt, site.process.name);
      this.#checkCount(session, entries, site.process.name);
      if (entries !== null && !session.isForgiven)
        this.#checkUpdates(session, entries, session.updatesAcknowledged, site.process.name);
      done(null);
    });
  }

  #soon(run: () => void): void {
    const { random } = this.#world;
    // Now and then somebody is away for longer than the idle timeout of short sessions.
    const isImpatient = this.#wasRefused && random() < 0.7;
    const delayMs = isImpatient ? 5 : random() < 0.01 ? 6_000 : random() ** 2 * 250;
    this.#world.after(delayMs, null, run);
  }

  #next(): void {
    if (this.#isDone) return;
    const again = (): void => this.#soon(() => this.#next());
    if (this.#session?.isForgiven) this.#session = null;
    if (this.#session === null) return this.#create(again);
    if (this.#world.chance(0.02)) return this.#comeBack(again);
    if (this.#world.chance(0.01) && this.#socketAt?.isAlive !== true) this.#socket();
    // Whoever was refused does the same again.
    if (!this.#wasRefused || this.#world.chance(0.3)) this.#dice = this.#world.random();
    this.#wasRefused = false;
    const dice = this.#dice;
    if (dice < 0.3) this.#count(again);
    else if (dice < 0.35) this.#updateTogether(again);
    else if (dice < 0.55) this.#together(again, ["a", "b"]);
    else if (dice < 0.65) this.#together(again, ["c", "c"]);
    else if (dice < 0.92) this.#read(again);
    else if (dice < 0.96) this.#logout(again, false);
    else this.#logout(again, true);
  }

  #create(over: () => void): void {
    const name = `${this.name}.${++this.#sessions}`;
    this.#request(null, false, over, (site, end) => {
      const id = site.store.newId();
      const idleTimeoutMs = this.name.startsWith("v") && this.#world.chance(0.2) ? 4_000 : 1_800_000;
      const isLimited = this.name.startsWith("v") && this.#world.chance(0.1);
      const life = isLimited ? { ageMs: 0, absoluteTimeoutMs: 6_000 } : endless;
      const session = new KnownSession(name, id, idleTimeoutMs, life.absoluteTimeoutMs, this.#world.now);
      this.#oracle.meet(session);
      const write = this.#world.nextNumber();
      this.#oracle.beginWrite(session, "n", write, site.process.name);
      const changes = new Map([
        ["who", Entry.of("who", name)],
        ["n", Entry.of("n", [write, 0])],
      ]);
      site.store.create(id, changes, idleTimeoutMs, life, (error) => {
        end(error, () => {
          this.#oracle.acknowledgeWrite(session, "n", write);
          this.#session = session;
          this.#earlier.push(session);
          if (this.#earlier.length > earlierMax) this.#earlier.shift();
        });
      });
    });
  }

  /** One request at a time on this key: none of its increments may be lost. */
  #count(over: () => void): void {
    const session = this.#session!;
    this.#visit(session, false, over, (site, entries, end) => {
      const [, count] = decode(entries.get("n")!.text) as [number, number];
      this.#checkCount(session, entries, site.process.name);
      session.countStarted++;
      this.#write(session, site, "n", end, count + 1);
    });
  }

  #checkCount(session: KnownSession, entries: SessionEntries | null, at: string): void {
    if (entries === null || session.isForgiven) return;
    const [, count] = decode(entries.get("n")!.text) as [number, number];
    if (count < session.countAcknowledged || count > session.countStarted) {
      this.#oracle.fail(
        "I6",
        `${session.name} counts ${count} at ${at}: ${session.countAcknowledged} acknowledged of ${session.countStarted}`,
      );
    }
  }

  /** Requests on any servers at the same time, each of which increments the same key: none may be lost. */
  #updateTogether(over: () => void): void {
    const session = this.#session!;
    let open = 3;
    const isOver = (): void => {
      if (--open === 0) over();
    };
    for (let i = open; i > 0; i--) {
      this.#visit(session, false, isOver, (site, _entries, end) => {
        const write = this.#world.nextNumber();
        session.updatesStarted++;
        this.#oracle.beginWrite(session, "u", write, site.process.name);
        this.#increment(session, site, write, 20, end);
      });
    }
  }

  /** What `req.session.update` does: load, call the function, compare and set, and again when it lost. */
  #increment(session: KnownSession, site: Site, write: number, tries: number, end: End): void {
    const startedAt = this.#world.now;
    const acknowledged = session.updatesAcknowledged;
    site.store.load(session.id, (error, entries) => {
      if (error !== null) return end(error, () => {});
      this.#oracle.see(session, entries, startedAt, site.process.name);
      if (entries === null) return end(null, () => {});
      const before = entries.get("u");
      const count = this.#checkUpdates(session, entries, acknowledged, site.process.name);
      const next = Entry.of("u", [write, count + 1]);
      this.#world.after(this.#world.random() ** 4 * 20, site.process, () => {
        const beganAt = this.#world.now;
        site.store.compareAndSet(
          session.id,
          new Map([["u", next]]),
          new Map([["u", before?.text ?? null]]),
          session.idleTimeoutMs,
          (error) => {
            if (error?.code === "FLOTILLA_SESSION_CONTENDED" && tries > 0)
              this.#increment(session, site, write, tries - 1, end);
            else if (error?.code === "FLOTILLA_SESSION_GONE")
              end(null, () => this.#oracle.see(session, null, beganAt, site.process.name));
            else {
              if (error !== null) this.#oracle.failWrite(session, "u", write);
              end(error, () => {
                session.updatesAcknowledged++;
                this.#oracle.acknowledgeWrite(session, "u", write);
              });
            }
          },
        );
      });
    });
  }

  /** @param acknowledged before the load began. @returns the count. */
  #checkUpdates(session: KnownSession, entries: SessionEntries, acknowledged: number, at: string): number {
    const [, count] = decode(entries.get("u")?.text ?? "[0,0]") as [number, number];
    if (!session.isForgiven && (count < acknowledged || count > session.updatesStarted)) {
      this.#oracle.fail(
        "I6",
        `${session.name} updated to ${count} at ${at}: ${acknowledged} acknowledged of ${session.updatesStarted}`,
      );
    }
    return count;
  }

  /** Two requests at the same time, each of which writes its key. */
  #together(over: () => void, keys: readonly string[]): void {
    const session = this.#session!;
    let open = keys.length;
    for (const key of keys) {
      this.#visit(
        session,
        true,
        () => {
          if (--open === 0) over();
        },
        (site, _entries, end) => this.#write(session, site, key, end),
      );
    }
  }

  #read(over: () => void): void {
    const session = this.#session!;
    this.#visit(session, true, over, (site, _entries, end) => {
      if (this.#world.chance(0.1)) return this.#use(session, site, end);
      site.store.touch(session.id, session.idleTimeoutMs, false);
      end(null, () => {});
    });
  }

  /** With `save: always`: a change of nothing. */
  #use(session: KnownSession, site: Site, end: End): void {
    const startedAt = this.#world.now;
    site.store.update(session.id, noEntries, session.idleTimeoutMs, (error) => {
      if (error?.code !== "FLOTILLA_SESSION_GONE") return end(error, () => {});
      end(null, () => this.#oracle.see(session, null, startedAt, site.process.name));
    });
  }

  /** A logout, perhaps while a slow request is about to save. */
  #logout(over: () => void, isRaced: boolean): void {
    const session = this.#session!;
    const { id } = session;
    let open = isRaced ? 2 : 1;
    let isEnded = false;
    const isOver = (): void => {
      if (--open > 0) return;
      if (isEnded) {
        const startedAt = this.#world.now;
        this.#request(session, true, over, (site, end) => {
          site.store.load(id, (error, entries) => {
            if (error === null) this.#oracle.see(session, entries, startedAt, site.process.name);
            end(error, () => {});
          });
        });
        this.#session = null;
      } else over();
    };
    this.#visit(session, false, isOver, (site, _entries, end) => {
      session.endingSince = Math.min(session.endingSince, this.#world.now);
      site.store.destroy(id, (error) => {
        end(error, () => {
          isEnded = true;
          this.#oracle.acknowledgeDestroy(session);
        });
      });
    });
    if (!isRaced) return;
    this.#visit(session, false, isOver, (site, _entries, end) => {
      this.#world.after(this.#world.between(0, 400), site.process, () =>
        this.#write(session, site, "a", end),
      );
    });
  }

  /** Writes a value of its own to the key, and ends with what became of it. */
  #write(session: KnownSession, site: Site, key: string, end: End, count: number | null = null): void {
    const write = this.#world.nextNumber();
    const startedAt = this.#world.now;
    this.#oracle.beginWrite(session, key, write, site.process.name);
    const entry = Entry.of(key, count === null ? write : [write, count]);
    site.store.update(session.id, new Map([[key, entry]]), session.idleTimeoutMs, (error) => {
      if (error?.code === "FLOTILLA_SESSION_GONE") {
        end(null, () => this.#oracle.see(session, null, startedAt, site.process.name));
        return;
      }
      if (error !== null) this.#oracle.failWrite(session, key, write);
      end(error, () => {
        if (count !== null) session.countAcknowledged++;
        this.#oracle.acknowledgeWrite(session, key, write);
      });
    });
  }

  /** A request that begins with a load, thinks, and then does `act`. */
  #visit(
    session: KnownSession,
    isSafe: boolean,
    over: () => void,
    act: (site: Site, entries: SessionEntries, end: End) => void,
  ): void {
    const { id } = session;
    this.#request(session, isSafe, over, (site, end) => {
      const startedAt = this.#world.now;
      site.store.load(id, (error, entries) => {
        if (error !== null) return end(error, () => {});
        this.#oracle.see(session, entries, startedAt, site.process.name);
        if (entries === null) {
          end(null, () => {
            if (this.#session === session) this.#session = null;
          });
          return;
        }
        const thinkMs = this.#world.chance(0.05) ? 600 : this.#world.random() ** 3 * thinkMsMax;
        this.#world.after(thinkMs, site.process, () => {
          if (session !== this.#session) end(null, () => {});
          else act(site, entries, end);
        });
      });
    });
  }

  /** A cookie of long ago, of a session that may have ended: nobody is served as somebody else, and nothing revives. */
  #comeBack(over: () => void): void {
    const session = this.#world.pick(this.#earlier);
    if (session.isForgiven) return over();
    this.#request(session, true, over, (site, end) => {
      const startedAt = this.#world.now;
      const see = (error: FlotillaError | null, entries: SessionEntries | null): void =>
        end(error, () => this.#oracle.see(session, entries, startedAt, site.process.name));
      if (session === this.#session || this.#world.chance(0.5)) site.store.load(session.id, see);
      else this.#write(session, site, "a", end);
    });
  }

  /** A handler that stays: it saves now and then, also when the session's servers change, or when it has ended. */
  #socket(): void {
    const session = this.#session!;
    const over = (): void => {};
    this.#visit(session, false, over, (site, _entries, end) => {
      end(null, over);
      const untilMs = this.#world.now + this.#world.between(1_000, 20_000);
      this.#socketAt = site.process;
      const next = (): void => {
        if (this.#world.now > untilMs || this.#isDone) this.#socketAt = null;
        else this.#world.after(this.#world.between(50, 1_500), site.process, save);
      };
      const save = (): void =>
        this.#write(session, site, "w", (_error, told) => {
          if (_error === null) told();
          next();
        });
      next();
    });
  }

  /** @param isSafe it may be sent twice, and the visitor may go on before it ends. */
  #request(
    session: KnownSession | null,
    isSafe: boolean,
    over: () => void,
    handle: (site: Site, end: End) => void,
  ): void {
    this.requests++;
    // Another window of the browser may still have the first cookie.
    const id = session === null || this.#world.chance(0.1) ? (session?.id ?? null) : session.cookie;
    this.#web.request({
      visitor: this.name,
      id,
      isSafe,
      over,
      refused: () => {
        this.refused++;
        this.#wasRefused = true;
      },
      handle: (app, end) =>
        handle(app, (error, told) =>
          end(error, () => {
            told();
            if (session !== null) session.cookie = app.store.renewed(session.cookie) ?? session.cookie;
          }),
        ),
    });
  }
}
