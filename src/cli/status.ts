/** `flotilla status`: every server of the file, asked at once. */
import { clusterStatus, type ServerStatus } from "../admin/cluster-status.ts";
import type { ClusterFile } from "../config/model.ts";
import { admin as limits } from "../support/limits.ts";
import { openFile } from "./cluster-file.ts";
import { type Colour, coloured, count, say, sayJson, table } from "./terminal.ts";

/** @returns the exit code: 0 when everybody could be asked, whatever they answered. */
export async function status(path: string, asJson: boolean): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  const servers = await clusterStatus(file, leftMs());
  if (asJson) sayJson({ servers: servers.map(inOrder) });
  else for (const line of statusText(servers, someMemberRuns(file, servers))) say(line);
  return 0;
}

/** What our own start has left of the time for all: it is long on a machine whose processors are all busy. */
function leftMs(): number {
  const { statusTimeoutMs, statusTimeoutMinMs, statusTotalMs } = limits;
  // performance.now() counts from the start of the process.
  return Math.min(statusTimeoutMs, Math.max(statusTimeoutMinMs, statusTotalMs - performance.now()));
}

/** The fields that scripts rely on, in the documented order, then those that not every server has. */
function inOrder({
  name,
  cluster,
  letter,
  state,
  pid,
  requests,
  sessions,
  slots,
  singleCopySlots,
  note,
}: ServerStatus): ServerStatus {
  return {
    ...{ name, cluster, letter, state, pid, requests, sessions },
    ...(slots === undefined || singleCopySlots === undefined ? {} : { slots, singleCopySlots }),
    ...(note === undefined ? {} : { note }),
  };
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

function statusText(servers: readonly ServerStatus[], memberRuns: boolean): string[] {
  const head = ["SERVER", "CLUSTER", "LETTER", "STATE", "PID", "REQUESTS", "SESSIONS"];
  const rows = servers.map(({ name, cluster, letter, state, pid, requests, sessions }) => [
    ...[name, cluster, letter === "" ? "-" : letter, state],
    ...[pid === null ? "-" : String(pid), String(requests), String(sessions)],
  ]);
  const [headLine, ...lines] = table([head, ...rows], new Set([4, 5, 6]));
  return [
    coloured(headLine!, "bold"),
    ...lines.map((line, index) => coloured(line, stateColours[servers[index]!.state])),
    "",
    ...singleCopies(servers),
    ...troubles(servers, memberRuns),
  ];
}

/** What a second failure now would lose. */
function singleCopies(servers: readonly ServerStatus[]): string[] {
  return servers.flatMap(({ name, singleCopySlots: slots = 0 }) =>
    slots === 0
      ? []
      : [
          `${count(slots, "session slot")} of ${name} ${slots === 1 ? "has" : "have"} one copy only; ` +
            "a second is made as soon as another server can take it",
        ],
  );
}

/** What is wrong and what to do: the last lines are the ones a person reads. */
function troubles(servers: readonly ServerStatus[], memberRuns: boolean): string[] {
  const notUp = servers.filter(({ state }) => state !== "up");
  if (notUp.length === 0)
    return [`${servers.length === 1 ? "The server is" : `All ${servers.length} servers are`} up.`];
  const lines = notUp.map(
    ({ name, state, note }) => `${name} is ${state}${note === undefined ? "" : `: ${note}`}`,
  );
  const sum =
    notUp.length === servers.length
      ? "No server is up"
      : `${count(notUp.length, "server")} of ${servers.length} not up`;
  const hint = memberRuns ? "Their logs say why." : "Start those of this machine with: flotilla start --all";
  return [...lines, `${sum}. ${hint}`];
}
