/**
 * `flotilla sessions import`: gives the sessions of a checkpoint to a running site, this one or another. A file is looked at whole
 * before anything is given; what comes from standard input, line by line.
 */
import { createReadStream, statSync } from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { createGunzip } from "node:zlib";
import { refuseOtherSite } from "../../admin/other-site.ts";
import type { Cluster, ClusterFile, Server } from "../../config/model.ts";
import type { Outcome } from "../../session/admin/questions.ts";
import { type CheckpointItem, readCheckpoint } from "../../session/checkpoint/reader.ts";
import { hasExpired } from "../../session/checkpoint/record.ts";
import type { CheckpointHeader } from "../../session/checkpoint/writer.ts";
import { inWords } from "../../session/disk/disk-errors.ts";
import { idKeyFingerprint, slotOfKey } from "../../session/id.ts";
import { codeOf, FlotillaError, messageOf } from "../../support/errors.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";
import { count, grouped } from "../../support/words.ts";
import { openFile, shortName } from "../cluster-file.ts";
import { complain, enumerate, say, sayJson } from "../terminal.ts";
import { deliver } from "./deliver.ts";
import { clusterWithSessions, type Keepers, withKeepers } from "./keepers.ts";
import { Progress } from "./progress.ts";

export interface ImportOptions {
  readonly cluster: string | null;
  /** The places of sessions that there are, are taken. */
  readonly replace: boolean;
  /** Only look at the file. */
  readonly dryRun: boolean;
  /** Sessions per second; null: the default. */
  readonly rate: number | null;
  readonly json: boolean;
}

const wrongCode = "FLOTILLA_CHECKPOINT_WRONG";

/** A session of the file that is to be given. */
interface Given {
  readonly key: string;
  readonly owner: string;
  readonly value: unknown;
}

interface Looked {
  readonly sessions: number;
  /** Unused for as long as they may be. */
  readonly expired: number;
}

/** @returns the exit code: 0 when all sessions of the file that have not expired are there. */
export async function importSessions(path: string, from: string, options: ImportOptions): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  refuseOtherSite(file);
  const cluster = clusterWithSessions(file, options.cluster);
  if (!canBeReadOnce(from) || options.dryRun) {
    const looked = await look(from);
    if (options.dryRun) {
      if (options.json) sayJson({ ...looked, dryRun: true });
      else
        say(
          `${from}: ${count(looked.sessions, "session")}, ${looked.expired} of them expired. Nothing was given to the site.`,
        );
      return 0;
    }
  }
  return await withKeepers(file, cluster, async (keepers) => {
    const giving = new Giving(keepers, options);
    const progress = new Progress();
    try {
      for await (const item of itemsOf(from)) {
        if (item.kind === "header") tellIds(file, cluster, item.header);
        if (item.kind === "problem") throw notCheckpoint(`line ${item.line}: ${item.why}`);
        if (item.kind === "session") await giving.take(item);
        progress.tell(() => giving.inWords);
      }
    } catch (error) {
      if (codeOf(error) !== wrongCode) throw error;
      await giving.flush();
      throw wrong(from, [messageOf(error)], giving);
    } finally {
      progress.end();
    }
    await giving.flush();
    return tell(giving, options.json);
  });
}

/** What comes through a pipe (`<(zcat monday.gz)`) is gone when it was looked at. */
function canBeReadOnce(from: string): boolean {
  if (from === "-") return true;
  const found = statSync(from, { throwIfNoEntry: false });
  return found !== undefined && (found.isFIFO() || found.isSocket() || found.isCharacterDevice());
}

/** Goes through all of it, or so far as there is any sense in it. @throws FlotillaError FLOTILLA_CHECKPOINT_WRONG with what is wrong, line by line. */
async function look(from: string): Promise<Looked> {
  const problems: string[] = [];
  let [sessions, expired, wrongLines] = [0, 0, 0];
  try {
    for await (const item of itemsOf(from)) {
      if (item.kind === "problem" && ++wrongLines <= limits.problemsMax)
        problems.push(`line ${item.line}: ${item.why}`);
      if (wrongLines >= limits.wrongLinesMax) break;
      if (item.kind !== "session") continue;
      sessions++;
      if (hasExpired(item.record.session)) expired++;
    }
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    problems.push(error.message);
  }
  if (wrongLines > limits.problemsMax) problems.push(`and ${wrongLines - limits.problemsMax} more`);
  if (wrongLines >= limits.wrongLinesMax) problems.push("the rest was not read");
  if (problems.length > 0) throw wrong(from, problems, null);
  return { sessions, expired };
}

async function* itemsOf(from: string): AsyncGenerator<CheckpointItem> {
  const source: Readable = from === "-" ? process.stdin : createReadStream(from);
  const isZipped = from.endsWith(".gz");
  const text = isZipped ? source.pipe(createGunzip()) : source;
  if (isZipped) source.on("error", (error) => text.destroy(error));
  try {
    yield* readCheckpoint(text as AsyncIterable<Buffer>);
  } catch (error) {
    if (error instanceof FlotillaError) throw error;
    throw notCheckpoint(`it can't be read: ${inWords(error)}`);
  } finally {
    source.destroy();
  }
}

class Giving {
  readonly #keepers: Keepers;
  readonly #replaces: boolean;
  readonly #perSecond: number;
  readonly #startedAt: number = performance.now();
  #batch: Given[] = [];
  #batchBytes = 0;
  #given = 0;
  readonly troubles: Set<string> = new Set();
  readonly outcomes: Map<Outcome, number> = new Map();
  expired = 0;
  /** Given to a server that ids may not lead to. */
  misplaced = 0;

