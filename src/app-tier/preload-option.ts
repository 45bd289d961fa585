/** What brings the preload into the Node processes of a `run:` program: one word of NODE_OPTIONS. */
import { join } from "node:path";

/** The file of this copy of Flotilla; the sources run as they are, too. */
const preloadFile: string = join(
  import.meta.dirname,
  `preload.${import.meta.filename.endsWith(".ts") ? "cts" : "cjs"}`,
);

/** @returns NODE_OPTIONS with what it had, and the preload. */
export function withPreload(nodeOptions: string | undefined): string {
  const others = (nodeOptions ?? "").trim();
  return others === "" ? preloadWord(preloadFile) : `${others} ${preloadWord(preloadFile)}`;
}

/** @returns NODE_OPTIONS without it. */
export function withoutPreload(nodeOptions: string | undefined, file: string): string {
  return (nodeOptions ?? "").replace(preloadWord(file), "").trim();
}

/** Node takes double quotes, and a backslash before what they would end at. */
function preloadWord(file: string): string {
  return `"--require=${file.replace(/["\\]/g, "\\$&")}"`;
}
