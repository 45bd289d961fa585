/**
 * `flotilla sessions import --from`: takes the sessions of another library's store along, from Redis, PostgreSQL or MySQL, into a running
 * site. Nothing is written to the store, and what is in place stays there: it can be run again.
 */
import { refuseOtherSite } from "../../admin/other-site.ts";
import type { Cluster } from "../../config/model.ts";
import { RecordProblem } from "../../session/checkpoint/record.ts";
import { checkRecord, type ForeignRecord } from "../../session/foreign/stored-session.ts";
import { FlotillaError } from "../../support/errors.ts";
import { session as sessionLimits } from "../../support/limits.ts";
import { count, grouped, passed } from "../../support/words.ts";
import { openFile } from "../cluster-file.ts";
import { complain, say, sayJson } from "../terminal.ts";
import { complainOfMissing, type Given, Giving, givenInWords } from "./giving.ts";
import type { ImportOptions } from "./import.ts";
import { clusterWithSessions, type Keepers, withKeepers } from "./keepers.ts";
import { Progress } from "./progress.ts";
import { type Read, Reading } from "./reading.ts";
import { ResumeFile } from "./resume-file.ts";
import { readAddress } from "./sources/address.ts";
import { openSource } from "./sources/open.ts";
import type { SessionSource, SourceOptions } from "./sources/source.ts";

export interface ImportFromOptions extends ImportOptions, SourceOptions {
  readonly from: string;
  /** Path of the file that says how far an earlier run came; null: none. */
  readonly resume: string | null;
}

/** With what is needed to tell why it was refused. */
interface Taken extends Given {
  readonly sid: string;
  readonly value: ForeignRecord;
}

/** @returns the exit code: 0 when each visitor of the store whose session lives is known here. */
export async function importFrom(path: string, options: ImportFromOptions): Promise<number> {
  const address = readAddress(options.from);
  const file = openFile(path);
  if (file === null) return 1;
  refuseOtherSite(file);
  const cluster = clusterWithSessions(file, options.cluster);
  if (address.isOpen)
    complain(
      `note: others of this machine see the password in the list of processes; write \${file:NAME} or \${env:NAME} in its place, in single quotes`,
    );
  const source = await openSource(address, options);
  try {
    if (source.note !== null) complain(`note: ${source.name}: ${source.note}`);
    const reading = new Reading(source, cluster.sessions?.idleTimeoutMs ?? sessionLimits.idleTimeoutMs);
    if (options.dryRun) return await lookThrough(reading, source, options.json);
    return await withKeepers(file, cluster, (keepers) =>
      giveAll({ reading, source, keepers, cluster, options }),
    );
  } finally {
    await source.close();
  }
}

async function lookThrough(reading: Reading, source: SessionSource, asJson: boolean): Promise<number> {
  const progress = new Progress();
  const startedAt = performance.now();
  let sessions = 0;
  try {
    for await (const item of reading.all("")) {
      if (item.kind === "session" && isTaken(reading, item.sid, item.record)) sessions++;
      progress.tell(() => inWords(sessions, "read", startedAt, reading.share));
    }
  } finally {
    progress.end();
  }
  const { expired, leftOut } = reading;
  if (asJson) sayJson({ sessions, expired, leftOut: leftOut.reasons, dryRun: true });
  else {
    say(
      `${source.name}: ${count(sessions, "session")}, ${expired} more expired. Nothing was given to the site.`,
    );
    for (const line of leftOut.lines) complain(line);
  }
  return leftOut.isHarmless ? 0 : 1;
}

interface Moving {
  readonly reading: Reading;
  readonly source: SessionSource;
  readonly keepers: Keepers;
  readonly cluster: Cluster;
  readonly options: ImportFromOptions;
}

