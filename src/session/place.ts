/** Where this process keeps sessions: as a member of its cluster, or, outside of one, for itself. */
import { randomBytes } from "node:crypto";
import { currentMember, giveUp } from "../member/current.ts";
import type { Member } from "../member/member.ts";
import { systemClock } from "../support/clock.ts";
import { FlotillaError } from "../support/errors.ts";
import { session as limits } from "../support/limits.ts";
import { createLog, type Log } from "../support/log.ts";
import type { ClusterStore } from "./cluster/cluster-store.ts";
import { KeptAlone } from "./disk/kept-alone.ts";
import { SessionFile } from "./disk/session-file.ts";
import { SessionIds } from "./id.ts";
import type { SessionPlace } from "./keeper.ts";
import type { KeptSessions } from "./kept.ts";
import { MemoryStore, type MemoryStoreOptions } from "./memory-store.ts";
import type { OwnSecrets } from "./options.ts";
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

/** The cluster's place, one for all of the application's `session()` calls; null outside a cluster. */
export function clusterPlace(): { readonly place: SessionPlace; readonly cookieName: string } | null {
  const member = currentMember();
  if (member === null) return null;
  const { place } = memberPlace(member);
  return { place, cookieName: member.cluster.sessions?.cookieName ?? defaultCookieName };
}

/**
 * For serve(): how the cluster's sessions are kept here: on two servers, or, where the file wants one copy (`durability:
 * memory`) or there is only one app server, on this one alone. Null when neither the file nor the application speaks of them.
 */
export function clusterSessions(member: Member): KeptSessions | null {
  isTooLate = member.cluster.sessions === null && ofMember === null;
  return isTooLate ? null : memberPlace(member).kept;
}

/**
 * For serve(), before its cluster port is open.
 * @throws FlotillaError FLOTILLA_SESSIONS_DISK
 */
export async function openSessions(): Promise<void> {
  await ofMember?.kept.open();
}

/** For serve(), whose cluster port is open now: takes up what was saved. */
export function startSessions(): void {
  isServing = true;
  ofMember?.kept.start();
}

/** For serve(), which ends; null when the application has none. */
export function endingSessions(): KeptSessions | null {
  return ofMember?.kept ?? null;
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

/** @throws FlotillaError FLOTILLA_DATA_FOLDER */
export function placeOf(member: Member): MemberPlace {
  const { file, cluster, server } = member;
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
