/** What the workers of a web server tell each other of clients' addresses, kept for workers that begin later. */
import { learn, type MovedAddresses, MovedList } from "../member/moved-addresses.ts";
import { systemClock } from "../support/clock.ts";
import { affinity as limits } from "../support/limits.ts";
import { RecentTable } from "../support/recent-table.ts";

export class MovedBoard {
  readonly #byCluster = new Map<string, RecentTable>();
  readonly #now: () => number;

  constructor(now: () => number = () => systemClock.now()) {
    this.#now = now;
  }

  add(moved: MovedAddresses): void {
    const { cluster, keptMs } = moved;
    const known = this.#byCluster.get(cluster);
    const table = known ?? new RecentTable(limits.addressesMax, keptMs);
    if (known === undefined) this.#byCluster.set(cluster, table);
    table.keptMs = keptMs;
    learn(table, moved, this.#now());
  }

  /** All that is known, in parts. */
  *all(): Generator<MovedAddresses> {
    const now = this.#now();
    for (const [cluster, table] of this.#byCluster) {
      for (let from = 1; from !== 0; ) {
        const list = new MovedList();
        from = table.walk(from, limits.addressesAtOnceMax, now, (key, place, usedAtMs) =>
          list.add(key, place, now - usedAtMs),
        );
        if (list.size > 0) yield list.toMessage(cluster, table.keptMs, true);
      }
    }
  }

  /** Clusters that the file has no more. */
  keepOnly(clusters: ReadonlyMap<string, unknown>): void {
    for (const cluster of this.#byCluster.keys()) if (!clusters.has(cluster)) this.#byCluster.delete(cluster);
  }
}
