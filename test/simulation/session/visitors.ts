/**
 * Simulated visitors and the web tier between: a request goes to a server by a map that may be old, or to any server at
 * all; there it is a load, some thinking and a commit. What the visitor was told, or not told, goes to the oracle.
 */
import type { ClusterStore } from "../../../src/session/cluster/cluster-store.ts";
import { Entry, type SessionChanges, type SessionEntries } from "../../../src/session/entry.ts";
import { decode } from "../../../src/session/value.ts";
import type { FlotillaError } from "../../../src/support/errors.ts";
import { KnownSession, type Oracle } from "./oracle.ts";
import type { Process, World } from "./world.ts";

export interface Site {
  readonly process: Process;
  readonly store: ClusterStore;
}

/** The web tier: which server a request for this slot goes to. */
export type Route = (slot: number | null) => Site | null;

/** Ends a request; the visitor hears of a success only when its answer arrives. */
type End = (error: FlotillaError | null, told: () => void) => void;

const thinkMsMax = 60;

export class Visitor {
  readonly name: string;
  readonly #world: World;
  readonly #oracle: Oracle;
  readonly #route: Route;
  #session: KnownSession | null = null;
  #sessions = 0;
  #isDone = false;
  requests = 0;
  refused = 0;

  constructor(name: string, world: World, oracle: Oracle, route: Route) {
    this.name = name;
    this.#world = world;
    this.#oracle = oracle;
    this.#route = route;
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
  lookAgain(done: (failure: string | null) => void): void {
    const session = this.#session;
    if (session === null || session.isForgiven) {
      done(null);
      return;
    }
    const site = this.#route(session.slot);
    if (site === null) {
      done(`${this.name}: no server to ask`);
      return;
    }
    const startedAt = this.#world.now;
    site.store.load(session.id, (error, entries) => {
      if (error !== null) return done(`${this.name}: ${error.code}`);
      this.#oracle.see(session, entries, startedAt, site.process.name);
      this.#checkCount(session, entries, site.process.name);
      if (entries !== null)
        this.#checkUpdates(session, entries, session.updatesAcknowledged, site.process.name);
      done(null);
    });
  }

  #soon(run: () => void): void {
    const { random } = this.#world;
    // Now and then somebody is away for longer than the idle timeout of short sessions.
    const delayMs = random() < 0.01 ? 6_000 : random() ** 2 * 250;
    this.#world.after(delayMs, null, run);
  }

  #next(): void {
    if (this.#isDone) return;
    const again = (): void => this.#soon(() => this.#next());
    if (this.#session?.isForgiven) this.#session = null;
    if (this.#session === null) return this.#create(again);
    const dice = this.#world.random();
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
    this.#request(null, over, (site, end) => {
      const id = site.store.newId();
      const idleTimeoutMs = this.name.startsWith("v") && this.#world.chance(0.2) ? 4_000 : 1_800_000;
      const session = new KnownSession(name, id, idleTimeoutMs);
      this.#oracle.meet(session);
      const write = this.#world.nextNumber();
      this.#oracle.beginWrite(session, "n", write);
      const changes = new Map([
        ["who", Entry.of("who", name)],
        ["n", Entry.of("n", [write, 0])],
      ]);
      site.store.create(id, changes, idleTimeoutMs, (error) => {
        end(error, () => {
          this.#oracle.acknowledgeWrite(session, "n", write);
          this.#session = session;
        });
      });
    });
  }

