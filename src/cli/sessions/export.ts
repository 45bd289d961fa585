/** `flotilla sessions export`: a checkpoint of all sessions while the site runs, each of them whole, as committed. */
import { createWriteStream } from "node:fs";
import { open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { refuseOtherSite } from "../../admin/other-site.ts";
import type { ClusterFile } from "../../config/model.ts";
import { CheckpointWriter } from "../../session/checkpoint/writer.ts";
import { inWords } from "../../session/disk/disk-errors.ts";
import { idKeyFingerprint } from "../../session/id.ts";
import { codeOf, FlotillaError } from "../../support/errors.ts";
import { count, grouped, sizeInWords } from "../../support/words.ts";
import { openFile } from "../cluster-file.ts";
import { complain, enumerate } from "../terminal.ts";
import { clusterWithSessions, type Keepers, withKeepers } from "./keepers.ts";
import { Progress } from "./progress.ts";
import { removeUnfinished, unfinishedName } from "./unfinished.ts";
import { damagedInWords, walk } from "./walk.ts";

/** @param to a file, gzipped where its name ends so; "-": standard output. @returns the exit code: 0 when it has all sessions. */
export async function exportSessions(path: string, to: string, clusterName: string | null): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  refuseOtherSite(file);
  const cluster = clusterWithSessions(file, clusterName);
  return await withKeepers(file, cluster, async (keepers) => {
    const checkpoint = new Checkpoint(file, keepers);
    await write(to, checkpoint);
    const { sessions, bytes } = checkpoint;
    complain(
      `${count(sessions, "session")} of ${cluster.name}, ${sizeInWords(bytes)} of text, ${to === "-" ? "written" : `in ${to}`}`,
    );
    const silent = keepers.silentAlone;
    if (silent.length > 0) complain(`Not in it, if they keep any: ${enumerate(silent)}`);
    if (checkpoint.damaged > 0) complain(`Not in it: ${damagedInWords(checkpoint.damaged)}.`);
    return silent.length === 0 && checkpoint.damaged === 0 ? 0 : 1;
  });
}

class Checkpoint {
  readonly #file: ClusterFile;
  readonly #keepers: Keepers;
  readonly #writer: CheckpointWriter = new CheckpointWriter();
  bytes = 0;
  damaged = 0;

  constructor(file: ClusterFile, keepers: Keepers) {
    this.#file = file;
    this.#keepers = keepers;
  }

  get sessions(): number {
    return this.#writer.sessions;
  }

  /** A page at a time, when whoever writes it has room. */
  async *texts(): AsyncGenerator<string> {
    const { name } = this.#keepers.cluster;
    const { about } = this.#keepers;
    yield this.#counted(
      this.#writer.header({
        ...{ cluster: name, idKey: idKeyFingerprint(this.#file.secret, name) },
        ...{ takenAt: new Date().toISOString(), sessions: about },
      }),
    );
    const progress = new Progress();
    for await (const { sessions, damaged } of walk(this.#keepers, { where: null, isForKeys: false })) {
      this.damaged += damaged;
      yield this.#counted(sessions.map((session) => this.#writer.session(session)).join(""));
      progress.tell(
        () => `${grouped(this.sessions)} of about ${grouped(about)} sessions, ${sizeInWords(this.bytes)}`,
      );
    }
    progress.end();
    yield this.#counted(this.#writer.end());
  }

  #counted(text: string): string {
    this.bytes += Buffer.byteLength(text);
    return text;
  }
}

/** @throws FlotillaError FLOTILLA_CHECKPOINT_NOT_WRITTEN; what was there before is still there. */
async function write(to: string, checkpoint: Checkpoint): Promise<void> {
  if (to === "-") return await pourOut(checkpoint);
  const place = await placeOf(to);
  await removeUnfinished(place);
  const unfinished = unfinishedName(place);
  try {
    // Synced before it is closed; who reads sessions can be all their visitors, so only this user may.
    await pour(
      checkpoint,
      to.endsWith(".gz"),
      createWriteStream(unfinished, { flags: "wx", mode: 0o600, flush: true }),
    );
    await rename(unfinished, place);
    const folder = await open(dirname(place));
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    await rm(unfinished, { force: true });
    if (error instanceof FlotillaError) throw error;
    const why = codeOf(error) === "ABORT_ERR" ? "it was interrupted" : inWords(error);
    throw notWritten(to, why, error);
  }
}

/** The file that will be replaced: a link stays, and so does a device (`/dev/null`), which root could replace by a file. */
async function placeOf(to: string): Promise<string> {
  const found = await stat(to).catch(() => null);
  if (found === null) return to;
  if (found.isDirectory()) throw notWritten(to, "it is a folder; name a file in it");
  if (!found.isFile()) throw notWritten(to, 'it is no file; "-" is standard output');
  return await realpath(to);
}

async function pourOut(checkpoint: Checkpoint): Promise<void> {
  try {
    await pour(checkpoint, false, process.stdout);
  } catch (error) {
    if (codeOf(error) !== "EPIPE") throw error;
    throw notWritten("standard output", "who reads it has closed it before the end", error);
  }
}

function notWritten(to: string, why: string, cause?: unknown): FlotillaError {
  return new FlotillaError("FLOTILLA_CHECKPOINT_NOT_WRITTEN", `${to} was not written: ${why}`, { cause });
}

async function pour(checkpoint: Checkpoint, isZipped: boolean, to: Writable): Promise<void> {
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupt);
  const options = { signal: interruption.signal, end: to !== process.stdout };
  // Pages, not characters: each waits until there is room.
  const source = Readable.from(checkpoint.texts(), { objectMode: true, highWaterMark: 1 });
  try {
    await (isZipped ? pipeline(source, createGzip(), to, options) : pipeline(source, to, options));
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, interrupt);
  }
}
