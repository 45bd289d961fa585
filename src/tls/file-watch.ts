/**
 * Tells when files have changed, by looking at where their paths lead: files that are replaced, renamed over, or behind
 * symbolic links that turn (certbot, Kubernetes) look all the same. A change is told when it has stayed as it is from one
 * look to the next, because a certificate and its key are written one after the other.
 */
import { type BigIntStats, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { codeOf } from "../support/errors.ts";

/** Files that belong together. */
export interface WatchedFiles {
  readonly paths: readonly string[];
  readonly changed: () => void;
}

interface Watched extends WatchedFiles {
  /** How the files looked when they were read last. */
  taken: string;
  seen: string;
}

export class FileWatch {
  readonly #watched: readonly Watched[];
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  /** To be made before the files are read: what changes from here on is told. */
  constructor(files: readonly WatchedFiles[], intervalMs: number) {
    this.#watched = files.map((group) => {
      const stamp = group.paths.map((path) => stampSync(path)).join();
      return { ...group, taken: stamp, seen: stamp };
    });
    this.#intervalMs = intervalMs;
  }

  /** Looks again and again until `close`; does not keep the process alive. */
  start(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.look().then(() => this.start()), this.#intervalMs);
    this.#timer.unref();
  }

  /** One look at all files. */
  async look(): Promise<void> {
    for (const group of this.#watched) {
      // One after the other: a thousand at once would hold up who waits for the disk meanwhile.
      const stamps: string[] = [];
      for (const path of group.paths) stamps.push(await stampOf(path));
      if (this.#closed) return;
      const stamp = stamps.join();
      const settled = stamp === group.seen;
      group.seen = stamp;
      if (!settled || stamp === group.taken) continue;
      group.taken = stamp;
      group.changed();
    }
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

function stampSync(path: string): string {
  try {
    return stampText(statSync(path, { bigint: true }));
  } catch (thrown) {
    return codeOf(thrown);
  }
}

function stampOf(path: string): Promise<string> {
  return stat(path, { bigint: true }).then(stampText, codeOf);
}

function stampText({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}
