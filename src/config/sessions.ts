/**
 * `sessions:` of the file and of its clusters -> what is in force for each cluster. A cluster's own keys come before those at the
 * top, key by key, as nginx's directives of a server come before those of `http` (R31).
 */
import type { ClusterDraft, Context } from "./context.ts";
import { Inherited } from "./inherited.ts";
import type { Server, SessionSettings, SessionStoreSettings } from "./model.ts";
import type { Position, Problems } from "./problems.ts";
import { formatDuration, formatSize } from "./quantities.ts";
import type { Section } from "./section.ts";
import { buildStore, isDatabase, storeInWords, storeKindOf } from "./session-store.ts";

/**
 * @param keepsOurs its applications may call `session()`: others get nothing of what the top of the file says.
 * @param elsewhere its servers are on other machines: files are not looked for here.
 * @returns null: the file says nothing of the cluster's sessions, or it keeps none of ours.
 */
export function buildSessions(
  cluster: Section,
  root: Section,
  { servers, keepsOurs, elsewhere }: SessionCluster,
  context: Context,
): SessionSettings | null {
  if (!cluster.has("sessions") && !(keepsOurs && root.has("sessions"))) return null;
  const keys = new Inherited(cluster.section("sessions"), root.section("sessions"));
  const kind = storeKindOf(storeKeys(keys));
  const store = buildStore(storeKeys(keys), elsewhere, context);
  checkTimeouts(keys, context.problems);
  if (kind === "cluster") checkDurability(keys, context.problems);
  checkStore(keys, kind, servers, context.problems);
  return {
    store,
    durability: durabilityOf(keys, store),
    save: saveOf(keys, kind),
    cookieName: keys.section("cookie").text("name") ?? "",
    idleTimeoutMs: keys.number("idleTimeout"),
    absoluteTimeoutMs: keys.number("absoluteTimeout"),
    load: keys.text("load") as SessionSettings["load"],
    memoryBytesMax: keys.number("memory"),
    diskBytesMax: keys.number("disk"),
  };
}

/** What a cluster's sessions have to know of it. */
export interface SessionCluster {
  readonly servers: readonly Server[];
  readonly keepsOurs: boolean;
  readonly elsewhere: boolean;
}

/** A cluster that names a store of its own has nothing of the one at the top. */
function storeKeys(keys: Inherited): Inherited {
  const { own, shared } = keys.section("store");
  const isNamed = ["kind", "postgres", "mysql", "redis"].some((key) => own.has(key));
  return isNamed ? new Inherited(own, own) : new Inherited(own, shared);
}

/** `file` is the disk that `backup+disk` gives to an app server, where there is but one. */
function durabilityOf(keys: Inherited, store: SessionStoreSettings): SessionSettings["durability"] {
  return store.kind === "file" ? "backup+disk" : (keys.text("durability") as SessionSettings["durability"]);
}

/** `on-shutdown` of the top of the file is for those clusters that keep sessions in memory. */
function saveOf(keys: Inherited, kind: SessionStoreSettings["kind"]): SessionSettings["save"] {
  const save = keys.text("save") as SessionSettings["save"];
  return save === "on-shutdown" && kind !== "cluster" ? "on-change" : save;
}

/** What has a meaning with some stores only. A key at the top is for those clusters that have a use for it. */
function checkStore(
  keys: Inherited,
  kind: SessionStoreSettings["kind"],
  servers: readonly Server[],
  problems: Problems,
): void {
  const isMeant = (key: string): boolean => keys.has(key) && !(keys.isShared(key) && keys.own.has("store"));
  const tell = (key: string, why: string): void =>
    problems.error(keys.atOf(key), `${keys.whereOf(key)}: ${key}: ${why}`);
  if (keys.text("load") === "always" && (kind === "cluster" || kind === "file") && isMeant("load"))
    tell("load", `always goes with a database in store:, not with ${kind}`);
  if (kind === "cluster") return;
  if (isMeant("durability"))
    tell(
      "durability",
      kind === "file"
        ? "does not go with store: file, with which each change is on the server's disk when it is answered"
        : `does not go with ${kind}, which keeps the sessions as it is set up to`,
    );
  if (keys.text("save") === "on-shutdown" && isMeant("save"))
    tell("save", `on-shutdown does not go with ${kind}, which is written with each change`);
  if (kind === "file") checkAlone(keys, servers, problems);
  else if (isMeant("disk"))
    tell("disk", `goes with store: file or durability: backup+disk, not with ${kind}`);
}