  /** One request at a time on this key: none of its increments may be lost. */
  #count(over: () => void): void {
    const session = this.#session!;
    this.#visit(session, over, (site, entries, end) => {
      const [, count] = decode(entries.get("n")!.text) as [number, number];
      this.#checkCount(session, entries, site.process.name);
      const write = this.#world.nextNumber();
      session.countStarted++;
      this.#oracle.beginWrite(session, "n", write);
      this.#update(session, site, new Map([["n", Entry.of("n", [write, count + 1])]]), end, () => {
        session.countAcknowledged++;
        this.#oracle.acknowledgeWrite(session, "n", write);
      });
    });
  }

  #checkCount(session: KnownSession, entries: SessionEntries | null, at: string): void {
    if (entries === null || session.isForgiven) return;
    const [, count] = decode(entries.get("n")!.text) as [number, number];
    if (count < session.countAcknowledged || count > session.countStarted) {
      this.#oracle.fail(
        "I6",
        `${session.visitor} counts ${count} at ${at}: ${session.countAcknowledged} acknowledged of ${session.countStarted}`,
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
      this.#visit(session, isOver, (site, _entries, end) => {
        const write = this.#world.nextNumber();
        session.updatesStarted++;
        this.#oracle.beginWrite(session, "u", write);
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
          "u",
          before?.text ?? null,
          next,
          session.idleTimeoutMs,
          (error) => {
            if (error?.code === "FLOTILLA_SESSION_CONTENDED" && tries > 0)
              this.#increment(session, site, write, tries - 1, end);
            else if (error?.code === "FLOTILLA_SESSION_GONE")
              end(null, () => this.#oracle.see(session, null, beganAt, site.process.name));
            else
              end(error, () => {
                session.updatesAcknowledged++;
                this.#oracle.acknowledgeWrite(session, "u", write);
              });
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
        `${session.visitor} updated to ${count} at ${at}: ${acknowledged} acknowledged of ${session.updatesStarted}`,
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
        () => {
          if (--open === 0) over();
        },
        (site, _entries, end) => {
          const write = this.#world.nextNumber();
          this.#oracle.beginWrite(session, key, write);
          this.#update(session, site, new Map([[key, Entry.of(key, write)]]), end, () =>
            this.#oracle.acknowledgeWrite(session, key, write),
          );
        },
      );
    }
  }

  #read(over: () => void): void {
    const session = this.#session!;
    this.#visit(session, over, (site, _entries, end) => {
      site.store.touch(session.id, session.idleTimeoutMs, false);
      end(null, () => {});
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
        this.#request(id.slot, over, (site, end) => {
          site.store.load(id, (error, entries) => {
            if (error === null) this.#oracle.see(session, entries, startedAt, site.process.name);
            end(error, () => {});
          });
        });
        this.#session = null;
      } else over();
    };
    this.#visit(session, isOver, (site, _entries, end) => {
      session.endingSince = Math.min(session.endingSince, this.#world.now);
      site.store.destroy(id, (error) => {
        end(error, () => {
          isEnded = true;
          this.#oracle.acknowledgeDestroy(session);
        });
      });
    });
    if (!isRaced) return;
    this.#visit(session, isOver, (site, _entries, end) => {
      this.#world.after(this.#world.between(0, 400), site.process, () => {
        const write = this.#world.nextNumber();
        this.#oracle.beginWrite(session, "a", write);
        this.#update(session, site, new Map([["a", Entry.of("a", write)]]), end, () =>
          this.#oracle.acknowledgeWrite(session, "a", write),
        );
      });
    });
  }

  #update(
    session: KnownSession,
    site: Site,
    changes: SessionChanges,
    end: End,
    acknowledged: () => void,
  ): void {
    const startedAt = this.#world.now;
    site.store.update(session.id, changes, session.idleTimeoutMs, (error) => {
      if (error?.code === "FLOTILLA_SESSION_GONE") {
        end(null, () => this.#oracle.see(session, null, startedAt, site.process.name));
      } else end(error, acknowledged);
    });
  }

  /** A request that begins with a load, thinks, and then does `act`. */
  #visit(
    session: KnownSession,
    over: () => void,
    act: (site: Site, entries: SessionEntries, end: End) => void,
  ): void {
    const { id } = session;
    this.#request(id.slot, over, (site, end) => {
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

  /**
   * `over` when the handler has ended, or its process; only then the visitor goes on, told or not.
   */
  #request(slot: number | null, over: () => void, handle: (site: Site, end: End) => void): void {
    this.requests++;
    const site = this.#route(slot);
    if (site === null) {
      this.#world.after(50, null, over);
      return;
    }
    const world = this.#world;
    const { process } = site;
    let isOver = false;
    const finish = (): void => {
      if (isOver) return;
      isOver = true;
      over();
    };
    // A killed process answers nothing more; a request that it never began is over too.
    const watch = (): void => {
      if (isOver) return;
      if (!process.isAlive) finish();
      else world.after(200, null, watch);
    };
    world.after(200, null, watch);
    world.after(world.between(0.5, 4), process, () => {
      handle(site, (error, told) => {
        if (isOver) return;
        if (error !== null) {
          this.refused++;
          world.tell(process.name, `${this.name} is refused: ${error.code}`);
          finish();
          return;
        }
        // The head leaves now: from here on the visitor may know.
        told();
        world.after(world.between(0.5, 4), null, finish);
      });
    });
  }
}
