/** `coordination: { ..., from: members }`: both engines, of which the old one decides until `flotilla coordination move`. */
import type { StreamService } from "../../link/api.ts";
import type { CellEngine } from "../cell/cell-engine.ts";
import type { EngineName, RegisterEngine, RegisterMove } from "../engine.ts";
import type { MembersEngine } from "../members/engine.ts";
import { MovingRegister } from "./register.ts";

export class MovingEngine implements RegisterEngine {
  readonly register: MovingRegister;
  /** Votes are asked for until the last one knows. */
  readonly service: StreamService;
  readonly move: RegisterMove;
  readonly #from: MembersEngine;
  readonly #to: CellEngine;

  /** @param where the new place, for messages. @param onMoved for the log: once, when that is known here. */
  constructor(from: MembersEngine, to: CellEngine, where: string, onMoved: (message: string) => void) {
    this.#from = from;
    this.#to = to;
    this.service = from.service;
    this.register = new MovingRegister({
      ...{ from: from.register, to: to.register, where },
      onMoved: () =>
        onMoved(
          `the register of sessions has moved to ${where}; "from: members" is of no more use in the file`,
        ),
    });
    const { register } = this;
    to.isAwaited = () => !register.hasMoved;
    this.move = {
      get isDone() {
        return register.hasMoved;
      },
      check: () => register.check(),
      run: () => register.move(),
    };
  }

  get name(): EngineName {
    return this.#engine.name;
  }

  get world(): string | null {
    return this.#from.world ?? this.#to.world;
  }

  get problem(): string | null {
    return this.#engine.problem;
  }

  get changeTrouble(): string | null {
    return this.#engine.changeTrouble;
  }

  start(): void {
    this.#from.start();
  }

  stop(): void {
    this.#from.stop();
    this.#to.stop();
  }

  get #engine(): RegisterEngine {
    return this.register.hasMoved ? this.#to : this.#from;
  }
}
