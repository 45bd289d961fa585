/**
 * Where this process keeps sessions: as a member of its cluster, with other servers, alone, or in the database that the file names; outside
 * of a cluster for itself; or in a database that the application names (engine-places.ts).
 */
import { randomBytes } from "node:crypto";
import { isDatabase } from "../config/session-store.ts";
import { currentMember, giveUp } from "../member/current.ts";
import type { Member } from "../member/member.ts";
import { systemClock } from "../support/clock.ts";
import { FlotillaError } from "../support/errors.ts";
import { session as limits } from "../support/limits.ts";
import { createLog, type Log } from "../support/log.ts";
import type { ClusterStore } from "./cluster/cluster-store.ts";
import { KeptAlone } from "./disk/kept-alone.ts";
import { SessionFile } from "./disk/session-file.ts";
import { allEnginePlaces, enginePlaceOf, type Load } from "./engine-places.ts";
import { SessionIds } from "./id.ts";
import type { SessionPlace } from "./keeper.ts";
import type { KeptSessions } from "./kept.ts";
import { KeptTogether } from "./kept-together.ts";
import { MemoryStore, type MemoryStoreOptions } from "./memory-store.ts";
import type { OwnSecrets } from "./options.ts";
import type { SessionEngine } from "./stores/engine.ts";
import { StoreOfFile } from "./stores/store-of-file.ts";
import { keepersOf } from "./wiring/open-register.ts";
import { Replicas } from "./wiring/replicas.ts";

export const defaultCookieName = "sid";

/** What a member keeps sessions with. */
export interface MemberPlace {
  readonly place: SessionPlace;
  /** What serve() has to do for it. */
  readonly kept: KeptSessions;
}

let ofMember: MemberPlace | null = null;
/** The cluster port is open. */
let isServing = false;
/** serve() has begun without anything that asks for sessions: it is too late to take part in keeping the cluster's. */
let isTooLate = false;

/**
 * The place of a member of a cluster, null outside of one: that of the cluster, one for all of the application's `session()` calls, or a
 * database that the application names instead, one for each.
 * @param store null: as the file says.
 * @throws FlotillaError FLOTILLA_SESSION_OPTION
 */
export function clusterPlace(
  store: SessionEngine | null = null,
  load: Load | null = null,
): { readonly place: SessionPlace; readonly cookieName: string } | null {
  const member = currentMember();
  if (member === null) return null;
  const { place } = store === null ? memberPlace(member) : databasePlace(member, store, load);
  return { place, cookieName: member.cluster.sessions?.cookieName ?? defaultCookieName };
}

/**
 * For serve(): how sessions are kept here: on two servers; where the file wants one copy (`durability: memory`) or there is only one
 * app server, on this one alone; or in databases. Null when neither the file nor the application speaks of them.
 */
export function clusterSessions(member: Member): KeptSessions | null {
  const isAsked = ofMember !== null || allEnginePlaces().length > 0;
  // The application's own database comes before what the file says.
  if (!isAsked && member.cluster.sessions !== null) memberPlace(member);
  isTooLate = ofMember === null;
  return endingSessions();
}

/**
 * For serve(), before its cluster port is open.
 * @throws FlotillaError FLOTILLA_SESSIONS_DISK, FLOTILLA_SESSION_STORE_DRIVER
 */
export async function openSessions(): Promise<void> {
  await endingSessions()?.open();
}

/** For serve(), whose cluster port is open now: takes up what was saved. */
export function startSessions(): void {
  isServing = true;
  endingSessions()?.start();
}

/** For serve(), which ends; null when the application has none. */
export function endingSessions(): KeptSessions | null {
  const own = ofMember === null ? [] : [ofMember.kept];
  const databases = allEnginePlaces().map(({ kept }) => kept);
  const [first, ...others] = new Set<KeptSessions>([...own, ...databases]);
  if (first === undefined) return null;
  return others.length === 0 ? first : new KeptTogether(first, others);
}

function memberPlace(member: Member): MemberPlace {
  try {
    ofMember ??= placeOf(member);
    return ofMember;
  } catch (error) {
    if (error instanceof FlotillaError) giveUp(error);
    throw error;
  }
}

