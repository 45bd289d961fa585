/** Where the database of `durability: backup+disk` lies. */
import { join } from "node:path";

/** Of one server. */
export function databaseFolder(dataFolder: string, server: string): string {
  return join(dataFolder, "sessions", server);
}

export const databaseName = "sessions.db";

export function databasePath(folder: string): string {
  return join(folder, databaseName);
}

/** Of files beside it, without which it can't be read. */
export const databaseEndings: readonly string[] = ["-wal", "-shm"];
