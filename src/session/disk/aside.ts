/** A file with sessions that can't be used is not thrown away: it is put aside, for a person to look at. */
import { existsSync, renameSync, rmSync } from "node:fs";
import { inWords } from "./disk-errors.ts";
import { OtherVersionError } from "./sqlite.ts";

/**
 * @param asideMax one that was put aside before stays, up to so many.
 * @param companions endings of files without which it can't be read.
 * @param name what is added to its own.
 * @returns what was done, for the log.
 */
export function putAside(
  path: string,
  asideMax: number,
  companions: readonly string[] = [],
  name: string = "unread",
): string {
  const nth = (n: number): string => `${path}.${name}${n === 0 ? "" : n + 1}`;
  let place = 0;
  while (place < asideMax && existsSync(nth(place))) place++;
  const aside = nth(place % asideMax);
  try {
    for (const ending of companions) {
      rmSync(`${aside}${ending}`, { force: true });
      if (existsSync(`${path}${ending}`)) renameSync(`${path}${ending}`, `${aside}${ending}`);
    }
    renameSync(path, aside);
    return `it was put aside as ${aside}, and the server starts without them`;
  } catch (error) {
    return `it can't be put aside either (${inWords(error)}); the server starts without them`;
  }
}

/** What follows in the log where nothing is wrong with the file; "" where a person can't do much. */
export function howToTakeBack(error: unknown, path: string): string {
  if (!(error instanceof OtherVersionError)) return "";
  return (
    `. To have them back: stop this server, rename what was put aside to ${path} (with a file beside it that ends in -wal, that one ` +
    `to ${path}-wal), and start the Flotilla that wrote it`
  );
}
