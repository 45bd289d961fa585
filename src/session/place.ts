/** Where this process keeps sessions: as a member of its cluster, or, outside of one, for itself. */
import { randomBytes } from "node:crypto";
import { currentMember } from "../member/current.ts";
import type { Member } from "../member/member.ts";
import { systemClock } from "../support/clock.ts";
import { session as limits } from "../support/limits.ts";
import { createLog } from "../support/log.ts";
import { SessionIds } from "./id.ts";
import type { SessionPlace } from "./keeper.ts";
import { MemoryStore } from "./memory-store.ts";
import type { OwnSecrets } from "./options.ts";

export const defaultCookieName = "sid";

let ofMember: SessionPlace | null = null;

/** The cluster's place, one for all of the application's `session()` calls; null outside a cluster. */
export function clusterPlace(): { readonly place: SessionPlace; readonly cookieName: string } | null {
  const member = currentMember();
  if (member === null) return null;
  ofMember ??= placeOf(member);
  return { place: ofMember, cookieName: member.cluster.sessions?.cookieName ?? defaultCookieName };
}

export function placeOf(member: Member): SessionPlace {
  const { file, cluster, server } = member;
  const ids = new SessionIds(file.secret, file.previousSecret, cluster.name);
  const idleTimeoutMs = cluster.sessions?.idleTimeoutMs ?? limits.idleTimeoutMs;
  const place = makePlace(ids, server.letter, server.processIndex, server.name, idleTimeoutMs);
  member.sessionCount = () => place.store.count;
  return place;
}

/** @param secrets null: a random one; its sessions end with the process anyway. */
export function placeAlone(secrets: OwnSecrets | null): SessionPlace {
  const ids = new SessionIds(secrets?.secret ?? randomBytes(32), secrets?.previousSecret ?? null, "");
  return makePlace(ids, "a", 0, "session", limits.idleTimeoutMs);
}

function makePlace(
  ids: SessionIds,
  letter: string,
  processIndex: number,
  speaker: string,
  idleTimeoutMs: number,
): SessionPlace {
  const log = createLog(speaker);
  const store = new MemoryStore({ ids, letter, processIndex, clock: systemClock, random: Math.random, log });
  return { store, ids, idleTimeoutMs, log, updates: new Map() };
}
