/**
 * What the machines of a good file can't promise for its sessions (docs/sessions.md): told by `check` as notes, because a small
 * site may well want it so. Machines are addresses; all of loopback is one.
 */

import { count } from "../support/words.ts";
import type { ClusterDraft } from "./context.ts";
import { isLoopback } from "./local.ts";
import type { EtcdSettings, PostgresSettings, Server, SessionStoreSettings } from "./model.ts";
import type { Problems } from "./problems.ts";
import { isDatabase } from "./session-store.ts";

export function noteSafety(drafts: readonly ClusterDraft[], problems: Problems): void {
  for (const draft of drafts) {
    const keepers = draft.cluster.servers.filter(({ kind }) => kind === "link");
    const { tier, attach, affinity } = draft.cluster;
    if (tier === "web" || !attach || affinity !== null || keepers.length === 0) continue;
    const { section, at: atName } = draft.entry;
    const { sessions } = draft.cluster;
    if (sessions !== null && isDatabase(sessions.store)) {
      checkUnused(draft, sessions.store, problems);
      continue;
    }
    const at = section.has("sessions") ? section.atOf("sessions") : atName;
    const what = shortcoming(draft, keepers);
    if (what !== null) problems.note(at, `sessions of ${draft.cluster.name}: ${what}`);
    if (draft.cluster.sessions?.durability === "memory" && section.has("coordination"))
      problems.note(
        section.atOf("coordination"),
        `coordination of ${draft.cluster.name} is not used: with \`durability: memory\` each server keeps its sessions alone`,
      );
    checkWitness(draft, keepers, problems);
  }
}

/** A database keeps sessions without a register and without votes. */
function checkUnused(
  { entry, cluster, witness }: ClusterDraft,
  { kind }: SessionStoreSettings,
  problems: Problems,
): void {
  if (entry.section.has("coordination"))
    problems.note(
      entry.section.atOf("coordination"),
      `coordination of ${cluster.name} is not used: ${kind} keeps the sessions, and nobody has to agree on who does`,
    );
  if (witness !== null)
    problems.warning(
      witness.at,
      `${witness.value.name} has nothing to vote on: ${kind} keeps the sessions of ${cluster.name}; it is not needed`,
    );
}

function shortcoming({ cluster, witness }: ClusterDraft, keepers: readonly Server[]): string | null {
  const machines = new Set(keepers.map(machineOf));
  const [first] = keepers;
  const isOnDisk = cluster.sessions?.durability === "backup+disk";
  if (cluster.sessions?.durability === "memory" || keepers.length === 1) {
    const why = keepers.length === 1 ? `${first!.name} is the only app server` : "`durability: memory`";
    const what = isOnDisk
      ? "while it is down nobody has them, and the loss of its disk loses all"
      : "a crash of that server loses its sessions, an orderly stop keeps them";
    const use =
      cluster.sessions?.save === "always" && !isOnDisk ? "; `save: always` finds nobody to tell" : "";
    return `each is on one server alone (${why}): ${what}${use}`;
  }
  if (machines.size === 1)
    return (
      `all app servers are on one machine (${machines.values().next().value}), and backups with them: the death of one ` +
      `process loses nothing, the ${isOnDisk ? "loss of the machine's disk" : "death of the machine"} all; put an app server on another machine`
    );
  if (cluster.coordination.engine === "etcd") return etcdShortcoming(cluster.coordination);
  if (cluster.coordination.engine === "postgres") return postgresShortcoming(cluster.coordination);
  if (machines.size === 2 && witness === null)
    return (
      "the app servers are on two machines: when the network between these is cut, both sides go on alone, and the changes " +
      "that one of them has answered are lost; a third machine cures it, or a witness: on one, which only votes"
    );
  return null;
}

/** The engine's servers decide, so that it stands what they stand, whatever the number of machines here. */
function etcdShortcoming(coordination: EtcdSettings): string | null {
  const hosts = new Set(coordination.endpoints.map((endpoint) => new URL(endpoint).hostname));
  if (hosts.size >= 3) return null;
  return (
    `the file names ${count(hosts.size, "server")} of etcd: when too few of them answer for 10 s, all sessions answer 503 until they do; ` +
    "three on three machines stand the loss of one"
  );
}

/** Which host is the primary is decided by whoever cares for the database. */
function postgresShortcoming({ address }: PostgresSettings): string | null {
  if (address.hosts.length > 1) return null;
  return "the file names one host of PostgreSQL: when it does not answer for 10 s, all sessions answer 503 until it does, or until its name leads to another one";
}

/** A witness has the third vote: it is worth what its machine is. */
function checkWitness(
  { witness, cluster }: ClusterDraft,
  keepers: readonly Server[],
  problems: Problems,
): void {
  if (witness === null) return;
  const { at, value } = witness;
  const machines = new Set(keepers.map(machineOf));
  const neighbour = keepers.find((keeper) => machineOf(keeper) === machineOf(value));
  if (machines.size > 2)
    problems.note(
      at,
      `${cluster.name} has ${machines.size} machines: without witness: three of them vote, with it ${value.name} and two; it is not needed`,
    );
  else if (machines.size < 2)
    problems.note(at, `a witness needs app servers on two machines to be of use; ${cluster.name} has one`);
  else if (neighbour !== undefined)
    problems.warning(
      at,
      `${value.name} is on the machine of ${neighbour.name} (${value.address}): with that machine two of three votes are gone, ` +
        "and sessions stop; put it on a third one",
    );
}

function machineOf({ address }: Server): string {
  return isLoopback(address) ? "loopback" : address;
}
