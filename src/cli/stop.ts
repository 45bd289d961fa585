/** `flotilla stop`: ends servers of this machine, however they were started, and returns when they are gone. */
import { Asker } from "../admin/ask.ts";
import { refuseOtherSite } from "../admin/other-site.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import { heldInWords, type StopCheck } from "../member/member.ts";
import { FlotillaError } from "../support/errors.ts";
import { admin as limits, savedSessions } from "../support/limits.ts";
import { count } from "../support/words.ts";
import { localServers, openFile, serversNamed, shortName, withAddress } from "./cluster-file.ts";
import { type Ending, type Held, stopInOrder, supervisorEnding } from "./stopping.ts";
import { enumerate, say, sayJson } from "./terminal.ts";

export interface StopOptions {
  readonly json: boolean;
  /** Stop also what would lose sessions. */
  readonly force: boolean;
}

export async function stop(
  path: string,
  names: readonly string[],
  { json: asJson, force }: StopOptions,
): Promise<number> {
  const file = openFile(path);
  if (file === null) return 1;
  refuseOtherSite(file);
  const servers = names.length === 0 ? [...file.servers.values()] : await namedHere(file, names);
  if (!force) await refuseLoss(file, servers);
  const { endings, killed, left, held } = await stopInOrder(file, servers, {
    all: names.length === 0,
    force,
  });
  const staying = endings.filter(
    ({ name }) =>
      held.some(({ ending }) => ending.name === name) || (held.length > 0 && name === supervisorEnding),
  );
  if (asJson)
    sayJson({
      ...{ stopped: told(endings, [...left, ...staying]), killed: told(killed, []), left: told(left, []) },
      held: held.map(({ ending: { name, pid }, sessions, problem }) => ({ name, pid, sessions, problem })),
    });
  else if (endings.length === 0) say(nothingRan(file, names.length === 0 ? [] : servers));
  else
    for (const ending of endings)
      if (!left.includes(ending) && !staying.includes(ending))
        say(stoppedLine(ending, killed.includes(ending)));
  if (held.length > 0) throw notSaved(held);
  if (left.length === 0) return 0;
  throw new FlotillaError(
    "FLOTILLA_NOT_STOPPED",
    `${enumerate(left.map(({ name, pid }) => `${name} (process ${pid})`))} could not be ended: ` +
      "does it belong to another user? Try again as that user or as root",
  );
}

/**
 * An orderly stop hands sessions over, or writes them to disk where no other server is left; when neither is possible
 * nothing is stopped.
 * @throws FlotillaError FLOTILLA_SESSIONS_NOT_SAVED
 */
async function refuseLoss(file: ClusterFile, servers: readonly Server[]): Promise<void> {
  const asker = new Asker(file);
  const asked = servers.filter(
    ({ kind, cluster }) => kind === "link" && file.clusters.get(cluster)!.tier === "app",
  );
  const others = asked.map(({ name }) => name);
  const troubles = await Promise.all(
    (await localServers(asked)).map(async (server) => {
      try {
        const answer = await asker.server(
          server,
          { ask: "stop-check", servers: others },
          limits.stopTimeoutMs,
        );
        const { sessions, problem } = answer as StopCheck;
        return problem === null ? [] : [`${server.name} has ${count(sessions, "session")}: ${problem}`];
      } catch {
        // It does not run, or is beyond asking: to be stopped all the same.
        return [];
      }
    }),
  );
  const lines = troubles.flat();
  if (lines.length === 0) return;
  throw new FlotillaError(
    "FLOTILLA_SESSIONS_NOT_SAVED",
    `nothing was stopped, because sessions would be lost: no other server would have them, and they can't be written. ` +
      `${lines.join("; ")}. Make room or mend the folder, or stop with --force and lose them`,
    { source: "server" },
  );
}

/** Which nobody could know before: the disk took what was tried, and not the sessions themselves. */
function notSaved(held: readonly Held[]): FlotillaError {
  const lines = held.map(
    ({ ending: { name, pid }, ...check }) => `${name} (process ${pid}) has not ended: ${heldInWords(check)}`,
  );
  const names = held.map(({ ending: { name } }) => name).join(" ");
  return new FlotillaError(
    "FLOTILLA_SESSIONS_NOT_SAVED",
    `${lines.join("; ")}. It answers no requests any more, tries again every ${savedSessions.retryMs / 1_000} s and ends when they are ` +
      `written: make room or mend the folder, or lose them with: flotilla stop --force ${names}`,
    { source: "server" },
  );
}

function told(endings: readonly Ending[], left: readonly Ending[]): object[] {
  return endings.filter((ending) => !left.includes(ending)).map(({ name, pid }) => ({ name, pid }));
}

function stoppedLine({ name, pid }: Ending, killed: boolean): string {
  return `${name} (process ${pid}) ${killed ? "did not end in time and was killed" : "stopped"}`;
}

function nothingRan(file: ClusterFile, servers: readonly Server[]): string {
  if (servers.length === 0) return `No server of ${shortName(file)} runs on this machine.`;
  return `${enumerate(servers.map(({ name }) => name))} ${servers.length === 1 ? "does" : "do"} not run.`;
}

/** @throws FlotillaError FLOTILLA_SERVER_UNKNOWN, FLOTILLA_ADDRESS_NOT_HERE */
async function namedHere(file: ClusterFile, names: readonly string[]): Promise<Server[]> {
  const servers = serversNamed(file, names);
  const local = await localServers(servers);
  const elsewhere = servers.filter((server) => !local.includes(server));
  if (elsewhere.length === 0) return servers;
  throw new FlotillaError(
    "FLOTILLA_ADDRESS_NOT_HERE",
    `${enumerate(elsewhere.map(withAddress))}: the address is not of this machine; stop it there`,
    { source: "client" },
  );
}
