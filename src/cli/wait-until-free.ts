/** Waits until app servers that are out of service have nothing left: no request from any web server, and no session that counts on them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Asker } from "../admin/ask.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import type { MemberStatus } from "../member/member.ts";
import { codeOf } from "../support/errors.ts";
import { admin, operations as limits } from "../support/limits.ts";
import { count } from "../support/words.ts";
import { type Operators, together } from "./operators.ts";
import { complain, enumerate } from "./terminal.ts";

/** A server that is not free, and what it has, in words. */
export interface Busy {
  readonly name: string;
  readonly why: string;
}

export interface WaitParts {
  readonly file: ClusterFile;
  readonly servers: readonly Server[];
  readonly operators: Operators;
  readonly asker: Asker;
}

/**
 * @param timeoutMs null: as long as it takes.
 * @param isAbandoned asked between looks: nobody waits any more.
 * @returns those that are not free when the time is over.
 */
export async function waitUntilFree(
  parts: WaitParts,
  timeoutMs: number | null,
  isQuiet: boolean,
  isAbandoned: () => boolean = () => false,
): Promise<Busy[]> {
  const until = timeoutMs === null ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
  let toldAt = performance.now();
  let told = "";
  for (;;) {
    const busy = await look(parts);
    const now = performance.now();
    if (busy.length === 0 || now >= until || isAbandoned()) return busy;
    const text = `waiting: ${busy.map(({ name, why }) => `${name} has ${why}`).join("; ")}`;
    if (!isQuiet && text !== told && now - toldAt >= limits.progressIntervalMs) {
      complain(text);
      told = text;
      toldAt = now;
    }
    await sleep(Math.min(limits.waitIntervalMs, Math.max(0, until - now)));
  }
}

async function look({ file, servers, operators, asker }: WaitParts): Promise<Busy[]> {
  // Sessions first: the web servers' count is then younger, and no request is missed that moved them.
  const kept = await Promise.all(servers.map((server) => keptBy(file, server, asker)));
  const answered = await operators.look();
  const seen = together(answered, servers);
  return servers.flatMap(({ name }, index) => {
    const own = seen.find((one) => one.name === name);
    const requests =
      own === undefined
        ? ["requests that nobody can count, because no web server answers"]
        : own.inFlight > 0
          ? [`${count(own.inFlight, "request")} under way`]
          : [];
    const what = [...requests, ...kept[index]!];
    return what.length === 0 ? [] : [{ name, why: enumerate(what) }];
  });
}

/** What it keeps that would have to be somewhere else, in words. */
async function keptBy(file: ClusterFile, server: Server, asker: Asker): Promise<string[]> {
  // A plain server keeps what it keeps; nobody can ask it.
  if (server.kind !== "link") return [];
  let status: MemberStatus;
  try {
    status = (await asker.server(server, { ask: "status" }, admin.statusTimeoutMs)) as MemberStatus;
  } catch (error) {
    // One that does not run has nothing that could be waited for.
    return codeOf(error) === "FLOTILLA_LINK_UNREACHABLE" ? [] : ["given no answer"];
  }
  const { sessions, slots, keptSlots = slots } = status;
  if (keptSlots === undefined)
    return sessions === 0 ? [] : [`${count(sessions, "session")}, which it keeps alone, until they end`];
  if (keptSlots === 0) return [];
  const heirs = file.clusters.get(server.cluster)!.servers.filter(({ name }) => name !== server.name);
  const waits = heirs.length === 0 ? " that no other server can take" : " to hand over";
  return [`${count(sessions, "session")} (${count(keptSlots, "slot")})${waits}`];
}