async function giveAll(moving: Moving): Promise<number> {
  const { reading, source, keepers, cluster, options } = moving;
  refuseManyAlone(keepers, cluster);
  const resumeFile =
    options.resume === null
      ? null
      : ResumeFile.open(options.resume, { from: source.name, into: cluster.name });
  const from = await beginOf(resumeFile, source);
  const giving = new Giving<Taken>(keepers, options, ({ sid, value }) => {
    if (isTaken(reading, sid, value))
      reading.leftOut.add(
        sid,
        "a server refuses it: it is of another release, or its database can't hold a value",
        true,
      );
  });
  const progress = new Progress();
  const startedAt = performance.now();
  try {
    for await (const item of reading.all(from)) {
      if (item.kind === "place") await giving.reachedPlace(item.place);
      else await giving.take(takenOf(item));
      if (giving.reached !== null) resumeFile?.reached(giving.reached);
      progress.tell(() => inWords(giving.given, "given", startedAt, reading.share));
    }
  } catch (error) {
    complain(`Before that: ${count(giving.given, "session")} given, which stay: it can be run again.`);
    throw error;
  } finally {
    progress.end();
    await giving.end();
    if (giving.reached !== null) resumeFile?.reached(giving.reached);
    resumeFile?.save();
  }
  giving.expired = reading.expired;
  const code = tell(giving, reading, options.json);
  if (giving.of(...unfinished) === 0) resumeFile?.remove();
  return code;
}

const unfinished = ["elsewhere", "busy", "unknown", "full"] as const;

/** @returns where reading begins. */
async function beginOf(resumeFile: ResumeFile | null, source: SessionSource): Promise<string> {
  const place = resumeFile?.place ?? "";
  if (place === "" || (await source.leadsOn(place))) return place;
  complain(
    "note: Redis was started anew since then, so all of it is read again; what is there already stays",
  );
  return "";
}

/** Nobody knows which of them a visitor with an old cookie will be sent to. */
function refuseManyAlone({ areShared, alone }: Keepers, { name }: Cluster): void {
  if (areShared || alone.length < 2) return;
  throw new FlotillaError(
    "FLOTILLA_SESSIONS_CLUSTER",
    `each of the ${alone.length} servers of ${name} keeps sessions alone (durability: memory), and visitors with cookies of ` +
      "before may be sent to any of them: import with durability: backup",
    { source: "client" },
  );
}

function takenOf({ sid, bytes, record }: Extract<Read, { kind: "session" }>): Taken {
  return { sid, key: record.key, owner: "", value: record, bytes };
}

/** Whether servers will; what they will not is left out. */
function isTaken({ leftOut }: Reading, sid: string, record: ForeignRecord): boolean {
  try {
    checkRecord(record);
    return true;
  } catch (error) {
    if (!(error instanceof RecordProblem)) throw error;
    leftOut.add(sid, error.message, true);
    return false;
  }
}

/** "12,345 sessions given, 4,100/s, 31 %, 2 min left" */
function inWords(sessions: number, what: string, startedAt: number, share: number | null): string {
  const ms = performance.now() - startedAt;
  const parts = [
    `${grouped(sessions)} sessions ${what}`,
    `${grouped(Math.round((1_000 * sessions) / ms))}/s`,
  ];
  if (share !== null && share > 0)
    parts.push(`${Math.floor(100 * share)} %`, `${passed((ms * (1 - share)) / share)} left`);
  return parts.join(", ");
}

/** @returns the exit code. */
function tell(giving: Giving<Taken>, { leftOut, expired }: Reading, asJson: boolean): number {
  const [full, failed] = [giving.of("full"), giving.of("elsewhere", "busy", "unknown")];
  const isComplete = full + failed === 0 && leftOut.isHarmless;
  if (asJson) {
    const [put, replaced, kept] = [giving.of("put"), giving.of("replaced"), giving.of("kept")];
    sayJson({ put, replaced, kept, expired, full, failed, leftOut: leftOut.reasons, isComplete });
  } else {
    say(givenInWords(giving));
    for (const line of leftOut.lines) complain(line);
  }
  complainOfMissing(giving, full, failed);
  return isComplete ? 0 : 1;
}
