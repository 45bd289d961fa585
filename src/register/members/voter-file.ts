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
import { close, fstat, fsync, mkdirSync, open, readFile, realpathSync, rename, unlink, write } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Clock, systemClock, type Timer } from "../../support/clock.ts";
import { codeOf, type FlotillaError, messageOf } from "../../support/errors.ts";
import { register as limits } from "../../support/limits.ts";
import { Seldom } from "../../support/seldom.ts";
import { unreachable } from "../unreachable.ts";
import type { VoteStorage } from "./acceptor.ts";

type Fail = (error: FlotillaError) => void;

export interface VoterFileObserver {
  /** The file can't be read or written: told seldom for as long as that lasts. */
  onProblem(message: string): void;
  /** It can again. */
  onMended(message: string): void;
}

export class VoterFile implements VoteStorage {
  readonly path: string;
  readonly #folder: string;
  readonly #lockName: string;
  /** The file of which this process knows that it is on disk: inode, size and time of change. */
  #synced = "";
  readonly #observer: VoterFileObserver;
  readonly #clock: Clock;
  readonly #seldom: Seldom;
  #isTold = false;
  #problem: string | null = null;
  #isClosed = false;
  #probe: Timer | null = null;

  /**
   * Makes the folder.
   * @throws the system's error when it can't be made.
   */
  constructor(
    dataFolder: string,
    cluster: string,
    voter: string,
    observer: VoterFileObserver = { onProblem() {}, onMended() {} },
    clock: Clock = systemClock,
  ) {
    this.#clock = clock;
    this.#seldom = new Seldom(limits.complaintIntervalMs, clock);
    this.#observer = observer;
    this.#folder = join(dataFolder, "register");
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    // An IPv6 address has colons and may have a zone.
    this.path = join(this.#folder, `${encodeURIComponent(`${cluster}@${voter}`)}.vote`);
    const real = join(realpathSync(this.#folder), this.path.slice(this.#folder.length + 1));
    this.#lockName = `\0flotilla-vote-${createHash("sha256").update(real).digest("base64url")}`;
  }

  /** What is wrong and what to do, for a person; null: nothing, as far as known. */
  get problem(): string | null {
    return this.#problem;
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
                this.#mended();
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
    if (what !== "lock") this.#trouble(`${message}; ${consequence}: ${remedyOf(error, this.#folder)}`);
    return unreachable(message, error);
  }

  #trouble(problem: string): void {
    this.#problem = problem;
    if (this.#seldom.add() > 0) {
      this.#isTold = true;
      this.#observer.onProblem(problem);
    }
    if (!this.#isClosed) this.#probe ??= this.#clock.after(limits.probeIntervalMs, () => this.#tryOut());
  }

  #mended(): void {
    if (this.#problem === null) return;
    this.#problem = null;
    // On a disk that is just full it may come and go.
    if (this.#isTold) this.#observer.onMended(`the voter's file ${this.path} can be written again`);
    this.#isTold = false;
  }

  /** Votes are not always asked for: whether the trouble is over is found out with a file that holds nothing of importance. */
  #tryOut(): void {
    this.#probe = null;
    if (this.#problem === null || this.#isClosed) return;
    const trial = `${this.path}.trial`;
    const end = (error: Error | null): void =>
      unlink(trial, () => (error === null ? this.#mended() : void this.#failure("write", error)));
    readFile(this.path, (readError, found) => {
      if (readError !== null && codeOf(readError) !== "ENOENT") return void this.#failure("read", readError);
      open(trial, "w", 0o600, (openError, file) => {
        if (openError !== null) return void this.#failure("write", openError);
        const bytes = Buffer.alloc(Math.max(found?.length ?? 0, limits.trialBytes));
        writeAll(file, bytes, 0, (writeError) => {
          if (writeError !== null) return close(file, () => end(writeError));
          fsync(file, (syncError) => close(file, () => end(syncError)));
        });
      });
    });
  }

  /** Whether it can be read and written is not looked after any more. */
  close(): void {
    this.#isClosed = true;
    this.#probe?.cancel();
  }
}

const consequence: string =
  "until it can, this machine has no vote, and sessions go on only while most others have one";

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
