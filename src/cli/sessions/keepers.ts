/** The app servers of a cluster that keep sessions, asked one question after the other over one link each. */
import { Asker, type Conversation } from "../../admin/ask.ts";
import type { Cluster, ClusterFile, Server } from "../../config/model.ts";
import { suggestion } from "../../config/nearest.ts";
import type { CommonCountAnswer, CountAnswer } from "../../session/admin/questions.ts";
import { SlotSet } from "../../session/admin/slot-set.ts";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { admin, sessionAdmin as limits } from "../../support/limits.ts";
import { shortName } from "../cluster-file.ts";
import { enumerate } from "../terminal.ts";

/** One that answers, and keeps sessions. */
export interface Keeper extends CountAnswer {
  readonly server: Server;
  /** Those of `slots`. */
  readonly served: SlotSet;
}

export interface InDatabase {
  /** Its name, with where it is. */
  readonly database: string;
  readonly sessions: number;
}

export interface Silent {
  readonly server: Server;
  readonly why: string;
}

export class Keepers {
  readonly cluster: Cluster;
  readonly #asker: Asker;
  readonly #conversations: Map<string, Promise<Conversation>> = new Map();
  /** As `look` found them last, in the order of the file. */
  all: readonly Keeper[] = [];
  /** Of those that may keep sessions. */
  silent: readonly Silent[] = [];

  constructor(file: ClusterFile, cluster: Cluster, asker: Asker = new Asker(file)) {
    this.cluster = cluster;
    this.#asker = asker;
  }

  /** Asks each what it keeps; takes no longer than the slowest may. */
  async look(): Promise<void> {
    const all: Keeper[] = [];
    const silent: Silent[] = [];
    await Promise.all(
      membersOf(this.cluster).map(async (server) => {
        try {
          const answer = (await this.ask(server, "sessions-count", {}, admin.statusTimeoutMs)) as CountAnswer;
          if (answer.kind !== null)
            all.push({ ...answer, server, served: SlotSet.read(answer.slots) ?? SlotSet.none() });
        } catch (error) {
          silent.push({ server, why: messageOf(error) });
        }
      }),
    );
    const { servers } = this.cluster;
    const inOrder = (one: { server: Server }, other: { server: Server }): number =>
      servers.indexOf(one.server) - servers.indexOf(other.server);
    this.all = all.sort(inOrder);
    this.silent = silent.sort(inOrder);
  }

  /** Who serves the slot for all of the cluster; null: nobody that is known. */
  ownerOf(slot: number): Keeper | null {
    const serving = this.all.filter(({ kind, served }) => kind !== "alone" && served.has(slot));
    // Of those that have a database in common each can do it.
    return serving[slot % Math.max(1, serving.length)] ?? null;
  }

  get alone(): readonly Keeper[] {
    return this.all.filter(({ kind }) => kind === "alone");
  }

  /** Each session is there once for all of the cluster. */
  get areShared(): boolean {
    return this.all.some(({ kind }) => kind !== "alone");
  }

  /** How many sessions there are in a database that servers have in common; null: they have none. */
  async inDatabase(): Promise<InDatabase | null> {
    const common = this.all.filter(({ kind }) => kind === "common");
    const whys: string[] = [];
    for (const { server, database = "" } of common) {
      try {
        const { sessions } = (await this.ask(server, "sessions-count-common", {})) as CommonCountAnswer;
        return { database: database ?? "", sessions };
      } catch (error) {
        whys.push(`${server.name}: ${messageOf(error)}`);
      }
    }
    if (common.length === 0) return null;
    throw new FlotillaError("FLOTILLA_SESSIONS_INCOMPLETE", `sessions were not counted: ${enumerate(whys)}`, {
      source: "server",
    });
  }

  /** How many sessions servers keep, about: each is on two disks, where there are disks. */
  get about(): number {
    const inMemory = this.all.reduce((sum, { owned }) => sum + owned.sessions, 0);
    const onDisks = this.all.reduce((sum, { onDisk }) => sum + (onDisk?.sessions ?? 0), 0);
    return Math.max(inMemory, Math.round(onDisks / 2));
  }

