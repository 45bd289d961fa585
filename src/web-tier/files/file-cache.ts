/**
 * Files that are kept open, so that what is asked for often costs neither an opening nor a look at the disk: each is
 * looked at again once a second. Short ones are kept as text. Bounded in files and, by the length of such a text, in bytes.
 */

import { close, type Stats, stat } from "node:fs";
import { files } from "../../support/limits.ts";
import type { Coding } from "../accept-encoding.ts";
import type { Folder, NoFile } from "./open-file.ts";

/** One opening of one file; it stays what it is when another file takes its name. */
export class CachedFile {
  readonly fd: number;
  readonly stats: Stats;
  /** All of it in latin1, once it was read; null while it was not, or when it is long. */
  text: string | null = null;
  /** Codings in which it lies beside itself, once they were looked for. */
  variants: readonly Coding[] | null = null;
  /** @internal Requests that send it, or are about to. */ users = 0;
  /** @internal Out of the cache: the last user closes it. */ retired = false;
  /** @internal */ closed = false;
  /** @internal */ checkedAtMs = 0;

  constructor(fd: number, stats: Stats) {
    this.fd = fd;
    this.stats = stats;
  }
}

/** See support/limits.ts. */
export interface FileCacheLimits {
  readonly cachedMax: number;
  readonly openMax: number;
  readonly recheckMs: number;
}

export type Found = (file: CachedFile | null, why: NoFile | null, error: Error | null) => void;

export class FileCache {
  readonly #files = new Map<string, CachedFile>();
  /** Who waits for an opening that is under way. */
  readonly #opening = new Map<string, Found[]>();
  readonly #limits: FileCacheLimits;
  #open = 0;
  #closed = false;

  constructor(limits: FileCacheLimits = files) {
    this.#limits = limits;
  }

  /** Files that are open, in the cache or in use. */
  get size(): number {
    return this.#open;
  }

  /** A file, to be given back with `done`. Calls back at once when it is in the cache. */
  get(folder: Folder, name: string, found: Found): void {
    const key = folder.cacheKey + name;
    const cached = this.#files.get(key);
    if (cached !== undefined && performance.now() - cached.checkedAtMs < this.#limits.recheckMs) {
      cached.users++;
      return found(cached, null, null);
    }
    const waiting = this.#opening.get(key);
    if (waiting !== undefined) return void waiting.push(found);
    this.#opening.set(key, [found]);
    if (cached === undefined) return this.#openFile(folder, name, key);
    stat(folder.path + name, (error, stats) => {
      if (error === null && !cached.retired && isUnchanged(cached.stats, stats)) {
        cached.checkedAtMs = performance.now();
        cached.variants = null;
        this.#files.delete(key);
        this.#files.set(key, cached);
        return this.#tell(key, cached, null, null);
      }
      this.#retire(key, cached);
      this.#openFile(folder, name, key);
    });
  }

  /** The user of a file has done with it. */
  done(file: CachedFile): void {
    file.users--;
    this.#closeUnused(file);
    // While all were in use there was no room to be made.
    if (this.#files.size > this.#limits.cachedMax) this.#makeRoom();
  }

  /** What is in use is closed by its last user. */
  close(): void {
    this.#closed = true;
    for (const [key, file] of this.#files) this.#retire(key, file);
  }

  #openFile(folder: Folder, name: string, key: string): void {
    if (this.#open >= this.#limits.openMax) this.#makeRoom();
    if (this.#open >= this.#limits.openMax) {
      return this.#tell(key, null, "failed", new Error(`${this.#limits.openMax} files are open`));
    }
    this.#open++;
    folder.open(name, (opened, why, error) => {
      if (opened === null) {
        this.#open--;
        return this.#tell(key, null, why, error);
      }
      const file = new CachedFile(opened.fd, opened.stats);
      file.checkedAtMs = performance.now();
      if (this.#files.size >= this.#limits.cachedMax) this.#makeRoom();
      this.#files.set(key, file);
      this.#tell(key, file, null, null);
      if (this.#closed) this.#retire(key, file);
    });
  }

  #tell(key: string, file: CachedFile | null, why: NoFile | null, error: Error | null): void {
    const waiting = this.#opening.get(key)!;
    this.#opening.delete(key);
    if (file !== null) file.users += waiting.length;
    for (const found of waiting) found(file, why, error);
  }

  /** Of those that nobody uses, the one that was not asked for the longest goes (to the second). */
  #makeRoom(): void {
    for (const [key, file] of this.#files) if (file.users === 0) return this.#retire(key, file);
  }

  #retire(key: string, file: CachedFile): void {
    if (this.#files.get(key) === file) this.#files.delete(key);
    file.retired = true;
    this.#closeUnused(file);
  }

  #closeUnused(file: CachedFile): void {
    if (!file.retired || file.users > 0 || file.closed) return;
    file.closed = true;
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
