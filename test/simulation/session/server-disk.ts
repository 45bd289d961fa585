/**
 * The disk of a server with `durability: backup+disk`, as the protocol sees it (`SlotDisk`): transactions that take their time, are
 * whole or not there at all after a crash, and fail while the disk is full or broken. What it has outlives its server's processes.
 */
import type {
  CopyPlaceOnDisk,
  DiskObserver,
  DiskSession,
  KeysDone,
  SlotDisk,
} from "../../../src/session/cluster/slot-disk.ts";
import { FlotillaError } from "../../../src/support/errors.ts";
import type { Process, World } from "./world.ts";

interface StoredSession extends DiskSession {
  /** In the running time of the server. */
  readonly idleSince: number;
}

type Sessions = ReadonlyMap<string, StoredSession>;

interface StoredCopy extends Omit<CopyPlaceOnDisk, "sessions"> {
  readonly sessions: Sessions;
}

/** Of one slot. Never written to: a change makes a new one. */
interface Stored {
  readonly whole: StoredCopy | null;
  readonly making: Sessions | null;
}

const nothing: Stored = { whole: null, making: null };

interface Change {
  readonly slot: number;
  readonly make: (before: Stored) => Stored;
  /** Counted up by whatever makes what was told before void. */
  readonly generation: number;
  readonly tells: boolean;
}

const retryMs = 150;

export class ServerDisk {
  /** What is synced, by slot. */
  readonly stored: Map<number, Stored> = new Map();
  /** In which processes ran. */
  ranMs = 0;
  slownessMs = 0;
  /** Sessions that were read one by one. */
  fetched = 0;
  isFull = false;
  isBroken = false;
  /** It was full, broken, or so slow that it counted as one that can't be written. */
  wasUnwell = false;
  /** Sessions were on it, and are not any more, or can't be read. */
  hasLost = false;

  get isHarmed(): boolean {
    return this.isFull || this.isBroken || this.slownessMs > 0;
  }

  /** A process that starts can't open it. */
  get isShut(): boolean {
    return this.isFull || this.isBroken;
  }

  /** It comes back empty. */
  lose(): void {
    this.stored.clear();
    this.hasLost = true;
  }

  /** It can be neither written nor read any more. */
  break(): void {
    this.isBroken = true;
    this.hasLost = true;
  }

  placeOf(slot: number): { readonly epoch: number; readonly pos: number } | null {
    return this.stored.get(slot)?.whole ?? null;
  }
}

/** One process's use of it. */
export class OpenDisk implements SlotDisk {
  readonly disk: ServerDisk;
  readonly #world: World;
  readonly #process: Process;
  /** With all that was given. */
  readonly #seen: Map<number, Stored> = new Map();
  readonly #generations: Map<number, number> = new Map();
  /** What a change counts for. */
  readonly #bytesPerChange: number;
  readonly #openedAt: number;
  readonly #ranMsBefore: number;
  #given: Change[] = [];
  #underWay: Change[] | null = null;
  #isDue = false;
  #observer: DiskObserver | null = null;
  #isWell = true;
  #readsUntil = 0;
  found: ReadonlyMap<number, CopyPlaceOnDisk> = new Map();
  isOpen = false;
  isLost = false;
  register = "";

  constructor(disk: ServerDisk, world: World, process: Process) {
    this.disk = disk;
    this.#world = world;
    this.#process = process;
    this.#openedAt = process.clock.now();
    this.#ranMsBefore = this.disk.ranMs;
    this.#bytesPerChange = world.pick([100, 100, 12_000_000]);
    if (disk.isShut && world.chance(0.5)) this.#openLater();
    else this.#open();
  }