  constructor(keepers: Keepers, { replace, rate }: ImportOptions) {
    this.#keepers = keepers;
    this.#replaces = replace;
    this.#perSecond = rate ?? limits.importPerSecond;
  }

  get inWords(): string {
    return `${grouped(this.#given)} sessions given`;
  }

  of(...outcomes: readonly Outcome[]): number {
    return outcomes.reduce((sum, outcome) => sum + (this.outcomes.get(outcome) ?? 0), 0);
  }

  async take({ record, value }: Extract<CheckpointItem, { kind: "session" }>): Promise<void> {
    const { session, owner } = record;
    if (hasExpired(session)) this.expired++;
    else await this.#add({ key: session.key, owner, value });
  }

  async #add(given: Given): Promise<void> {
    const bytes = JSON.stringify(given.value).length;
    if (this.#batchBytes + bytes > limits.pageBytes) await this.flush();
    this.#batch.push(given);
    this.#batchBytes += bytes;
    if (this.#batch.length >= limits.importBatchMax) await this.flush();
  }

  /** Gives what has gathered, no sooner than the rate allows. */
  async flush(): Promise<void> {
    const items = this.#batch;
    if (items.length === 0) return;
    this.#batch = [];
    this.#batchBytes = 0;
    const waitMs = this.#startedAt + (1_000 * this.#given) / this.#perSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    this.#given += items.length;
    const delivered = await deliver<Given>(
      this.#keepers,
      {
        ...{ ask: "sessions-put", items, serverOf: (item) => this.#serverOf(item) },
        content: (some) => ({ replaces: this.#replaces, sessions: some.map(({ value }) => value) }),
      },
      this.troubles,
    );
    for (const { item, outcome } of delivered) {
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
      if (!this.#keepers.areShared && this.#keepers.alone.length > 1 && this.#namedBy(item) === null)
        this.misplaced++;
    }
  }

  #serverOf(item: Given): Server | null {
    const { areShared, alone } = this.#keepers;
    const slot = slotOfKey(item.key);
    if (areShared) return this.#keepers.ownerOf(slot)?.server ?? null;
    return this.#namedBy(item) ?? alone[slot % Math.max(1, alone.length)]?.server ?? null;
  }

  /** Where servers keep sessions alone: the one that the letters of the session's ids lead to. */
  #namedBy({ owner }: Given): Server | null {
    const found = this.#keepers.alone.find(
      ({ server }) => owner === `${server.letter}${server.processIndex === 0 ? "" : server.processIndex}`,
    );
    return found?.server ?? null;
  }
}

/** @returns the exit code. */
function tell(giving: Giving, asJson: boolean): number {
  const [put, replaced, kept, full] = [
    giving.of("put"),
    giving.of("replaced"),
    giving.of("kept"),
    giving.of("full"),
  ];
  const failed = giving.of("elsewhere", "busy", "unknown", "refused");
  const { expired, misplaced } = giving;
  if (asJson)
    sayJson({ put, replaced, kept, expired, full, failed, misplaced, isComplete: failed + full === 0 });
  else {
    const parts = [`${count(put, "session")} put in place`];
    if (replaced > 0) parts.push(`${replaced} replaced`);
    if (kept > 0) parts.push(`${kept} there already, which stay as they are`);
    if (expired > 0) parts.push(`${expired} had expired`);
    say(`${enumerate(parts)}.`);
  }
  if (misplaced > 0)
    complain(
      `note: each server keeps its sessions alone, and for ${count(misplaced, "session")} none has the letter that was in their ids: ` +
        "their visitors may be sent to another server than the one that has them now",
    );
  if (full > 0)
    complain(
      `${count(full, "session")} found no room: each would have taken the place of a visitor's. Raise \`memory:\`, or add servers.`,
    );
  if (failed > 0)
    complain(
      `${count(failed, "session")} could not be put in place, or it is not known: ${enumerate([...giving.troubles]) || "the servers that keep them are busy"}. Run it again.`,
    );
  return failed + full === 0 ? 0 : 1;
}

/** Whether cookies that browsers have lead to what is given. */
function tellIds(file: ClusterFile, { name }: Cluster, { cluster, idKey }: CheckpointHeader): void {
  if (idKey === "") return;
  const secrets = file.previousSecret === null ? [file.secret] : [file.secret, file.previousSecret];
  if (secrets.some((secret) => idKeyFingerprint(secret, name) === idKey)) return;
  const why =
    cluster === name
      ? "the secret is another one"
      : `it is of a cluster with another name, or another secret`;
  complain(
    `note: browsers' cookies will not match these sessions, because ${why} than that of ${shortName(file)}. Ids are signed with both.`,
  );
}

/** @param giving what was given before; null: nothing. */
function wrong(from: string, problems: readonly string[], giving: Giving | null): FlotillaError {
  const lines = problems.map((problem) => `  ${problem}`).join("\n");
  const name = from === "-" ? "standard input" : from;
  const done = giving === null ? "Nothing was given to the site." : `Before that: ${giving.inWords}.`;
  return notCheckpoint(`${name} is not as a checkpoint has to be. ${done}\n${lines}`);
}

function notCheckpoint(why: string): FlotillaError {
  return new FlotillaError(wrongCode, why, { source: "client" });
}
