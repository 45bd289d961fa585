/** A state remembers the ids of its latest changes: whoever lost the answer to one finds there whether it is part of the chain. */
import { register as limits } from "../support/limits.ts";

interface Remembering {
  readonly version: number;
  /** The one that made this version last; at most `limits.recentMax`. */
  readonly recent: readonly string[];
}

/** The id of the change that made `version`; null when it is not remembered (any more). */
export function changeOf({ version: newest, recent }: Remembering, version: number): string | null {
  return recent[recent.length - 1 - (newest - version)] ?? null;
}

/** Of the state that follows. */
export function recentAfter({ recent }: Remembering, change: string): string[] {
  return [...recent.slice(1 - limits.recentMax), change];
}
