/** `flotilla status`: every server of the file, asked at once. */
import { clusterStatus, type ServerStatus } from "../admin/cluster-status.ts";
import { refuseOtherSite } from "../admin/other-site.ts";
import type { ClusterFile } from "../config/model.ts";
import { seenInWords } from "../health/seen-servers.ts";
import type { SlotCounts } from "../member/member.ts";
import { fileVoters } from "../session/wiring/file-voters.ts";
import { admin as limits, register } from "../support/limits.ts";
import { count, grouped, passed } from "../support/words.ts";
import { openFile } from "./cluster-file.ts";
import { type Colour, coloured, enumerate, say, sayJson, table } from "./terminal.ts";

/** @returns the exit code: 0 when everybody could be asked, whatever they answered. */
export async function status(path: string, asJson: boolean): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  refuseOtherSite(file);
  // performance.now() counts from the start of the process.
  const startMs = performance.now();
  const servers = await clusterStatus(file, limits.statusTimeoutMs);
  if (asJson) sayJson({ servers: servers.map(inOrder) });
  else {
    for (const line of statusText(file, servers, someMemberRuns(file, servers))) say(line);
    const note = slowStartNote(servers, startMs);
    if (note !== "") say(note);
  }
  return 0;
}

/** Where this command itself was slow, silence for a second is no proof that a server is down. */
export function slowStartNote(servers: readonly Pick<ServerStatus, "state">[], startMs: number): string {
  if (startMs <= limits.statusSlowStartMs || servers.every(({ state }) => state !== "down")) return "";
  return (
    `This machine is busy: this command took ${(startMs / 1_000).toFixed(1)} s to start. A server that did not answer ` +
    `within ${limits.statusTimeoutMs / 1_000} s may be up all the same; ask again.`
  );
}

/** The fields that scripts rely on, in the documented order, then those that not every server has. */
function inOrder(status: ServerStatus): object {
  const { name, cluster, letter, state, pid, requests, sessions, note } = status;
  const { connections, workers, seen, order } = status;
  const { voterProblem, registerEngine, registerProblem, diskProblem, sessionStore } = status;
  return {
    ...{ name, cluster, letter, state, pid, requests, sessions },
    ...(workers === undefined ? {} : { connections, workers }),
    ...(seen === undefined ? {} : { seen }),
    ...(isSharing(status) ? copyFields(status) : {}),
    ...(sessionStore === undefined ? {} : { sessionStore }),
    ...(order === undefined ? {} : { order: orderFields(order) }),
    ...(voterProblem === undefined ? {} : { voterProblem }),
    ...(registerEngine === undefined ? {} : { registerEngine }),
    ...(registerProblem === undefined ? {} : { registerProblem }),
    ...(diskProblem === undefined ? {} : { diskProblem }),
    ...(note === undefined ? {} : { note }),
  };
}

function orderFields({ order, orderedAtMs, weight, at }: NonNullable<ServerStatus["order"]>): object {
  return { order, since: orderedAtMs === null ? null : new Date(orderedAtMs).toISOString(), weight, at };
}

function copyFields(counts: SlotCounts): SlotCounts {
  const { slots, singleCopySlots, singleCopySessions, copyingTo, copiedPercent, seesRegister } = counts;
  return { slots, singleCopySlots, singleCopySessions, copyingTo, copiedPercent, seesRegister };
}

/** Whether it shares its sessions with other servers; one of an older release may not tell all. */
function isSharing(status: ServerStatus): status is ServerStatus & SlotCounts {
  return status.slots !== undefined && status.copyingTo !== undefined;
}

const stateColours: Readonly<Record<ServerStatus["state"], Colour>> = {
  up: "green",
  starting: "yellow",
  draining: "yellow",
  maintenance: "yellow",
  down: "red",
};

/** Whether anything of the cluster itself runs; a plain HTTP server is up or down by itself. */
function someMemberRuns({ servers: all }: ClusterFile, servers: readonly ServerStatus[]): boolean {
  return servers.some(
    ({ name, state, pid }) => all.get(name)!.kind !== "http" && (state !== "down" || pid !== null),
  );
}

function statusText(file: ClusterFile, servers: readonly ServerStatus[], memberRuns: boolean): string[] {
  const withCopies = servers.some(isSharing);
  const head = ["SERVER", "CLUSTER", "LETTER", "STATE", "PID", "REQUESTS", "SESSIONS"];
  const rows = servers.map((server) => [
    ...[server.name, server.cluster, server.letter === "" ? "-" : server.letter, server.state],
    ...[server.pid === null ? "-" : String(server.pid), String(server.requests)],
    // Of a database each server would tell the same.
    server.sessionStore === undefined ? String(server.sessions) : "-",
    ...(withCopies ? copyCells(server) : []),
  ]);
  if (withCopies) head.push("ONE COPY", "REGISTER");
  const [headLine, ...lines] = table([head, ...rows], new Set([4, 5, 6, 7]));
  return [
    coloured(headLine!, "bold"),
    ...lines.map((line, index) => coloured(line, stateColours[servers[index]!.state])),
    "",
    ...copiesInWords(file, servers),
    ...seenByWebServers(servers),
    ...troubles(servers, memberRuns),
  ];
}

