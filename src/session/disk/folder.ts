/** Folders of what is kept on disk. */
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf } from "../../support/errors.ts";

/**
 * With all that is missing above it, as `mkdir -p`. Node's own way (`recursive`) never comes back where the system makes none in a folder
 * that is there, as in /proc.
 * @throws the system's error; ENOENT also of a link to what is not there.
 */
export function makeFolder(path: string, mode: number): void {
  try {
    makeOne(path, mode);
  } catch (error) {
    const parent = dirname(path);
    if (codeOf(error) !== "ENOENT" || parent === path) throw error;
    makeFolder(parent, mode);
    makeOne(path, mode);
  }
}

function makeOne(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (codeOf(error) !== "EEXIST" || !statSync(path).isDirectory()) throw error;
  }
}