function databasePlace(member: Member, engine: SessionEngine, load: Load | null = null): MemberPlace {
  const { place, kept, store } = enginePlaceOf(member, engine, load);
  member.sessionStore ??= () => ({
    name: engine.name,
    problem: store.trouble,
    problemForMs: Math.round(store.troubleForMs),
  });
  // Else it is opened with the server.
  if (isServing) store.start();
  return { place, kept };
}

/** @throws FlotillaError FLOTILLA_DATA_FOLDER */
export function placeOf(member: Member): MemberPlace {
  const { file, cluster, server } = member;
  const where = cluster.sessions?.store;
  if (where !== undefined && isDatabase(where)) return databasePlace(member, new StoreOfFile(where));
  const ids = new SessionIds(file.secret, file.previousSecret, cluster.name);
  const log = createLog(server.name);
  const durability = cluster.sessions?.durability;
  const isWanted = durability !== "memory" && (keepersOf(member).length >= 2 || durability === "backup+disk");
  if (isWanted && isTooLate)
    log.warn(
      "session() was called for the first time after serve(): sessions are kept on this server alone; " +
        `call it before, or write "sessions: {}" for ${cluster.name} in the file`,
    );
  const isShared = isWanted && !isTooLate && server.kind === "link";
  const { store, kept } = isShared ? sharedBy(member, ids, log) : alone(member, ids, log);
  member.sessionCount = () => store.count;
  const place: SessionPlace = {
    ...{ ids, store, log, updates: new Map() },
    idleTimeoutMs: cluster.sessions?.idleTimeoutMs ?? limits.idleTimeoutMs,
    absoluteTimeoutMs: cluster.sessions?.absoluteTimeoutMs ?? Number.POSITIVE_INFINITY,
    // With one copy there is nothing to write to.
    save: isShared && cluster.sessions?.save === "always" ? "always" : "on-change",
  };
  return { place, kept };
}

function sharedBy(member: Member, ids: SessionIds, log: Log): { store: ClusterStore; kept: Replicas } {
  const replicas = new Replicas(member, ids, log);
  member.slotCounts = () => replicas.counts;
  member.stopCheck = (others) => replicas.stopCheck(others);
  member.diskProblem = () => replicas.diskProblem;
  member.onOrder = () => replicas.standAside(member.order !== "ready");
  member.onOrder();
  return { store: replicas.store, kept: replicas };
}

function alone(member: Member, ids: SessionIds, log: Log): { store: MemoryStore; kept: KeptAlone } {
  const { file, cluster, server } = member;
  const memoryBytesMax = cluster.sessions?.memoryBytesMax ?? limits.memoryBytesMax;
  const { letter, processIndex } = server;
  const store = memoryStore({ ids, letter, processIndex, memoryBytesMax, log });
  const saved = new SessionFile(file.dataFolder, cluster.name, server.name, "memory");
  const kept = new KeptAlone(store, saved, server.name, log);
  member.stopCheck = () => kept.stopCheck();
  if (isServing) kept.start();
  return { store, kept };
}

/** @param secrets null: a random one; its sessions end with the process anyway. */
export function placeAlone(secrets: OwnSecrets | null): SessionPlace {
  const ids = new SessionIds(secrets?.secret ?? randomBytes(32), secrets?.previousSecret ?? null, "");
  const log = createLog("session");
  const { memoryBytesMax } = limits;
  const store = memoryStore({ ids, letter: "a", processIndex: 0, memoryBytesMax, log });
  const { idleTimeoutMs } = limits;
  const absoluteTimeoutMs = Number.POSITIVE_INFINITY;
  return { store, ids, idleTimeoutMs, absoluteTimeoutMs, save: "on-change", log, updates: new Map() };
}

function memoryStore(
  options: Pick<MemoryStoreOptions, "ids" | "letter" | "processIndex" | "memoryBytesMax" | "log">,
): MemoryStore {
  return new MemoryStore({ ...options, clock: systemClock, random: Math.random });
}