  #open(): void {
    // A copy that was being made is gone.
    for (const [slot, { whole }] of this.disk.stored) this.#seen.set(slot, { whole, making: null });
    const found = new Map<number, CopyPlaceOnDisk>();
    for (const [slot, { whole }] of this.disk.stored)
      if (whole !== null) found.set(slot, { ...whole, sessions: whole.sessions.size });
    this.found = found;
    this.isOpen = true;
    for (const { slot, make } of [...(this.#underWay ?? []), ...this.#given])
      this.#seen.set(slot, make(this.#seen.get(slot) ?? nothing));
  }

  #openLater(): void {
    this.#isWell = false;
    this.#world.after(retryMs, null, () => {
      if (!this.#process.isAlive) return;
      if (this.disk.isShut) return this.#openLater();
      this.#process.happen(() => {
        this.#open();
        this.#judge(true);
        this.#observer?.onOpened();
      });
    });
  }

  /** Something in it is found not to be what was written there: nothing in it counts any more, for the next process either. */
  damage(): void {
    this.disk.lose();
    this.disk.wasUnwell = true;
    this.isLost = true;
    this.#process.happen(() => {
      this.#judge(false);
      this.#observer?.onLost();
    });
  }

  renew(): void {
    this.isOpen = this.isLost = false;
    this.#seen.clear();
    this.#given = [];
    this.#underWay = null;
    this.#openLater();
  }

  get isWell(): boolean {
    return this.#isWell;
  }

  get pendingBytes(): number {
    return (this.#given.length + (this.#underWay?.length ?? 0)) * this.#bytesPerChange;
  }

  /** Each session counts for a thousand. */
  get bytes(): number {
    let sessions = 0;
    for (const { whole } of this.#seen.values()) sessions += whole?.sessions.size ?? 0;
    return sessions * 1_000;
  }

  get sessions(): number {
    return 0;
  }

  observe(observer: DiskObserver): void {
    this.#observer = observer;
  }

  write(slot: number, epoch: number, pos: number, key: string, session: DiskSession | null): void {
    const stored = session === null ? null : this.#stored(session);
    this.#give(slot, true, ({ whole, making }) => {
      if (making !== null) return { whole, making: changed(making, key, stored) };
      if (whole === null) throw new Error(`slot ${slot} has no copy to be written to`);
      return {
        whole: { ...this.#place(epoch, pos), sessions: changed(whole.sessions, key, stored) },
        making,
      };
    });
  }

  touch(slot: number, key: string, idleTimeoutMs: number, idleForMs: number): void {
    const idleSince = this.#now - idleForMs;
    this.#give(slot, false, ({ whole, making }) => {
      const touched = (sessions: Sessions): Sessions => {
        const session = sessions.get(key);
        return session === undefined
          ? sessions
          : changed(sessions, key, { ...session, idleTimeoutMs, idleSince });
      };
      return {
        whole: whole === null || making !== null ? whole : { ...whole, sessions: touched(whole.sessions) },
        making: making === null ? null : touched(making),
      };
    });
  }

  adopt(slot: number, epoch: number, pos: number): void {
    this.#give(slot, true, ({ whole }) => ({
      whole: { ...this.#place(epoch, pos), sessions: whole?.sessions ?? new Map() },
      making: null,
    }));
  }

  beginCopy(slot: number): void {
    this.#generations.set(slot, this.#generation(slot) + 1);
    this.#give(slot, false, ({ whole }) => ({ whole, making: new Map() }));
  }

  addToCopy(slot: number, sessions: readonly DiskSession[]): void {
    const stored = sessions.map((session) => this.#stored(session));
    this.#give(slot, false, ({ whole, making }) => ({
      whole,
      making: stored.reduce(
        (all: Sessions, session) => changed(all, session.key, session),
        making ?? new Map(),
      ),
    }));
  }

  endCopy(slot: number, epoch: number, pos: number): void {
    this.#give(slot, true, ({ making }) => {
      if (making === null) throw new Error(`slot ${slot} has no copy that is being made`);
      return { whole: { ...this.#place(epoch, pos), sessions: making }, making: null };
    });
  }

  cancelCopy(slot: number): void {
    this.#generations.set(slot, this.#generation(slot) + 1);
    this.#give(slot, false, ({ whole }) => ({ whole, making: null }));
  }

  drop(slot: number): void {
    this.#generations.set(slot, this.#generation(slot) + 1);
    this.#give(slot, false, () => nothing);
  }

  read(
    slot: number,
    key: string,
    done: (error: FlotillaError | null, session: DiskSession | null) => void,
  ): void {
    this.#answer(slot, (error, sessions) => {
      const session = sessions.get(key);
      if (session !== undefined) this.disk.fetched++;
      done(error, session === undefined ? null : this.#asked(session));
    });
  }

  readAfter(
    slot: number,
    key: string,
    _bytesMax: number,
    done: (error: FlotillaError | null, sessions: readonly DiskSession[]) => void,
  ): void {
    this.#answer(slot, (error, sessions) => {
      const all = [...sessions.values()].filter((session) => session.key > key);
      const page = all.sort((one, other) => (one.key < other.key ? -1 : 1)).slice(0, 2);
      done(
        error,
        page.map((session) => this.#asked(session)),
      );
    });
  }

  expired(slots: readonly number[], lateMs: number, sessionsMax: number, done: KeysDone): void {
    const keys: { slot: number; key: string }[] = [];
    for (const [i, slot] of slots.entries()) {
      this.#answer(slot, (error, sessions) => {
        for (const { key, idleSince, idleTimeoutMs } of sessions.values())
          if (this.#now - idleSince >= idleTimeoutMs + lateMs) keys.push({ slot, key });
        if (i === slots.length - 1) done(error, keys.slice(0, sessionsMax));
      });
    }
  }

  longestIdle(slots: readonly number[], sessionsMax: number, done: KeysDone): void {
    const all = slots.flatMap((slot) =>
      [...(this.#seen.get(slot)?.whole?.sessions.values() ?? [])].map((session) => ({ ...session, slot })),
    );
    all.sort((one, other) => one.idleSince - other.idleSince);
    // As of disks that tell of few at a time.
    const keys = all.slice(0, Math.min(sessionsMax, 4)).map(({ slot, key }) => ({ slot, key }));
    this.#world.after(1, this.#process, () => done(null, keys));
  }

  async close(): Promise<void> {}

  /** All that was given, as far as the protocol may know: with what is in memory it is all that there is. */
  contentOf(slot: number): ReadonlyMap<string, DiskSession> {
    return this.#seen.get(slot)?.whole?.sessions ?? new Map();
  }

  /** The end of an orderly stop, which waits for the disk as long as it can be written. */
  finish(): void {
    if (!this.#cannotWrite) this.#apply([...(this.#underWay ?? []), ...this.#given]);
    this.#end();
  }

  /** A crash: the transaction that was under way is there or not. */
  crash(): void {
    if (this.#underWay !== null && !this.#cannotWrite && this.#world.chance(0.5)) this.#apply(this.#underWay);
    this.#end();
  }

  #end(): void {
    this.#underWay = null;
    this.#given = [];
    this.disk.ranMs = this.#now;
  }

  get #cannotWrite(): boolean {
    return this.disk.isShut || this.isLost || !this.isOpen;
  }

  get #now(): number {
    return this.#ranMsBefore + this.#process.clock.now() - this.#openedAt;
  }

  #generation(slot: number): number {
    return this.#generations.get(slot) ?? 0;
  }

  #stored(session: DiskSession): StoredSession {
    return { ...session, idleSince: this.#now - session.idleForMs };
  }

  #asked({ idleSince, ...session }: StoredSession): DiskSession {
    return { ...session, idleForMs: Math.max(0, this.#now - idleSince) };
  }

  #place(epoch: number, pos: number): Omit<StoredCopy, "sessions"> {
    return { incarnation: this.#process.incarnation, epoch, pos };
  }

  #give(slot: number, tells: boolean, make: Change["make"]): void {
    this.#seen.set(slot, make(this.#seen.get(slot) ?? nothing));
    this.#given.push({ slot, make, generation: this.#generation(slot), tells });
    if (this.#isDue || this.#underWay !== null) return;
    this.#isDue = true;
    this.#world.after(0, this.#process, () => {
      this.#isDue = false;
      this.#begin();
    });
  }

  #begin(): void {
    if (this.#underWay !== null || this.#given.length === 0) return;
    this.#underWay = this.#given;
    this.#given = [];
    this.#try();
  }

  #try(): void {
    const changes = this.#underWay!;
    const ms = this.#world.between(0.3, 4) + this.#world.between(0, this.disk.slownessMs);
    // The worker is another thread: the process may stand still meanwhile.
    this.#world.after(ms, null, () => {
      // Of before it was renewed.
      if (this.#underWay !== changes || !this.#process.isAlive) return;
      const isWritten = !this.#cannotWrite;
      if (isWritten) {
        this.#apply(changes);
        this.#underWay = null;
        this.#process.happen(() => this.#told(changes));
        return;
      }
      this.#process.happen(() => this.#judge(false));
      this.#world.after(retryMs, null, () => {
        if (this.#underWay === changes) this.#try();
      });
    });
  }

  #told(changes: readonly Change[]): void {
    this.#judge(true);
    const places = new Map<number, StoredCopy>();
    for (const { slot, tells, generation } of changes) {
      const whole = this.disk.stored.get(slot)?.whole ?? null;
      if (tells && whole !== null && generation === this.#generation(slot)) places.set(slot, whole);
    }
    this.#begin();
    for (const [slot, { epoch, pos }] of places) this.#observer?.onDurable(slot, epoch, pos);
  }

  #judge(isWell: boolean): void {
    if (isWell === this.#isWell) return;
    this.#isWell = isWell;
    this.#observer?.onTrouble(isWell ? null : "no space left");
  }

  #apply(changes: readonly Change[]): void {
    for (const { slot, make } of changes)
      this.disk.stored.set(slot, make(this.disk.stored.get(slot) ?? nothing));
  }

  /** Of what was given before it was asked, or until it answers; of what is synced when it can't be written. */
  #answer(slot: number, done: (error: FlotillaError | null, sessions: Sessions) => void): void {
    const given = this.#seen.get(slot) ?? nothing;
    const ms = this.#world.between(0.2, 3) + this.#world.between(0, this.disk.slownessMs);
    this.#readsUntil = Math.max(this.#readsUntil, this.#world.now + ms);
    const isOld = this.#world.chance(0.5);
    this.#world.after(this.#readsUntil - this.#world.now, this.#process, () => {
      if (this.disk.isBroken || this.isLost || !this.isOpen)
        return done(new FlotillaError("FLOTILLA_DATA_FOLDER", "it is broken"), new Map());
      const seen = isOld ? given : (this.#seen.get(slot) ?? nothing);
      const { whole } = this.#cannotWrite ? (this.disk.stored.get(slot) ?? nothing) : seen;
      done(null, whole?.sessions ?? new Map());
    });
  }
}

function changed(sessions: Sessions, key: string, session: StoredSession | null): Sessions {
  const next = new Map(sessions);
  if (session === null) next.delete(key);
  else next.set(key, session);
  return next;
}
