/**
 * `sessions:` of the file and of its clusters -> what is in force for each cluster. A cluster's own keys come before those at the
 * top, key by key, as nginx's directives of a server come before those of `http` (R31).
 */
import type { ClusterDraft } from "./context.ts";
import type { SessionSettings } from "./model.ts";
import type { Position, Problems } from "./problems.ts";
import { formatDuration, formatSize } from "./quantities.ts";
import type { Section } from "./section.ts";

/** A section of settings, and the one that says what it does not. */
class Inherited {
  readonly #own: Section;
  readonly #shared: Section;

  constructor(own: Section, shared: Section) {
    this.#own = own;
    this.#shared = shared;
  }

  has(key: string): boolean {
    return this.#own.has(key) || this.#shared.has(key);
  }

  isShared(key: string): boolean {
    return this.#shared.has(key) && !this.#own.has(key);
  }

  /** The section that says it. */
  of(key: string): Section {
    return this.isShared(key) ? this.#shared : this.#own;
  }

  section(key: string): Inherited {
    return new Inherited(this.#own.section(key), this.#shared.section(key));
  }

  text(key: string): string | null {
    return this.of(key).text(key);
  }

  number(key: string): number {
    return this.of(key).number(key);
  }
}

/** @returns null: the file says nothing of the cluster's sessions, or it keeps none of ours. */
export function buildSessions(
  cluster: Section,
  root: Section,
  keepsOurs: boolean,
  problems: Problems,
): SessionSettings | null {
  if (!cluster.has("sessions") && !(keepsOurs && root.has("sessions"))) return null;
  const keys = new Inherited(cluster.section("sessions"), root.section("sessions"));
  checkAgreement(keys, problems);
  return {
    store: "cluster",
    durability: keys.text("durability") as SessionSettings["durability"],
    save: keys.text("save") as SessionSettings["save"],
    cookieName: keys.section("cookie").text("name") ?? "",
    idleTimeoutMs: keys.number("idleTimeout"),
    absoluteTimeoutMs: keys.number("absoluteTimeout"),
    memoryBytesMax: keys.number("memory"),
    diskBytesMax: keys.number("disk"),
  };
}

/** Keys at the top are checked with each cluster that has them; here, that there is one. */
export function checkShared(root: Section, drafts: readonly ClusterDraft[], problems: Problems): void {
  if (!root.has("sessions") || drafts.some(({ cluster }) => cluster.sessions !== null)) return;
  problems.warning(
    root.atOf("sessions"),
    "sessions: is for clusters of app servers that keep sessions; this file has none",
  );
}

/** Settings that do not go together. */
function checkAgreement(keys: Inherited, problems: Problems): void {
  const tell = (key: string, why: string): void => {
    const section = keys.of(key);
    problems.error(section.atOf(key), `${section.where}: ${key}: ${why}`);
  };
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
  const idleMs = keys.number("idleTimeout");
  const absoluteMs = keys.number("absoluteTimeout");
  if (keys.has("idleTimeout") && absoluteMs < idleMs)
    tell(
      "absoluteTimeout",
      `${formatDuration(absoluteMs)} is shorter than idleTimeout: ${formatDuration(idleMs)}, which would never be reached`,
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
  const { durability, save, cookieName, idleTimeoutMs, absoluteTimeoutMs, memoryBytesMax, diskBytesMax } =
    sessions;
  const absolute =
    absoluteTimeoutMs === Number.POSITIVE_INFINITY ? "unlimited" : formatDuration(absoluteTimeoutMs);
  const words = [
    `durability: ${durability}`,
    `save: ${save}`,
    `idleTimeout: ${formatDuration(idleTimeoutMs)}`,
    `absoluteTimeout: ${absolute}`,
    `memory: ${formatSize(memoryBytesMax)}`,
    ...(durability === "backup+disk" ? [`disk: ${formatSize(diskBytesMax)}`] : []),
    `cookie ${cookieName}`,
  ];
  return words.join(", ");
}
