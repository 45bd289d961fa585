/**
 * Files that are kept open, so that what is asked for often costs neither an opening nor a look at the disk: each is
 * looked at again once a second. Short ones are kept as text. Bounded in files and, by the length of such a text, in bytes.
 */
import { close, type Stats, stat } from "node:fs";
import { files as limits } from "../../support/limits.ts";
import type { Folder, NoFile } from "./open-file.ts";

/** One opening of one file; it stays what it is when another file takes its name. */
export class CachedFile {
  readonly fd: number;
  readonly stats: Stats;
  /** All of it in latin1, once it was read; null while it was not, or when it is long. */
  text: string | null = null;
  /** Codings in which it lies beside itself, once they were looked for. */
  variants: readonly string[] | null = null;
  /** @internal Requests that send it, or are about to. */ users = 0;
  /** @internal Out of the cache: the last user closes it. */ retired = false;
  /** @internal */ checkedAtMs = 0;

  constructor(fd: number, stats: Stats) {
    this.fd = fd;
    this.stats = stats;
  }
}

export type Found = (file: CachedFile | null, why: NoFile | null, error: Error | null) => void;

export class FileCache {
  readonly #files = new Map<string, CachedFile>();
  /** Who waits for an opening that is under way. */
  readonly #opening = new Map<string, Found[]>();
  #open = 0;

  /** Files that are open, in the cache or in use. */
  get size(): number {
    return this.#open;
  }

  /** A file, to be given back with `done`. Calls back at once when it is in the cache. */
  get(folder: Folder, name: string, found: Found): void {
    const path = folder.path + name;
    const cached = this.#files.get(path);
    if (cached !== undefined && performance.now() - cached.checkedAtMs < limits.recheckMs) {
      cached.users++;
      return found(cached, null, null);
    }
    const waiting = this.#opening.get(path);
    if (waiting !== undefined) return void waiting.push(found);
    this.#opening.set(path, [found]);
    if (cached === undefined) return this.#openFile(folder, name, path);
    stat(path, (error, stats) => {
      if (error === null && !cached.retired && isUnchanged(cached.stats, stats)) {
        cached.checkedAtMs = performance.now();
        cached.variants = null;
        this.#files.delete(path);
        this.#files.set(path, cached);
        return this.#tell(path, cached, null, null);
      }
      this.#retire(path, cached);
      this.#openFile(folder, name, path);
    });
  }

  /** The user of a file has done with it. */
  done(file: CachedFile): void {
    file.users--;
    this.#closeUnused(file);
  }

  close(): void {
    for (const [path, file] of this.#files) this.#retire(path, file);
  }

  #openFile(folder: Folder, name: string, path: string): void {
    if (this.#open >= limits.openMax) this.#makeRoom();
    if (this.#open >= limits.openMax) {
      return this.#tell(path, null, "failed", new Error(`${limits.openMax} files are open`));
    }
    this.#open++;
    folder.open(name, (opened, why, error) => {
      if (opened === null) {
        this.#open--;
        return this.#tell(path, null, why, error);
      }
      const file = new CachedFile(opened.fd, opened.stats);
      file.checkedAtMs = performance.now();
      this.#files.set(path, file);
      if (this.#files.size > limits.cachedMax) this.#makeRoom();
      this.#tell(path, file, null, null);
    });
  }

  #tell(path: string, file: CachedFile | null, why: NoFile | null, error: Error | null): void {
    const waiting = this.#opening.get(path)!;
    this.#opening.delete(path);
    if (file !== null) file.users += waiting.length;
    for (const found of waiting) found(file, why, error);
  }

  /** Of those that nobody uses, the one that was not asked for the longest goes (to the second). */
  #makeRoom(): void {
    for (const [path, file] of this.#files) if (file.users === 0) return this.#retire(path, file);
  }

  #retire(path: string, file: CachedFile): void {
    if (this.#files.get(path) === file) this.#files.delete(path);
    file.retired = true;
    this.#closeUnused(file);
  }

  #closeUnused(file: CachedFile): void {
    if (!file.retired || file.users > 0) return;
    this.#open--;
    close(file.fd, ignore);
  }
}

const ignore = (): void => {};

export function isUnchanged(before: Stats, now: Stats): boolean {
  return (
    before.ino === now.ino &&
    before.dev === now.dev &&
    before.size === now.size &&
    before.mtimeMs === now.mtimeMs
  );
}