/** How many of its sessions have one copy, how far a second one is, and whether it sees the register. */
function copyCells(server: ServerStatus): string[] {
  if (!isSharing(server)) return ["-", "-"];
  const { singleCopySlots, singleCopySessions, copiedPercent, seesRegister, registerEngine } = server;
  const share = singleCopySlots === 0 ? "" : ` (${copiedPercent} %)`;
  const sees = `${registerEngine === undefined ? "" : `${registerEngine}, `}${seesRegister ? "seen" : "not seen"}`;
  return [`${singleCopySessions}${share}`, server.voterProblem === undefined ? sees : `${sees}, no vote`];
}

/** What a second failure now would lose, and what follows by itself. */
function copiesInWords(file: ClusterFile, servers: readonly ServerStatus[]): string[] {
  const sharing = servers.filter(isSharing);
  const single = sharing.filter(({ singleCopySlots }) => singleCopySlots > 0);
  const lines = single.map(({ name, singleCopySlots, singleCopySessions, copyingTo, copiedPercent }) => {
    const progress =
      copyingTo.length === 0
        ? "no other server can take a second one now"
        : `copying to ${enumerate(copyingTo)}, ${copiedPercent} %`;
    const slots = count(singleCopySlots, "slot");
    const have = singleCopySessions === 1 ? "has" : "have";
    // A server whose slots are empty has nothing to lose, but is not ready for what comes either.
    return singleCopySessions === 0
      ? `${slots} of ${name}, without a session, ${singleCopySlots === 1 ? "has" : "have"} one server; ${progress}`
      : `${count(singleCopySessions, "session")} of ${name} (${slots}) ${have} one copy; ${progress}`;
  });
  const blind = sharing.filter(({ seesRegister }) => !seesRegister);
  for (const what of new Set(blind.map(unseen))) {
    const names = blind.filter((server) => unseen(server) === what).map(({ name }) => name);
    lines.push(`${enumerate(names)} can't reach ${what}: sessions there stop within 10 s (docs/register.md)`);
  }
  lines.push(...diskTroubles(servers), ...databasesInWords(servers));
  lines.push(...registerTroubles(servers), ...unservedInWords(file, servers), ...mixedInWords(file, servers));
  if (sharing.length > 0 && lines.length === 0) lines.push("All sessions have two copies.");
  const alone = servers.filter(
    (server) => server.sessions > 0 && !isSharing(server) && isAppServer(file, server),
  );
  if (alone.length > 0) {
    const sessions = alone.reduce((sum, server) => sum + server.sessions, 0);
    lines.push(
      `${count(sessions, "session")} of ${enumerate(alone.map(({ name }) => name))} ${sessions === 1 ? "is" : "are"} on one server alone: ` +
        "a crash of it loses them, an orderly stop does not",
    );
  }
  return lines;
}

/** What a server that does not see the register has lost. */
function unseen({ registerEngine }: ServerStatus): string {
  return registerEngine === undefined
    ? "a majority of the register's voters"
    : `the register in ${registerEngine}`;
}

/** Databases with sessions: who keeps them there, and who does not reach them. */
function databasesInWords(servers: readonly ServerStatus[]): string[] {
  const lines: string[] = [];
  const withStore = servers.filter(({ sessionStore }) => sessionStore !== undefined);
  for (const store of new Set(withStore.map(({ sessionStore }) => sessionStore!.name))) {
    const all = withStore.filter(({ sessionStore }) => sessionStore!.name === store);
    lines.push(
      `Sessions of ${enumerate(all.map(({ name }) => name))} are in ${store} (flotilla sessions count).`,
    );
    for (const { name, sessionStore } of all) {
      const { problem, problemForMs } = sessionStore!;
      if (problem !== null)
        lines.push(
          `${name} does not get at its sessions, for ${passed(problemForMs)}: ${problem}; requests with a session answer 503 until it does`,
        );
    }
  }
  return lines;
}

function diskTroubles(servers: readonly ServerStatus[]): string[] {
  return servers
    .filter(({ diskProblem }) => diskProblem !== undefined)
    .map(({ name, diskProblem }) => `${name} can't write its sessions to disk: ${diskProblem}`);
}

/** Voters that can't write, or an engine that does not answer: one trouble of a machine or of several in one line. */
function registerTroubles(servers: readonly ServerStatus[]): string[] {
  const byProblem = new Map<string, string[]>();
  for (const { name, voterProblem, registerProblem } of servers) {
    const problem = voterProblem ?? registerProblem;
    if (problem === undefined) continue;
    byProblem.set(problem, [...(byProblem.get(problem) ?? []), name]);
  }
  return [...byProblem].map(([problem, names]) => `${enumerate(names)} ${problem}`);
}

