/**
 * How far an import came, for a later run: one line of JSON, readable by its owner alone, for it may hold an id. Written beside its place
 * and renamed; removed when all is done.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { codeOf, FlotillaError, messageOf } from "../../support/errors.ts";
import { sessionImport as limits } from "../../support/limits.ts";
import { unfinishedName } from "./unfinished.ts";

/** What goes where: another import is not gone on with. */
export interface Route {
  readonly from: string;
  readonly into: string;
}

const format = "import";

export class ResumeFile {
  readonly #path: string;
  readonly #route: Route;
  #place: string;
  #savedAt: number = performance.now();

  private constructor(path: string, route: Route, place: string) {
    this.#path = path;
    this.#route = route;
    this.#place = place;
  }

  /** @throws FlotillaError FLOTILLA_IMPORT_RESUME: it can't be read, or is of another import. */
  static open(path: string, route: Route): ResumeFile {
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if (codeOf(error) === "ENOENT") return new ResumeFile(path, route, "");
      throw unusable(path, `it can't be read: ${messageOf(error)}`);
    }
    const { flotilla, from, into, place } = fieldsOf(text);
    if (flotilla !== format || typeof place !== "string")
      throw unusable(path, "it is no file of an import; name one that is not there yet");
    if (from !== route.from || into !== route.into)
      throw unusable(
        path,
        `it is of another import, from ${String(from)} into ${String(into)}; name another one`,
      );
    return new ResumeFile(path, route, place);
  }

  /** "": at the begin. */
  get place(): string {
    return this.#place;
  }

  /** Remembers it, and writes it now and then. */
  reached(place: string): void {
    this.#place = place;
    if (performance.now() - this.#savedAt >= limits.resumeIntervalMs) this.save();
  }

  save(): void {
    if (this.#place === "") return;
    this.#savedAt = performance.now();
    const name = unfinishedName(this.#path);
    const text = `${JSON.stringify({ flotilla: format, ...this.#route, place: this.#place })}\n`;
    try {
      writeFileSync(name, text, { mode: 0o600 });
      renameSync(name, this.#path);
    } catch (error) {
      rmSync(name, { force: true });
      throw unusable(this.#path, `it can't be written: ${messageOf(error)}`);
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function unusable(path: string, why: string): FlotillaError {
  return new FlotillaError("FLOTILLA_IMPORT_RESUME", `--resume ${path}: ${why}`, { source: "client" });
}
