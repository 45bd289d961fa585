/** `flotilla/session/file`: sessions of a site with one server, in a file of its own. */
import { resolve } from "node:path";
import { createLog } from "../../../support/log.ts";
import { refuseOption, refuseUnknown } from "../../refused-option.ts";
import type { SessionEngine } from "../engine.ts";
import { FileEngine } from "./file-engine.ts";

export type { SessionEngine } from "../engine.ts";

export interface FileStoreOptions {
  /** It is made if it is not there; nothing else should be in it. */
  readonly folder: string;
}

/**
 * For `session({ store: fileStore({ folder }) })`: an SQLite database that this process has for itself. What was answered survives
 * `kill -9` and a power cut.
 * @throws FlotillaError FLOTILLA_SESSION_OPTION
 */
export function fileStore(options: FileStoreOptions): SessionEngine {
  refuseUnknown("fileStore", options ?? {}, ["folder"]);
  const folder: unknown = options?.folder;
  if (typeof folder !== "string" || folder === "")
    refuseOption("fileStore", "folder", `it is a path, not ${JSON.stringify(folder)}`);
  return new FileEngine(resolve(folder), createLog("session"));
}
