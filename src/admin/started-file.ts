/** What of a changed file concerns a server that keeps to the one that it was started with. */
import { isDeepStrictEqual } from "node:util";
import { loadOrThrow } from "../config/load.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import { keptInWords } from "../config/session-store.ts";
import type { Member } from "../member/member.ts";
import { FlotillaError } from "../support/errors.ts";

/** What a server answers to `reload`. */
export interface ReloadAnswer {
  readonly pid: number;
  /** What of the change is not in force yet, and what puts it in force, in words. */
  readonly notes: readonly string[];
}

/** @throws FlotillaError FLOTILLA_RELOAD_REFUSED: the file that is meant is not the one that the server reads. */
export function refuseOtherPath(
  { name }: Pick<Server, "name">,
  file: Pick<ClusterFile, "path">,
  path: string | undefined,
): void {
  if (path === undefined || path === file.path) return;
  throw new FlotillaError(
    "FLOTILLA_RELOAD_REFUSED",
    `not reloaded: ${name} was started with ${file.path}, and works by that one`,
    { source: "client" },
  );
}

/**
 * Nothing is applied: which servers keep which session is agreed on by their files, one restart after the other.
 * @throws FlotillaError FLOTILLA_CONFIG_INVALID
 */
export function compareWithStarted(
  { file, server, cluster }: Member,
  path: string | undefined,
): ReloadAnswer {
  refuseOtherPath(server, file, path);
  const now = loadOrThrow(file.path);
  const of = now.clusters.get(cluster.name);
  const isOtherStore = of !== undefined && keptInWords(of.sessions) !== keptInWords(cluster.sessions);
  const changed = [
    isDeepStrictEqual(of, cluster) ? null : `cluster ${cluster.name}`,
    isDeepStrictEqual([now.secret, now.previousSecret], [file.secret, file.previousSecret])
      ? null
      : "the secret",
    now.dataFolder === file.dataFolder ? null : "`data:`",
  ].filter((part) => part !== null);
  const notes =
    changed.length === 0
      ? []
      : [
          `${server.name} goes on by the file that it was started with, and ${changed.join(" and ")} has changed: ` +
            (isOtherStore
              ? `with another \`store:\` or \`durability:\`, stop all its app servers and start them; their sessions end with it`
              : `restart the servers of its cluster one after the other (flotilla restart ${cluster.name})`),
        ];
  return { pid: process.pid, notes };
}
