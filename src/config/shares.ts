/** What entries of `servers:` say alike, members and plain HTTP servers. */
import type { Server } from "./model.ts";
import type { Section } from "./section.ts";

export function sharesOf(section: Section): Pick<Server, "weight" | "isBackup" | "waitingMax"> {
  return {
    weight: section.number("weight"),
    isBackup: section.flag("backup") === true,
    waitingMax: section.number("queue"),
  };
}
