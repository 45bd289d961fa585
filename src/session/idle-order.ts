/**
 * Sessions in the order of their last use, so that the expired and the longest idle are found without looking
 * at the others. Sessions of about the same idle timeout share a list; moving one to its list's end is a few
 * pointer writes. Timeouts are put in classes of an eighth of a doubling: whoever stays unused is swept at
 * most 10% late and never early (a look-up by id is exact).
 */

export class IdleItem {
  idleTimeoutMs: number;
  /** Monotonic. */
  lastUsedAt = 0;
  /** @internal */ list: IdleList | null = null;
  /** @internal */ next: IdleItem | null = null;
  /** @internal */ previous: IdleItem | null = null;

  constructor(idleTimeoutMs: number) {
    this.idleTimeoutMs = idleTimeoutMs;
  }

  isExpired(now: number): boolean {
    return now - this.lastUsedAt >= this.idleTimeoutMs;
  }
}

class IdleList {
  readonly timeoutMsMax: number;
  first: IdleItem | null = null;
  last: IdleItem | null = null;

  constructor(timeoutMsMax: number) {
    this.timeoutMsMax = timeoutMsMax;
  }

  append(item: IdleItem): void {
    item.list = this;
    item.previous = this.last;
    item.next = null;
    if (this.last === null) this.first = item;
    else this.last.next = item;
    this.last = item;
  }

  remove(item: IdleItem): void {
    if (item.previous === null) this.first = item.next;
    else item.previous.next = item.next;
    if (item.next === null) this.last = item.previous;
    else item.next.previous = item.previous;
    item.list = item.next = item.previous = null;
  }
}

const classesPerDoubling = 8;

export class IdleOrder<Item extends IdleItem> {
  /** By class; about 330 classes reach from a millisecond to ten thousand years. */
  readonly #lists: Map<number, IdleList> = new Map();

  /** Used now: to the end of its list, or of another one when its timeout was changed. */
  use(item: Item, now: number, idleTimeoutMs: number): void {
    const list = item.list;
    if (list !== null && list.last === item && item.idleTimeoutMs === idleTimeoutMs) {
      item.lastUsedAt = now;
      return;
    }
    const target =
      list !== null && item.idleTimeoutMs === idleTimeoutMs ? list : this.#listFor(idleTimeoutMs);
    list?.remove(item);
    item.idleTimeoutMs = idleTimeoutMs;
    item.lastUsedAt = now;
    target.append(item);
  }

  remove(item: Item): void {
    item.list?.remove(item);
  }

  /** The one unused for longest, or null when there is none. */
  longestIdle(): Item | null {
    let longest: IdleItem | null = null;
    for (const { first } of this.#lists.values()) {
      if (first !== null && (longest === null || first.lastUsedAt < longest.lastUsedAt)) longest = first;
    }
    return longest as Item | null;
  }

  /** Hands out what is expired; the callback removes it. At most `itemsMax`, so that no turn takes long. */
  sweep(now: number, itemsMax: number, expire: (item: Item) => void): void {
    let budget = itemsMax;
    for (const [timeoutClass, list] of this.#lists) {
      while (list.first !== null && now - list.first.lastUsedAt >= list.timeoutMsMax && budget-- > 0) {
        expire(list.first as Item);
      }
      if (list.first === null) this.#lists.delete(timeoutClass);
    }
  }

  #listFor(idleTimeoutMs: number): IdleList {
    const timeoutClass = Math.ceil(Math.log2(Math.max(1, idleTimeoutMs)) * classesPerDoubling);
    let list = this.#lists.get(timeoutClass);
    if (list === undefined) {
      list = new IdleList(Math.max(idleTimeoutMs, 2 ** (timeoutClass / classesPerDoubling)));
      this.#lists.set(timeoutClass, list);
    }
    return list;
  }
}