  /** Servers that were not asked, and may keep sessions that no other server knows of; with why. */
  get silentAlone(): string[] {
    return this.areShared ? [] : this.silent.map(({ server, why }) => `${server.name} (${why})`);
  }

  /** @throws FlotillaError of the link, FLOTILLA_NO_ANSWER, FLOTILLA_QUESTION_REFUSED */
  async ask(
    server: Server,
    ask: string,
    content: object,
    timeoutMs: number = limits.answerTimeoutMs,
  ): Promise<unknown> {
    let conversation = this.#conversations.get(server.name);
    if (conversation === undefined) {
      conversation = this.#asker.converse(server, Math.min(timeoutMs, admin.stopTimeoutMs));
      this.#conversations.set(server.name, conversation);
    }
    try {
      return await (await conversation).ask({
        ...{ question: { ask }, content, timeoutMs, answerBytesMax: limits.sessionTextBytesMax },
      });
    } catch (error) {
      // The next question begins with a link of its own.
      if (this.#conversations.get(server.name) === conversation) this.#conversations.delete(server.name);
      conversation.then((one) => one.end()).catch(() => {});
      throw error;
    }
  }

  end(): void {
    for (const conversation of this.#conversations.values())
      conversation.then((one) => one.end()).catch(() => {});
    this.#conversations.clear();
  }
}

/** With those of the cluster that answer. @throws FlotillaError FLOTILLA_SESSIONS_INCOMPLETE: none does. */
export async function withKeepers<T>(
  file: ClusterFile,
  cluster: Cluster,
  act: (keepers: Keepers) => Promise<T>,
): Promise<T> {
  const keepers = new Keepers(file, cluster);
  try {
    await keepers.look();
    if (keepers.all.length > 0) return await act(keepers);
    const whys = keepers.silent.map(({ server, why }) => `${server.name}: ${why}`);
    throw new FlotillaError(
      "FLOTILLA_SESSIONS_INCOMPLETE",
      whys.length === 0
        ? `no application of ${cluster.name} keeps sessions with Flotilla`
        : `no server of ${cluster.name} answers: ${enumerate(whys)}`,
      { source: "server" },
    );
  } finally {
    keepers.end();
  }
}

/** Its servers with a cluster port, and sessions; a plain HTTP server keeps its own. */
export function membersOf({ servers }: Cluster): Server[] {
  return servers.filter(({ kind }) => kind === "link");
}

/** App clusters with servers of ours. @throws FlotillaError FLOTILLA_SESSIONS_CLUSTER */
export function clustersWithSessions(file: ClusterFile, name: string | null): Cluster[] {
  const all = [...file.clusters.values()].filter(
    (cluster) => cluster.tier === "app" && membersOf(cluster).length > 0,
  );
  if (all.length === 0)
    throw unclear(`no cluster of ${shortName(file)} has app servers that could keep sessions with Flotilla`);
  if (name === null) return all;
  const named = all.filter((cluster) => cluster.name === name);
  if (named.length > 0) return named;
  const names = all.map((cluster) => cluster.name);
  throw unclear(
    `there is no cluster "${name}" with sessions in ${shortName(file)}${suggestion(name, new Set(names))}; there is ${enumerate(names)}`,
  );
}

/** The one that is meant. @throws FlotillaError FLOTILLA_SESSIONS_CLUSTER */
export function clusterWithSessions(file: ClusterFile, name: string | null): Cluster {
  const all = clustersWithSessions(file, name);
  if (all.length === 1) return all[0]!;
  throw unclear(
    `${enumerate(all.map((cluster) => cluster.name))} of ${shortName(file)} keep sessions: say which is meant, with --cluster`,
  );
}

function unclear(why: string): FlotillaError {
  return new FlotillaError("FLOTILLA_SESSIONS_CLUSTER", why, { source: "client" });
}
