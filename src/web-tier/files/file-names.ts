/** From the path of a request to the name of a file, and what a file of that name is called in a head. */
import { mimes } from "mrmime";
import { files as limits } from "../../support/limits.ts";

/** By the ending, without its dot. A map: "constructor" is no ending (A40). */
const types: ReadonlyMap<string, string> = new Map(Object.entries(mimes));

/**
 * @param path canonical: no dot segments, no raw bytes beyond ASCII, no NUL.
 * @returns the name below the folder, "/a/b" or "/a/" (a folder); null when no file of this name is ever sent.
 */
export function fileNameOf(path: string): string | null {
  let name = path;
  if (path.includes("%")) {
    // An escaped separator is a letter of a name, and no name has it.
    if (/%2f|%5c/i.test(path)) return null;
    try {
      name = decodeURIComponent(path);
    } catch {
      return null;
    }
    if (/[\0-\x1f\x7f]/.test(name)) return null;
  }
  if (!name.startsWith("/") || name.length > limits.nameCharactersMax) return null;
  return isHidden(name) ? null : name;
}

/** Files that begin with a dot hold passwords and histories; ".well-known" is meant for everybody (RFC 8615). */
function isHidden(name: string): boolean {
  if (!name.includes("/.")) return false;
  return name.replace(/^\/\.well-known(?=\/)/, "").includes("/.");
}

/** @param name of the file as it lies there, whatever coding of it is sent. */
export function contentTypeOf(name: string): string {
  const ending = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  const type = types.get(ending) ?? "application/octet-stream";
  return type.startsWith("text/") ? `${type}; charset=utf-8` : type;
}