function checkAlone(keys: Inherited, servers: readonly Server[], problems: Problems): void {
  const apps = servers.filter((server) => server.kind === "link");
  if (apps.length <= 1) return;
  const names = apps.map(({ name }) => name).join(", ");
  problems.error(
    keys.atOf("store"),
    `${keys.whereOf("store")}: store: file is for one app server in one process, and there are ${apps.length} (${names}): a visitor ` +
      "who is sent to another one would not be known there. Leave it out, and each session is on two of them (on their disks too " +
      "with durability: backup+disk); or name a database",
  );
}

/** Keys at the top are checked with each cluster that has them; here, that there is one. */
export function checkShared(root: Section, drafts: readonly ClusterDraft[], problems: Problems): void {
  if (!root.has("sessions") || drafts.some(({ cluster }) => cluster.sessions !== null)) return;
  problems.warning(
    root.atOf("sessions"),
    "sessions: is for clusters of app servers that keep sessions; this file has none",
  );
}

/** Of sessions on the servers themselves: settings that do not go together. */
function checkDurability(keys: Inherited, problems: Problems): void {
  const tell = (key: string, why: string): void =>
    problems.error(keys.atOf(key), `${keys.whereOf(key)}: ${key}: ${why}`);
  const durability = keys.text("durability");
  const save = keys.text("save");
  if (save === "on-shutdown" && durability !== null && durability !== "memory")
    tell(
      "save",
      `on-shutdown needs durability: memory, not ${durability}: a backup has a copy of each change when it is answered`,
    );
  if (save === "always" && durability === "memory")
    tell("save", "always does not go with durability: memory, with which there is nothing to write to");
  // One at the top is for those that have a use for it.
  if (keys.has("disk") && !keys.isShared("disk") && durability !== null && durability !== "backup+disk")
    tell("disk", `goes with durability: backup+disk, not with ${durability}`);
}

function checkTimeouts(keys: Inherited, problems: Problems): void {
  const idleMs = keys.number("idleTimeout");
  const absoluteMs = keys.number("absoluteTimeout");
  if (keys.has("idleTimeout") && absoluteMs < idleMs)
    problems.error(
      keys.atOf("absoluteTimeout"),
      `${keys.whereOf("absoluteTimeout")}: absoluteTimeout: ${formatDuration(absoluteMs)} is shorter than idleTimeout: ${formatDuration(idleMs)}, which would never be reached`,
    );
}

/** What is in force where the file says it in two places: a note of `check`. */
export function noteInherited(root: Section, drafts: readonly ClusterDraft[], problems: Problems): void {
  if (!root.has("sessions")) return;
  const line = root.atOf("sessions").line;
  for (const { cluster, entry } of drafts) {
    if (cluster.sessions === null) continue;
    const at: Position = entry.section.has("sessions") ? entry.section.atOf("sessions") : entry.at;
    problems.note(
      at,
      `sessions of ${cluster.name}, with sessions: of line ${line}: ${sessionsText(cluster.sessions)}`,
    );
  }
}

/** "durability: backup, save: on-change, ...", for `check` and `explain`. */
export function sessionsText(sessions: SessionSettings): string {
  const { store, durability, save, cookieName, load } = sessions;
  const { idleTimeoutMs, absoluteTimeoutMs, memoryBytesMax, diskBytesMax } = sessions;
  const absolute =
    absoluteTimeoutMs === Number.POSITIVE_INFINITY ? "unlimited" : formatDuration(absoluteTimeoutMs);
  const isOnDisk = durability === "backup+disk";
  const words = [
    ...(store.kind === "cluster" ? [] : [`store: ${storeInWords(store)}`]),
    ...(isDatabase(store) ? [`load: ${load}`] : store.kind === "file" ? [] : [`durability: ${durability}`]),
    `save: ${save}`,
    `idleTimeout: ${formatDuration(idleTimeoutMs)}`,
    `absoluteTimeout: ${absolute}`,
    `memory: ${formatSize(memoryBytesMax)}`,
    ...(isOnDisk && !isDatabase(store) ? [`disk: ${formatSize(diskBytesMax)}`] : []),
    `cookie ${cookieName}`,
  ];
  return words.join(", ");
}
