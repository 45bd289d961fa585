/** What entries of `servers:` say alike, members and plain HTTP servers. */
import type { ClusterDraft } from "./context.ts";
import type { Server } from "./model.ts";
import type { Problems } from "./problems.ts";
import type { Section } from "./section.ts";

export function sharesOf(section: Section): Pick<Server, "weight" | "isBackup" | "waitingMax"> {
  return {
    weight: section.number("weight"),
    isBackup: section.flag("backup") === true,
    waitingMax: section.number("queue"),
  };
}

/** Weights that an operator, or an agent, may still raise; as they stand, visitors get 503. */
export function checkShares(drafts: readonly ClusterDraft[], problems: Problems): void {
  for (const { cluster, entry } of drafts) {
    const { tier, servers, name } = cluster;
    if (tier === "web" || servers.length === 0) continue;
    if (servers.some(({ weight, plain }) => weight > 0 || (plain?.agent ?? null) !== null)) continue;
    problems.warning(
      entry.section.atOf("servers"),
      `${entry.section.where}: all servers have weight: 0, so new visitors of ${name} get 503`,
    );
  }
}
