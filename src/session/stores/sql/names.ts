/** Names of what belongs to a table. */
import { createHash } from "node:crypto";

/** The table's name with what is behind it. One that would be too long for the database is cut, with a hash in place of the rest. */
export function nameWith(table: string, suffix: string, charactersMax: number): string {
  if (table.length + suffix.length <= charactersMax) return table + suffix;
  const hash = createHash("sha256").update(table).digest("hex").slice(0, 8);
  return `${table.slice(0, charactersMax - suffix.length - hash.length - 1)}_${hash}${suffix}`;
}
