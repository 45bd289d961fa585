/** What a Redis is not fit for, told when it is first used and not when sessions are lost. */
import { SessionEngineError } from "../engine.ts";
import type { RedisNode, RedisSource } from "./client.ts";
import { isForbidden, isReply } from "./failure.ts";

/** @throws SessionEngineError */
export async function checkServer(node: RedisNode, { name, isCluster }: RedisSource): Promise<void> {
  const facts = await factsOf(node);
  if (facts === null) return;
  if (facts.get("role") === "slave" && !isCluster)
    refuse(`${name} is a replica, which takes no writes: name the primary`);
  if (facts.get("cluster_enabled") === "1" && !isCluster)
    refuse(`${name} is a node of a Redis Cluster: give a cluster's client as redisStore({ client })`);
  const policy = facts.get("maxmemory_policy") ?? "noeviction";
  if (policy === "noeviction" || (facts.get("maxmemory") ?? "0") === "0") return;
  process.emitWarning(
    `${name} has maxmemory-policy ${policy}: when its memory is full it throws sessions away, and visitors are logged out. ` +
      "With noeviction it refuses new ones instead.",
    "FlotillaWarning",
  );
}

/** Null: we may not know; many who rent out a Redis do not tell. */
async function factsOf(node: RedisNode): Promise<ReadonlyMap<string, string> | null> {
  let text: string;
  try {
    text = String(await node(["INFO"]));
  } catch (error) {
    const cause = error instanceof SessionEngineError ? error.cause : error;
    if (isReply(cause) && isForbidden(cause)) return null;
    throw error;
  }
  const lines = text.split(/\r?\n/).filter((line) => line.includes(":"));
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)] as const),
  );
}

function refuse(message: string): never {
  throw new SessionEngineError(message, "nothing");
}
