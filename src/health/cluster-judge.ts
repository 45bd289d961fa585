/**
 * What only shows beside the others of a cluster: which servers are suspect or stalled, and which fail more requests than the
 * rest. Where all are alike the fault is elsewhere (a database, what visitors send), and nobody is judged.
 */
import { serverHealth as limits } from "../support/limits.ts";
import type { ServerHealth } from "./server-health.ts";

/** @param passedMs since the look before, as far as our own process did not stand still in between. */
export function judge(servers: readonly ServerHealth[], nowMs: number, passedMs: number): void {
  let atRest = 0;
  for (const server of servers) {
    if (server.isAtRest) atRest++;
    server.outcomes.look(nowMs);
    server.answering.look(nowMs, passedMs);
  }
  if (atRest === servers.length) return;
  const serving = servers.filter(isServing);
  for (const server of servers)
    if (server.isJudged) server.lookAtTrial(passedMs, expectedMs(server, serving));
  if (servers.length > 1) {
    findSuspects(serving, nowMs);
    findStalled(serving, nowMs);
    findFailing(servers, serving);
  }
  if (!servers.some(isCandidate)) for (const server of servers) server.pardon();
}

function isServing({ state }: ServerHealth): boolean {
  return state === "up" || state === "slow-start";
}

function isCandidate({ isCandidate: is, state }: ServerHealth): boolean {
  return is && state !== "recovering";
}

function findSuspects(serving: readonly ServerHealth[], nowMs: number): void {
  const someoneAnswers = serving.some((server) => server.isCandidate && !isQuiet(server, serving));
  for (const server of serving) {
    const isSuspect = someoneAnswers && isQuiet(server, serving);
    server.suspectOf(isSuspect, nowMs);
    if (isSuspect) server.trySuspect(nowMs);
  }
}

function isQuiet(server: ServerHealth, serving: readonly ServerHealth[]): boolean {
  const { awaited, quietMs } = server.answering;
  if (awaited === 0) return false;
  const afterMs = awaited < limits.suspectWaiting ? limits.suspectAloneAfterMs : limits.suspectAfterMs;
  return quietMs >= afterMs && quietMs >= expectedMs(server, serving);
}

/**
 * How long its answers may take: as long as those of the others, at least. It may have answered nothing yet, or nothing since
 * visitors began to ask for what takes long everywhere.
 */
function expectedMs(server: ServerHealth, serving: readonly ServerHealth[]): number {
  const others = serving.filter((other) => other !== server && other.answering.expectedMs > 0);
  return Math.max(server.answering.expectedMs, median(others.map((other) => other.answering.expectedMs)));
}

function findStalled(serving: readonly ServerHealth[], nowMs: number): void {
  for (const server of serving) {
    const { awaited, quietMs } = server.answering;
    const afterMs = Math.max(limits.stalledAfterMs, 2 * expectedMs(server, serving));
    if (awaited < limits.stalledWaiting || quietMs < afterMs) continue;
    if (!server.didNotClear(nowMs, trialsFor(server, serving, nowMs))) continue;
    const others = serving.filter((other) => other !== server && isServing(other));
    const answering = others.filter((other) => other.answering.answeredWithin(nowMs, quietMs / 2));
    if (answering.length === 0 || answering.length * 2 < others.length) continue;
    const since = (quietMs / 1_000).toFixed(1);
    server.judge("stalled", `no answer for ${since} s while ${awaited} requests waited`);
  }
}

/**
 * So many requests have to stay unanswered that chance is no explanation: where a part of them takes long everywhere (reports, long
 * polls), what tries a server may be some of these.
 */
function trialsFor(server: ServerHealth, serving: readonly ServerHealth[], nowMs: number): number {
  const others = serving.filter((other) => other !== server);
  const longShare = Math.max(...others.map(({ answering }) => answering.longShare(nowMs)), 0);
  if (longShare <= limits.stalledByChance) return 1;
  const times = Math.log(limits.stalledByChance) / Math.log(Math.min(longShare, 0.99));
  return Math.min(limits.stalledTrialsMax, Math.ceil(times));
}

/** Never more than half of the servers. */
function findFailing(servers: readonly ServerHealth[], serving: readonly ServerHealth[]): void {
  for (const server of serving) {
    const { lastFailures, lastCount } = server.outcomes;
    if (lastFailures < limits.failuresMin) continue;
    const others = serving.filter((other) => other !== server && other.isCandidate && isServing(other));
    const compared = others.filter((other) => other.outcomes.requests >= limits.outcomesMin);
    if (compared.length === 0) continue;
    const usualShare = median(compared.map(({ outcomes }) => outcomes.failureShare));
    if (lastFailures / lastCount < 2 * usualShare + limits.failureShareAbove) continue;
    const judged = servers.filter(({ isJudged }) => isJudged).length;
    if ((judged + 1) * 2 > servers.length) return;
    server.judge("failing", `${lastFailures} of its last ${lastCount} requests failed, more than elsewhere`);
  }
}

/** The lower one of two in the middle; 0 of none. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] ?? 0;
}
