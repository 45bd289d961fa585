/** Databases refuse to run as root: then they run as a user of their own. */
import { spawnSync } from "node:child_process";
import { chownSync } from "node:fs";

/** @param name of the user, where there is one. @returns null: this process's own user. */
export function otherUser(name: string): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid!() !== 0) return null;
  for (const each of [name, "nobody"]) {
    const { status, stdout } = spawnSync("id", ["-u", each], { encoding: "utf8" });
    if (status !== 0) continue;
    const group = spawnSync("id", ["-g", each], { encoding: "utf8" });
    return { uid: Number(stdout), gid: Number(group.stdout) };
  }
  return null;
}

/** @returns the folder, in which that user may make files, or the file, which is that user's. */
export function owned(path: string, name: string): string {
  const user = otherUser(name);
  if (user !== null) chownSync(path, user.uid, user.gid);
  return path;
}
