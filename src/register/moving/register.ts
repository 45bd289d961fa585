/**
 * A register on its way from one engine to another, while everybody goes on. Until the move the old engine decides. Its
 * last version says where the register went (`movedTo`): it is made by compare-and-set like any other, so nothing can follow it there,
 * and whatever was done is beneath it. Whoever sees it goes on in the new engine; the first one copies what it holds.
 */
import { register as limits } from "../../support/limits.ts";
import type { CellRegister } from "../cell/cell-register.ts";
import type { CasOutcome, ReadDone, Register, Versioned } from "../register.ts";
import type { SlotMap } from "../slot-map.ts";
import { unreachable } from "../unreachable.ts";

/** The old one has to know maps with `movedTo` (movingMapCodec). */
export interface OldRegister extends Register<SlotMap> {
  readonly world: string | null;
}

export interface MovingRegisterOptions {
  readonly from: OldRegister;
  readonly to: CellRegister<SlotMap>;
  /** The new place, for messages: "the key /flotilla/app in etcd". */
  readonly where: string;
  /** Once, when it is known here that the register has moved. */
  readonly onMoved: () => void;
}

export class MovingRegister implements Register<SlotMap> {
  readonly #options: MovingRegisterOptions;
  readonly #listeners: Set<(state: Versioned<SlotMap>) => void> = new Set();
  #known: Versioned<SlotMap> | null = null;
  /** The old engine's last version. */
  #last: Versioned<SlotMap> | null = null;

  constructor(options: MovingRegisterOptions) {
    const { from, to, onMoved } = options;
    this.#options = options;
    from.watch((state) => {
      if (state.value.movedTo === undefined) this.#tell(state);
      else {
        const isNews = this.#last === null;
        this.#last = state;
        if (isNews) onMoved();
      }
    });
    to.watch((state) => {
      if (this.#last !== null && this.#isSame) this.#tell(state);
    });
  }

  get known(): Versioned<SlotMap> | null {
    return this.#known;
  }

  get hasMoved(): boolean {
    return this.#last !== null;
  }

  read(done: ReadDone<SlotMap>): void {
    if (this.#last !== null) {
      this.#readNew(done);
      return;
    }
    this.#options.from.read((error, state) => {
      if (this.#last !== null) this.#readNew(done);
      else done(error, state);
    });
  }

  compareAndSet(expected: number, value: SlotMap, done: (outcome: CasOutcome<SlotMap>) => void): void {
    const { from, to } = this.#options;
    if (this.#last !== null) {
      to.compareAndSet(expected, value, done);
      return;
    }
    from.compareAndSet(expected, value, (outcome) => {
      if (outcome.kind !== "conflict" || this.#last === null) {
        done(outcome);
        return;
      }
      this.#readNew((error, state) => {
        if (error === null) done({ kind: "conflict", state: state! });
        else done({ kind: "unknown", error });
      });
    });
  }

  watch(listener: (state: Versioned<SlotMap>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws FlotillaError why the register can't be moved, as seen from here. */
  async check(): Promise<void> {
    if (this.#last !== null) return;
    const { to, where } = this.#options;
    const found = await readOf(to);
    // Somebody else may have moved it since.
    if (found !== null) await readOf(this);
    if (found !== null && !this.hasMoved)
      throw unreachable(`${where} holds a register already: remove it, or choose another prefix`);
  }

  /** Moves it, if it has not moved. @throws FlotillaError when that failed, or may still happen: to be asked again. */
  async move(): Promise<void> {
    await this.check();
    const { from, where } = this.#options;
    for (let tries = 0; this.#last === null; tries++) {
      const state = await readOf(from);
      if (this.#last !== null || state === null) break;
      const last: SlotMap = { ...state.value, movedTo: where };
      const outcome = await new Promise<CasOutcome<SlotMap>>((resolve) =>
        from.compareAndSet(state.version, last, resolve),
      );
      if (outcome.kind === "unknown" && tries + 1 >= limits.moveTriesMax) throw outcome.error;
    }
    await readOf(this);
  }

  #readNew(done: ReadDone<SlotMap>): void {
    const { to, where } = this.#options;
    const end: ReadDone<SlotMap> = (error, state) => {
      if (error === null && !this.#isSame) {
        done(unreachable(`${where} holds another register than the one that moved there`), null);
        return;
      }
      if (state !== null) this.#tell(state);
      done(error, state);
    };
    to.read((error, state) => {
      if (error !== null || state !== null) end(error, state);
      else this.#copy(end);
    });
  }

  /** Whoever is first; the others find it. */
  #copy(done: ReadDone<SlotMap>): void {
    const { from, to } = this.#options;
    const { letters, slots } = this.#last!.value;
    to.begin({ world: from.world!, version: this.#last!.version, value: { letters, slots } }, (outcome) => {
      if (outcome.kind === "unknown") done(outcome.error, null);
      else done(null, outcome.state);
    });
  }

  get #isSame(): boolean {
    const { from, to } = this.#options;
    return to.world === from.world;
  }

  #tell(state: Versioned<SlotMap>): void {
    if (this.#known !== null && state.version <= this.#known.version) return;
    this.#known = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}

function readOf(register: Register<SlotMap>): Promise<Versioned<SlotMap> | null> {
  return new Promise((resolve, reject) =>
    register.read((error, state) => (error === null ? resolve(state) : reject(error))),
  );
}
