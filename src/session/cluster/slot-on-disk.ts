/** What the disk has of a slot. */
export class SlotOnDisk {
  /** Of the copy's place: what is told of an earlier one does not count. */
  epoch = 0;
  syncedPos = -1;
  /**
   * Keys whose newest change is not known to be synced, with its position, in their order: the disk may tell what they were before. One of them
   * that is not in memory is of a session that is over.
   */
  readonly newer: Map<string, number> = new Map();
  /** When the disk has synced this position, it has all that `newer` does not name. */
  trackedFrom: number = Number.POSITIVE_INFINITY;
  /** Those of them that the disk was not given. */
  behind: Set<string> | null = null;
  /** A copy is being made: it has no place yet. */
  isBeingMade = false;
  /** It may have sessions that memory has not. */
  hasMore = false;
  /** Those who look at memory and disk together: until they have, no session leaves memory. */
  readers = 0;
  /** A new owner shows nothing before this is synced: what it took over may be in no other memory any more. */
  shownFrom = -1;
}
