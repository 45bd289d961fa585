/** An engine outside of the servers, as one process has it: its register, and what is to be told of its troubles. */
import { systemClock } from "../../support/clock.ts";
import type { FlotillaError } from "../../support/errors.ts";
import { passed } from "../../support/words.ts";
import type { EngineName, EngineNotes, RegisterEngine } from "../engine.ts";
import { aboveForks, type SlotMap } from "../slot-map.ts";
import { slotMapCodec } from "../slot-map-codec.ts";
import type { CellStore } from "./cell.ts";
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
  #problem: { readonly message: string; readonly sinceMs: number } | null = null;

  constructor(options: CellEngineOptions) {
    const { name, store, where, node, onProblem } = options;
    this.name = name;
    this.#options = options;
    this.register = new CellRegister<SlotMap>({
      ...{ store, where, node, codec: slotMapCodec, clock: systemClock, random: Math.random },
      afterFork: aboveForks,
      onFork: onProblem,
      onEnd: (error) => this.#note(error),
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
    this.register.stop();
  }

  /** It is logged when it begins and when it is over; what is wrong may change meanwhile. */
  #note(error: FlotillaError | null): void {
    const { where, onProblem, onMended } = this.#options;
    const before = this.#problem;
    if (error === null) {
      this.#problem = null;
      if (before === null) return;
      onMended(`${where} answers again, after ${passed(systemClock.now() - before.sinceMs)}`);
      return;
    }
    const message = `can't read or change who keeps which session: ${error.message}`;
    this.#problem = { message, sinceMs: before?.sinceMs ?? systemClock.now() };
    if (before === null)
      onProblem(
        `${message}. Sessions here are served for 10 s after its last answer, then they answer 503 until it answers again`,
      );
  }
}
