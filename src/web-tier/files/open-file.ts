/**
 * A file of a folder, opened so that nothing outside is ever read. The path that the kernel followed is asked for
 * behind the opening, and has to be the one that was meant: there is no moment in which a link could be slipped in.
 * A special file is never waited for.
 */
import { close, constants, fstat, open, readlink, realpath, type Stats } from "node:fs";
import { codeOf } from "../../support/errors.ts";

export interface OpenedFile {
  readonly fd: number;
  readonly stats: Stats;
}

/** Why there is no file. `folder`: there is one of this name. `failed`: the disk, or the limit of open files. */
export type NoFile = "none" | "folder" | "forbidden" | "failed";

/** Exactly one of the two is null. @param error of `failed`. */
export type Opened = (file: OpenedFile | null, why: NoFile | null, error: Error | null) => void;

const flags = constants.O_RDONLY | constants.O_NONBLOCK;
const flagsWithoutLink = flags | constants.O_NOFOLLOW;
const missing: ReadonlySet<string> = new Set([
  "ENOENT",
  "ENOTDIR",
  "ELOOP",
  "ENAMETOOLONG",
  "ENXIO",
  "EINVAL",
]);

export class Folder {
  readonly path: string;
  /** In the cache: what one route may open behind a link is nothing for another. */
  readonly cacheKey: string;
  readonly #followSymlinks: boolean;
  /** Where the folder really is; a deployment may turn it into a link to another one at any time. */
  #realPath = "";

  /** @param path absolute. */
  constructor(path: string, followSymlinks: boolean) {
    this.path = path;
    this.cacheKey = followSymlinks ? `links:${path}` : path;
    this.#followSymlinks = followSymlinks;
  }

  /** @param name "/a/b", without dot segments. */
  open(name: string, done: Opened): void {
    open(this.path + name, this.#followSymlinks ? flags : flagsWithoutLink, (error, fd) => {
      if (error !== null) return done(null, whyNot(error), error);
      fstat(fd, (error, stats) => {
        if (error !== null) return giveUp(fd, "failed", error, done);
        if (stats.isDirectory()) return giveUp(fd, "folder", null, done);
        if (!stats.isFile()) return giveUp(fd, "none", null, done);
        const opened = { fd, stats };
        if (this.#followSymlinks) return done(opened, null, null);
        this.#checkPath(opened, name, true, done);
      });
    });
  }

  #checkPath(file: OpenedFile, name: string, again: boolean, done: Opened): void {
    realPathOf(file.fd, this.path + name, (error, path) => {
      if (error !== null) return giveUp(file.fd, "failed", error, done);
      if (path === this.#realPath + name) return done(file, null, null);
      if (!again) return giveUp(file.fd, "none", null, done);
      realpath(this.path, (error, path) => {
        if (error !== null) return giveUp(file.fd, whyNot(error), error, done);
        this.#realPath = path === "/" ? "" : path;
        this.#checkPath(file, name, false, done);
      });
    });
  }
}

/** Of an open file where the system tells (Linux), else of its name. */
function realPathOf(fd: number, path: string, done: (error: Error | null, path: string) => void): void {
  if (process.platform === "linux") readlink(`/proc/self/fd/${fd}`, done);
  else realpath(path, done);
}

function giveUp(fd: number, why: NoFile, error: Error | null, done: Opened): void {
  close(fd, () => done(null, why, error));
}

function whyNot(error: Error): NoFile {
  const code = codeOf(error);
  if (missing.has(code)) return "none";
  return code === "EACCES" || code === "EPERM" ? "forbidden" : "failed";
}
