/**
 * `flotilla sessions import`: gives the sessions of a checkpoint to a running site, this one or another. A file is looked at whole
 * before anything is given; what comes from standard input, line by line.
 */
import { createReadStream, statSync } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { refuseOtherSite } from "../../admin/other-site.ts";
import type { Cluster, ClusterFile } from "../../config/model.ts";
import { type CheckpointItem, readCheckpoint } from "../../session/checkpoint/reader.ts";
import { hasExpired } from "../../session/checkpoint/record.ts";
import type { CheckpointHeader } from "../../session/checkpoint/writer.ts";
import { inWords } from "../../session/disk/disk-errors.ts";
import { idKeyFingerprint } from "../../session/id.ts";
import { codeOf, FlotillaError, messageOf } from "../../support/errors.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";
import { count } from "../../support/words.ts";
import { openFile, shortName } from "../cluster-file.ts";
import { complain, say, sayJson } from "../terminal.ts";
import { Giving, tellGiven } from "./giving.ts";
import { clusterWithSessions, withKeepers } from "./keepers.ts";
import { Progress } from "./progress.ts";

export interface ImportOptions {
  readonly cluster: string | null;
  /** The places of sessions that there are, are taken. */
  readonly replace: boolean;
  /** Only look at what would be given. */
  readonly dryRun: boolean;
  /** Sessions per second; null: the default. */
  readonly rate: number | null;
  readonly json: boolean;
}

const wrongCode = "FLOTILLA_CHECKPOINT_WRONG";

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
        if (item.kind === "session") await take(giving, item);
        progress.tell(() => giving.inWords);
      }
    } catch (error) {
      if (codeOf(error) !== wrongCode) throw error;
      await giving.end();
      throw wrong(from, [messageOf(error)], giving);
    } finally {
      progress.end();
    }
    await giving.end();
    return tellGiven(giving, options.json);
  });
}

async function take(
  giving: Giving,
  { record, value }: Extract<CheckpointItem, { kind: "session" }>,
): Promise<void> {
  const { session, owner } = record;
  if (hasExpired(session)) giving.expired++;
  else await giving.take({ key: session.key, owner, value, bytes: JSON.stringify(value).length });
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
