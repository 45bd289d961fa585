/**
 * An engine keeps the register of one cluster: `members/` does it by votes of the servers themselves. What is special to an engine stays
 * in its folder; session/wiring/open-register.ts chooses by `coordination:` of the file.
 */
import type { StreamService } from "../link/api.ts";
import type { Register } from "./register.ts";
import type { SlotMap } from "./slot-map.ts";

export type EngineName = "members" | "etcd" | "postgres";

/** The register of one cluster as one process has it. */
export interface RegisterEngine {
  /** The one that decides now. */
  readonly name: EngineName;
  readonly register: Register<SlotMap>;
  /** Which register this is: made with its first version, and the same for all who share it; null until it is known. */
  readonly world: string | null;
  /** For StreamKind.register of the cluster port; null: the servers have nothing to ask each other. */
  readonly service: StreamService | null;
  /** What is wrong with the engine as this process sees it, and what to do, for a person; null: nothing that is known. */
  readonly problem: string | null;
  /** Why the last change that was asked for could not be made; null: it could, or nothing has been changed yet. */
  readonly changeTrouble: string | null;
  /** To another engine, where the file wants that; else null. */
  readonly move: RegisterMove | null;
  start(): void;
  /** Nobody who waits is called any more. */
  stop(): void;
}

/** The register goes from one engine to another while everybody goes on. */
export interface RegisterMove {
  readonly isDone: boolean;
  /** @throws FlotillaError why it can't be done, as seen from here. */
  check(): Promise<void>;
  /** @throws FlotillaError when it failed, or its outcome is unknown: to be asked again. */
  run(): Promise<void>;
}

/** For the log: what an operator has to know, and that it is over. */
export interface EngineNotes {
  readonly onProblem: (message: string) => void;
  readonly onMended: (message: string) => void;
}
