/** An engine outside of the servers, as one process has it: its register, and what is to be told of its troubles. */
import { systemClock, type Timer } from "../../support/clock.ts";
import { FlotillaError } from "../../support/errors.ts";
import { register as limits } from "../../support/limits.ts";
import { passed } from "../../support/words.ts";
import type { EngineName, EngineNotes, RegisterEngine } from "../engine.ts";
import { aboveForks, type SlotMap } from "../slot-map.ts";
import { slotMapCodec } from "../slot-map-codec.ts";
import { type CellStore, SwapRefused } from "./cell.ts";
import { CellRegister } from "./cell-register.ts";

export interface CellEngineOptions extends EngineNotes {
  readonly name: EngineName;
  readonly store: CellStore;
  /** For messages: "the key /flotilla/app in etcd". */
  readonly where: string;
  /** "app-a#incarnation". */
  readonly node: string;
}

export class CellEngine implements RegisterEngine {
  readonly register: CellRegister<SlotMap>;
  readonly name: EngineName;
  readonly service = null;
  readonly move = null;
  readonly #options: CellEngineOptions;
  /** The register has not moved here yet. */
  isAwaited: () => boolean = () => false;
  #problem: Problem | null = null;
  /** While only changes are refused. */
  #trial: Timer | null = null;
  #isStopped = false;

  constructor(options: CellEngineOptions) {
    const { name, store, where, node, onProblem } = options;
    this.name = name;
    this.#options = options;
    this.register = new CellRegister<SlotMap>({
      ...{ store, where, node, codec: slotMapCodec, clock: systemClock, random: Math.random },
      afterFork: aboveForks,
      onFork: onProblem,
      onEnd: (error, isChange) => this.#note(error, isChange),
    });
  }

  get world(): string | null {
    return this.register.world;
  }

  get problem(): string | null {
    return this.#problem?.message ?? null;
  }

  get changeTrouble(): string | null {
    return this.register.changeTrouble;
  }

  start(): void {}

  stop(): void {
    this.#isStopped = true;
    this.#trial?.cancel();
    this.register.stop();
  }

  /**
   * It is logged when it begins and when it is over; what is wrong may change meanwhile. A full disk refuses changes and
   * answers reads: these do not end it.
   */
  #note(error: FlotillaError | null, isChange: boolean): void {
    if (error === null) {
      if (isChange || this.#problem?.isOfChanges === false) this.#isOver();
      return;
    }
    const isOfChanges = error instanceof SwapRefused && isChange;
    const before = this.#problem;
    const what = isOfChanges ? "change" : "read or change";
    const message = `can't ${what} who keeps which session: ${error.message}`;
    this.#problem = { message, isOfChanges, sinceMs: before?.sinceMs ?? systemClock.now() };
    if (isOfChanges) this.#tryLater();
    if (before !== null) return;
    this.#options.onProblem(`${message}. ${this.#meaningOf(isOfChanges)}`);
  }

  #meaningOf(isOfChanges: boolean): string {
    if (this.isAwaited()) return "The register has not moved there yet: sessions go on by the members' votes";
    return isOfChanges
      ? "Sessions are served, but not taken over or handed over until it is mended"
      : "Sessions here are served for 10 s after its last answer, then they answer 503 until it answers again";
  }

  #isOver(): void {
    const { where, onMended } = this.#options;
    const before = this.#problem;
    this.#problem = null;
    this.#trial?.cancel();
    if (before === null) return;
    const what = before.isOfChanges ? "can be changed" : "answers";
    onMended(`${where} ${what} again, after ${passed(systemClock.now() - before.sinceMs)}`);
  }

  /** Nobody may want a change when the disk has room again: what is there is written once more, which changes nothing. */
  #tryLater(): void {
    this.#trial?.cancel();
    this.#trial = systemClock.after(limits.writeTrialMs, () => {
      void this.#tryWrite().then((isDone) => {
        if (this.#isStopped || this.#problem?.isOfChanges !== true) return;
        if (isDone) this.#isOver();
        else this.#tryLater();
      });
    });
  }

  async #tryWrite(): Promise<boolean> {
    const { store } = this.#options;
    try {
      const cell = await store.get(store.attemptTimeoutMs);
      if (cell === null) return false;
      return (await store.swap(cell.revision, cell.bytes, store.attemptTimeoutMs)).isDone;
    } catch (error) {
      if (!(error instanceof FlotillaError)) throw error;
      return false;
    }
  }
}

interface Problem {
  readonly message: string;
  readonly sinceMs: number;
  /** Reads are answered. */
  readonly isOfChanges: boolean;
}