/** Slots without an owner that answers: of each cluster whose servers share their sessions, as far as any of them answers. */
export function unservedInWords(
  file: Pick<ClusterFile, "servers" | "clusters">,
  servers: readonly ServerStatus[],
): string[] {
  const lines: string[] = [];
  for (const cluster of new Set(servers.filter(isSharing).map((server) => server.cluster))) {
    const all = servers.filter((server) => server.cluster === cluster);
    const served = all.reduce((sum, { slots }) => sum + (slots ?? 0), 0);
    if (served >= register.slotCount) continue;
    const what = `${grouped(register.slotCount - served)} of ${grouped(register.slotCount)} session slots of ${cluster} are served by nobody`;
    lines.push(`${what}: ${voteLoss(file, cluster, all) ?? awaited(all)}`);
  }
  return lines;
}

function awaited(all: readonly ServerStatus[]): string {
  // The witness among them keeps no sessions, but its vote may be the one that is missing.
  const away = all.filter(({ state }) => state !== "up").map(({ name }) => name);
  const whom = away.length > 0 ? enumerate(away) : "the servers that are up to take them over";
  return `waiting for ${whom}; their sessions answer 503 until then (up to a minute)`;
}

/** Voters, one per machine, that can't write leave no majority: waiting is of no use. Null: they leave one. */
function voteLoss(
  { servers, clusters }: Pick<ClusterFile, "servers" | "clusters">,
  cluster: string,
  all: readonly ServerStatus[],
): string | null {
  if (all.some(({ registerEngine }) => registerEngine !== undefined)) return null;
  const voters = fileVoters(clusters.get(cluster)!);
  const of = (voter: string): readonly ServerStatus[] =>
    all.filter(({ name }) => {
      const { kind, address } = servers.get(name)!;
      return voter === (kind === "witness" ? name : address);
    });
  const full = voters.filter((voter) => of(voter).some(({ voterProblem }) => voterProblem !== undefined));
  const voting = voters.filter(
    (voter) => !full.includes(voter) && of(voter).some(({ state }) => state !== "down"),
  );
  // Of two, one is enough.
  const isEnough = voters.length === 2 ? voting.length > 0 : voting.length > voters.length / 2;
  if (full.length === 0 || isEnough) return null;
  return (
    `nobody can take them over while ${voting.length} of the register's ${voters.length} voters can vote, see above; ` +
    "their sessions answer 503 until most can"
  );
}

/** Servers that keep their sessions alone while others of their cluster share theirs: they run with another file. */
function mixedInWords({ servers: all }: ClusterFile, servers: readonly ServerStatus[]): string[] {
  const mixed = servers.filter(
    (server) =>
      server.state === "up" &&
      all.get(server.name)!.kind === "link" &&
      !isSharing(server) &&
      servers.some((other) => other.cluster === server.cluster && isSharing(other)),
  );
  if (mixed.length === 0) return [];
  const [keep, was] = mixed.length === 1 ? ["keeps", "was"] : ["keep", "were"];
  return [
    `${enumerate(mixed.map(({ name }) => name))} ${keep} sessions alone, the others of the cluster keep them on two servers: visitors ` +
      `who are sent from one to the other lose theirs. Most likely ${mixed.length === 1 ? "it" : "they"} ${was} started with another file: restart with this one`,
  ];
}

function isAppServer({ clusters }: ClusterFile, { cluster }: ServerStatus): boolean {
  return clusters.get(cluster)!.tier === "app";
}

/** What web servers think of servers that look well from here. That one is down, or an operator's order, stands there anyway. */
export function seenByWebServers(servers: readonly ServerStatus[]): string[] {
  const isUp = (name: string): boolean =>
    servers.some((server) => server.name === name && server.state === "up" && server.order === undefined);
  return servers.flatMap(({ name, seen = [], workers = [] }) =>
    seen
      .filter((server) => isUp(server.name))
      .map((server) => seenInWords(server, workers.filter(({ state }) => state === "up").length))
      .filter((words) => words !== "")
      .map((words) => `${name}: ${words}`),
  );
}

/** What is wrong and what to do: the last lines are the ones a person reads. */
function troubles(servers: readonly ServerStatus[], memberRuns: boolean): string[] {
  const notUp = servers.filter(({ state }) => state !== "up");
  const noted = servers.flatMap(({ name, state, note }) =>
    state === "up" && note !== undefined ? [`${name}: ${note}`] : [],
  );
  if (notUp.length === 0)
    return [...noted, `${servers.length === 1 ? "The server is" : `All ${servers.length} servers are`} up.`];
  const lines = notUp.map(
    ({ name, state, note }) => `${name} is ${state}${note === undefined ? "" : `: ${note}`}`,
  );
  const sum =
    notUp.length === servers.length
      ? "No server is up"
      : `${count(notUp.length, "server")} of ${servers.length} not up`;
  const isOrdered = notUp.every(({ order }) => order !== undefined && order.order !== "ready");
  const hint = isOrdered
    ? `Back in service with: flotilla ready ${notUp.map(({ name }) => name).join(" ")}`
    : memberRuns
      ? "Their logs say why."
      : "Start those of this machine with: flotilla start --all";
  return [...noted, ...lines, `${sum}. ${hint}`];
}
