/**
 * A voter's memory in the data folder of its machine: `<data>/register/<cluster>@<address>.vote`, one for all
 * processes of the machine.
 *
 * Each vote is written to a second file, synced, renamed over the first, and the folder synced, before anything is
 * answered; all of it in the thread pool of Node, not on the event loop. What another process wrote is synced
 * again before it is believed: that process may have been killed between its rename and its sync.
 *
 * The lock is an abstract Unix socket (unix(7)) named after the file: the kernel gives it to one process and takes it
 * back when that process ends, however it ends. A lock file would have to be judged stale by its readers, who can
 * be wrong together. The lock is held for one vote only, so a stopped process hardly ever holds it.
 */
import { createHash } from "node:crypto";
import { close, fstat, fsync, mkdirSync, open, readFile, realpathSync, rename, write } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { codeOf, type FlotillaError, messageOf } from "../support/errors.ts";
import { register as limits } from "../support/limits.ts";
import type { VoteStorage } from "./acceptor.ts";
import { unreachable } from "./unreachable.ts";

type Fail = (error: FlotillaError) => void;

export class VoterFile implements VoteStorage {
  readonly path: string;
  readonly #folder: string;
  readonly #lockName: string;
  /** The file of which this process knows that it is on disk: inode, size and time of change. */
  #synced = "";
  readonly #onProblem: (message: string) => void;
  #isToldOf = false;

  /**
   * Makes the folder.
   * @param onProblem told once, until it works again, when the file can't be read or written.
   * @throws the system's error when it can't be made.
   */
  constructor(
    dataFolder: string,
    cluster: string,
    voter: string,
    onProblem: (message: string) => void = () => {},
  ) {
    this.#onProblem = onProblem;
    this.#folder = join(dataFolder, "register");
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    // An IPv6 address has colons and may have a zone.
    this.path = join(this.#folder, `${encodeURIComponent(`${cluster}@${voter}`)}.vote`);
    const real = join(realpathSync(this.#folder), this.path.slice(this.#folder.length + 1));
    this.#lockName = `\0flotilla-vote-${createHash("sha256").update(real).digest("base64url")}`;
  }

  read(done: (error: FlotillaError | null, bytes: Buffer | null) => void): void {
    open(this.path, "r", (openError, file) => {
      if (openError !== null && codeOf(openError) === "ENOENT") return done(null, null);
      if (openError !== null) return done(this.#failure("read", openError), null);
      const end = (error: FlotillaError | null, bytes: Buffer | null): void =>
        close(file, () => done(error, bytes));
      this.#ensureSynced(
        file,
        (error) => end(error, null),
        () =>
          readFile(file, (readError, bytes) => {
            if (readError === null) end(null, bytes);
            else end(this.#failure("read", readError), null);
          }),
      );
    });
  }

  write(bytes: Buffer, done: (error: FlotillaError | null) => void): void {
    const fail = (error: unknown): void => done(this.#failure("write", error));
    const next = `${this.path}.next`;
    open(next, "w", 0o600, (openError, file) => {
      if (openError !== null) return fail(openError);
      writeAll(file, bytes, 0, (writeError) => {
        if (writeError !== null) return close(file, () => fail(writeError));
        fsync(file, (syncError) => {
          if (syncError !== null) return close(file, () => fail(syncError));
          rename(next, this.path, (renameError) => {
            if (renameError !== null) return close(file, () => fail(renameError));
            this.#syncFolder(
              file,
              (error) => close(file, () => done(error)),
              () => {
                this.#isToldOf = false;
                close(file, () => done(null));
              },
            );
          });
        });
      });
    });
  }

  lock(done: (error: FlotillaError | null, unlock: () => void) => void): void {
    const untilMs = performance.now() + limits.lockTimeoutMs;
    const take = (): void => {
      const server = createServer((socket) => socket.destroy());
      server.once("error", (error) => {
        if (codeOf(error) === "EADDRINUSE" && performance.now() < untilMs)
          setTimeout(take, limits.lockRetryMs);
        else done(this.#failure("lock", error), () => {});
      });
      server.listen({ path: this.#lockName, exclusive: true }, () => done(null, () => server.close()));
      server.unref();
    };
    take();
  }

  /** Almost always known to be: then one look at the file is all. */
  #ensureSynced(file: number, fail: Fail, then: () => void): void {
    fstat(file, { bigint: true }, (statError, stat) => {
      if (statError !== null) return fail(this.#failure("read", statError));
      if (identity(stat) === this.#synced) return then();
      fsync(file, (syncError) => {
        if (syncError !== null) return fail(this.#failure("sync", syncError));
        this.#syncFolder(file, fail, then);
      });
    });
  }

  /** After it the name in the folder is on disk too, and `file` is known to be. */
  #syncFolder(file: number, fail: Fail, then: () => void): void {
    open(this.#folder, "r", (openError, folder) => {
      if (openError !== null) return fail(this.#failure("sync", openError));
      fsync(folder, (syncError) =>
        close(folder, () => {
          if (syncError !== null) return fail(this.#failure("sync", syncError));
          fstat(file, { bigint: true }, (statError, stat) => {
            this.#synced = statError === null ? identity(stat) : "";
            then();
          });
        }),
      );
    });
  }

  #failure(what: string, error: unknown): FlotillaError {
    const message = `cannot ${what} the voter's file ${this.path}: ${messageOf(error)}`;
    // Of a lock that is held for long the next try may know better.
    if (what !== "lock" && !this.#isToldOf) {
      this.#isToldOf = true;
      this.#onProblem(
        `${message}; until it can, this machine has no vote, and sessions go on only while most others have one: ${remedyOf(error, this.#folder)}`,
      );
    }
    return unreachable(message, error);
  }
}

function remedyOf(error: unknown, folder: string): string {
  if (codeOf(error) !== "ENOENT") return `see to the disk and to the rights of ${folder}`;
  return (
    `the folder was removed; make it again (mkdir -m 700 -p ${folder}) and this machine is added as a new voter by the ` +
    "others; where the votes of most are gone, stop all servers and start them: their sessions begin anew"
  );
}

function identity(stat: { ino: bigint; size: bigint; mtimeNs: bigint }): string {
  return `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
}

function writeAll(file: number, bytes: Buffer, from: number, done: (error: Error | null) => void): void {
  write(file, bytes, from, bytes.length - from, null, (error, written) => {
    if (error !== null) done(error);
    else if (from + written < bytes.length) writeAll(file, bytes, from + written, done);
    else done(null);
  });
}
