/** What the process and the thread that has its session file say to each other. */
import type { EngineOutcome, RowLife, SessionTouch, SessionWrite } from "../engine.ts";

export type FileQuestion =
  | { readonly kind: "read"; readonly key: string }
  | { readonly kind: "list"; readonly after: string; readonly rowsMax: number }
  | { readonly kind: "count" }
  /** What it was asked to change before is told before the answer. */
  | { readonly kind: "prove" };

export type FileChange =
  | { readonly kind: "insert"; readonly key: string; readonly write: SessionWrite; readonly life: RowLife }
  | {
      readonly kind: "replace";
      readonly key: string;
      readonly version: number;
      readonly write: SessionWrite;
    }
  | { readonly kind: "touch"; readonly touches: readonly SessionTouch[] }
  | { readonly kind: "remove"; readonly key: string; readonly writer: string }
  | { readonly kind: "removeExpired"; readonly rowsMax: number };

export type FileWork = FileQuestion | FileChange;

export interface NumberedWork<Work extends FileWork = FileWork> {
  readonly id: number;
  readonly work: Work;
}

export interface FileFailure {
  /** For a person. */
  readonly why: string;
  readonly outcome: EngineOutcome;
}

export interface FileAnswer {
  readonly id: number;
  readonly failure: FileFailure | null;
  /** As the engine's operation of that name has it. */
  readonly result: unknown;
  /** Who has to be told of a change; "": nobody. */
  readonly formerHolder: string;
}

export interface FileThreadData {
  readonly folder: string;
}

export type ToFileThread =
  | { readonly type: "work"; readonly work: readonly NumberedWork[] }
  | { readonly type: "close" };

export type FromFileThread =
  /** @param aside why a file was put aside, for the log. */
  | { readonly type: "opened"; readonly aside: string | null }
  /** @param isMistake nothing but a person can help. */
  | { readonly type: "notOpened"; readonly reason: string; readonly isMistake: boolean }
  | { readonly type: "answers"; readonly answers: readonly FileAnswer[] }
  /** Something in it is not what was written there. */
  | { readonly type: "damaged"; readonly reason: string };

export function isQuestion(numbered: NumberedWork): numbered is NumberedWork<FileQuestion> {
  const { kind } = numbered.work;
  return kind === "read" || kind === "list" || kind === "count" || kind === "prove";
}
