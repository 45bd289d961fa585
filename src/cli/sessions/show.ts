/** `flotilla sessions show`: where a session is kept, how large it is, when it ends; its values only when they are asked for. */
import { refuseOtherSite } from "../../admin/other-site.ts";
import type { ClusterFile } from "../../config/model.ts";
import type { ShowAnswer, ShownSession } from "../../session/admin/questions.ts";
import { slotOfKey } from "../../session/id.ts";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { admin } from "../../support/limits.ts";
import { count, passed, sizeInWords, visible } from "../../support/words.ts";
import { openFile } from "../cluster-file.ts";
import { coloured, complain, enumerate, say, sayJson, table } from "../terminal.ts";
import { type GivenSession, sessionOfId, sessionOfKey } from "./given-id.ts";
import { Keepers, membersOf } from "./keepers.ts";

export interface ShowOptions {
  /** Null: by its key. */
  readonly id: string | null;
  readonly key: string | null;
  readonly cluster: string | null;
  readonly values: boolean;
  readonly json: boolean;
}

/** What all servers together say of it. */
interface Found extends ShowAnswer {
  /** That has it: its owner, or the one that keeps it alone. */
  readonly server: string;
}

/** @returns the exit code: 1 when there is none. */
export async function show(path: string, options: ShowOptions): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  refuseOtherSite(file);
  const { id, key, cluster } = options;
  const given = id === null ? sessionOfKey(file, key ?? "", cluster) : sessionOfId(file, id, cluster);
  const found = await find(file, given, options.values);
  if (found?.session == null) {
    if (options.json) sayJson({ session: null, damage: found?.damage ?? null });
    else if (found?.damage !== undefined) complain(`It is there: ${found.damage}.`);
    else complain("There is no such session: it has ended, or never was.");
    return 1;
  }
  if (options.json) sayJson(inJson(given, found, found.session));
  else for (const line of inWords(given, found, found.session)) say(line);
  return 0;
}

/** @throws FlotillaError FLOTILLA_SESSIONS_INCOMPLETE: who should know does not answer. */
async function find(
  file: ClusterFile,
  { cluster, key }: GivenSession,
  withValues: boolean,
): Promise<Found | null> {
  const keepers = new Keepers(file, cluster);
  const silent: string[] = [];
  const answers: Found[] = [];
  await Promise.all(
    membersOf(cluster).map(async (server) => {
      try {
        const content = { key, withValues };
        const answer = (await keepers.ask(
          server,
          "sessions-show",
          content,
          admin.stopTimeoutMs,
        )) as ShowAnswer;
        if (answer.kind !== null) answers.push({ ...answer, server: server.name });
      } catch (error) {
        silent.push(`${server.name}: ${messageOf(error)}`);
      }
    }),
  );
  keepers.end();
  const found = answers.find(({ session, damage }) => session !== null || damage !== undefined);
  if (found !== undefined) return found;
  if (answers.some(({ kind, isServing }) => kind !== "alone" && isServing)) return null;
  const isWholeAnswer = silent.length === 0 && answers.every(({ isServing }) => isServing);
  if (isWholeAnswer) return null;
  const { owner = null, database = null } = answers.find((answer) => answer.owner ?? answer.database) ?? {};
  const keeper = owner ?? database ?? undefined;
  throw new FlotillaError(
    "FLOTILLA_SESSIONS_INCOMPLETE",
    `${keeper === undefined ? "nobody" : keeper} keeps it, and can't tell now${silent.length === 0 ? "" : ` (${enumerate(silent)})`}; try again in a moment`,
    { source: "server" },
  );
}

/** If nobody uses it. */
function endsAt({ idleForMs, idleTimeoutMs, ageMs, absoluteTimeoutMs }: ShownSession): Date {
  const leftMs = Math.min(idleTimeoutMs - idleForMs, (absoluteTimeoutMs ?? Number.POSITIVE_INFINITY) - ageMs);
  return new Date(Date.now() + Math.max(0, leftMs));
}

function inJson(
  { cluster, key }: GivenSession,
  { server, kind, database, backup, epoch }: Found,
  session: ShownSession,
): object {
  const { bytes, idleForMs, idleTimeoutMs, ageMs, absoluteTimeoutMs, keys } = session;
  return {
    session: {
      ...{ key, cluster: cluster.name, slot: slotOfKey(key) },
      ...(kind === "common" ? { owner: null, database } : { owner: server, backup, epoch }),
      bytes,
      ...{ idleMs: Math.round(idleForMs), idleTimeoutMs, ageMs: Math.round(ageMs), absoluteTimeoutMs },
      endsAt: endsAt(session).toISOString(),
      keys: keys.map(({ name, bytes: size, text }) => ({
        name,
        bytes: size,
        ...(text === undefined ? {} : { stored: text }),
      })),
    },
  };
}

function inWords(
  { cluster, key }: GivenSession,
  { server, kind, database, backup, epoch }: Found,
  session: ShownSession,
): string[] {
  const { bytes, idleForMs, idleTimeoutMs, ageMs, absoluteTimeoutMs, keys } = session;
  const facts = [
    ["cluster", cluster.name],
    ["slot", kind === "shared" ? `${slotOfKey(key)}, epoch ${epoch}` : String(slotOfKey(key))],
    kind === "common"
      ? ["kept in", database ?? ""]
      : ["owner", kind === "shared" ? server : `${server}, which keeps it alone`],
    ...(kind === "shared" ? [["backup", backup ?? "none now"]] : []),
    ["size", `${sizeInWords(bytes)} in ${count(keys.length, "key")}`],
    [
      "age",
      absoluteTimeoutMs === null
        ? passed(ageMs)
        : `${passed(ageMs)}; it ends at ${passed(absoluteTimeoutMs)}`,
    ],
    ["unused for", `${passed(idleForMs)}; it ends after ${passed(idleTimeoutMs)} without use`],
    ["ends", `${endsAt(session).toISOString()}, if nobody uses it`],
  ];
  const isWithValues = keys.some(({ text }) => text !== undefined);
  const rows = keys.map(({ name, bytes: size, text }) => [
    visible(name),
    String(size),
    ...(text === undefined ? [] : [visible(text)]),
  ]);
  const [headLine, ...lines] = table(
    [["KEY", "BYTES", ...(isWithValues ? ["VALUE"] : [])], ...rows],
    new Set([1]),
  );
  return [...table(facts, new Set()), "", coloured(headLine!, "bold"), ...lines];
}
