/** The table of settings as a tree, in the form in which the file and the JSON Schema nest. */

import type { Setting } from "./settings/setting.ts";
import { settings } from "./settings.ts";

export interface Shape {
  readonly setting: Setting;
  /** Keys of a section. */
  readonly keys: ReadonlyMap<string, Shape>;
  /** What each entry of a `named` section or of a list is. */
  readonly each: Shape | null;
}

const fileRow: Setting = { path: "", type: "section", since: "0.1", description: "The file." };

/** The whole file. */
export const fileShape: Shape = shapeOf(fileRow);

function shapeOf(setting: Setting): Shape {
  const keys = new Map<string, Shape>();
  let each: Shape | null = null;
  for (const row of settings) {
    const { parent, key } = split(row.path);
    if (parent !== setting.path) continue;
    if (key === "<name>" || key === "[]") each = shapeOf(row);
    else keys.set(key, shapeOf(row));
  }
  return { setting, keys, each };
}

/** "a.<name>.b[]" -> "a.<name>.b" and "[]"; "a.<name>" -> "a" and "<name>". */
function split(path: string): { parent: string; key: string } {
  if (path.endsWith("[]")) return { parent: path.slice(0, -2), key: "[]" };
  const dot = path.lastIndexOf(".");
  return { parent: path.slice(0, Math.max(0, dot)), key: path.slice(dot + 1) };
}
