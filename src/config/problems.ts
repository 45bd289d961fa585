/** Mistakes in the file: collected with their positions, told all at once. */
import { config } from "../support/limits.ts";

/** Line and column from 1, as editors count. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Problem extends Position {
  /** A note says what a file that is right can't promise; only `check` tells it. */
  readonly severity: "error" | "warning" | "note";
  /** The file as the caller named it. */
  readonly path: string;
  /** One line: what was found, and what is allowed. */
  readonly message: string;
}

/** "flotilla.yaml:12:9: error: ...", the form that editors and terminals make clickable. */
export function formatProblem(problem: Problem): string {
  return `${problem.path}:${problem.line}:${problem.column}: ${problem.severity}: ${problem.message}`;
}

export class Problems {
  readonly path: string;
  readonly #found = new Map<string, Problem>();
  #errors = 0;

  constructor(path: string) {
    this.path = path;
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  error(at: Position, message: string): void {
    this.#add("error", at, message);
  }

  warning(at: Position, message: string): void {
    this.#add("warning", at, message);
  }

  note(at: Position, message: string): void {
    this.#add("note", at, message);
  }

  /** In the order of the file; what is above the limit is only counted. */
  list(): readonly Problem[] {
    const sorted = [...this.#found.values()].sort((a, b) => a.line - b.line || a.column - b.column);
    const told = sorted.slice(0, config.problemsMax);
    const rest = sorted.slice(config.problemsMax);
    const first = rest.find((problem) => problem.severity === "error") ?? rest[0];
    if (first !== undefined) {
      told.push(Object.freeze({ ...first, message: `and ${rest.length} more problems from here on` }));
    }
    return Object.freeze(told);
  }

  #add(severity: Problem["severity"], { line, column }: Position, message: string): void {
    // What stands behind an alias is checked at every use: its mistakes are told once.
    const key = `${line}:${column}:${severity}:${message}`;
    if (this.#found.has(key)) return;
    if (severity === "error") this.#errors++;
    this.#found.set(key, Object.freeze({ severity, path: this.path, line, column, message }));
  }
}

const printedCharactersMax = 80;

/** Text of the file inside a message: quoted, cut, and with nothing in it that moves a terminal's cursor. */
export function quote(text: string): string {
  const cut = text.length > printedCharactersMax ? `${text.slice(0, printedCharactersMax)}...` : text;
  return JSON.stringify(cut).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** "a", "a or b", "a, b or c". */
export function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
