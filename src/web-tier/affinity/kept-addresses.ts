/**
 * `affinity: { by: client-address }` of one cluster, in one worker: which address is kept where, and what the other workers have to know of it.
 *
 * Each address has a home, by rendezvous hashing over the servers that take new visitors by the file and by the operators' orders: every
 * worker and every web server works out the same one. Health has no part in it, for each sees it at a moment of its own. An address is
 * elsewhere when its home was down as it came, or when servers have been added or sent away since. Only those are told to the others, when
 * it happens, and now and then while they are used.
 *
 * When homes change, nobody can know at once whether an address that is new here is known to another worker. For a moment such an
 * address is therefore taken to its former home, where that one has it too; meanwhile all tell what they keep elsewhere.
 */
import { learn, type MovedAddresses, MovedList } from "../../member/moved-addresses.ts";
import { type Clock, systemClock, type Timer } from "../../support/clock.ts";
import { affinity as limits } from "../../support/limits.ts";
import { RecentTable } from "../../support/recent-table.ts";
import { homeOf, nowhere, type Place } from "./rendezvous.ts";

export class KeptAddresses {
  /** To the other workers. */
  tell: (moved: MovedAddresses) => void = () => {};
  readonly #cluster: string;
  readonly #clock: Clock;
  readonly #table: RecentTable;
  #homes: readonly Place[] | null = null;
  #formerHomes: readonly Place[] | null = null;
  /** To be told: places by their keys. */
  readonly #untold = new Map<number, number>();
  #telling: Timer | null = null;
  #walking: Timer | null = null;
  #settling: Timer | null = null;

  constructor(cluster: string, clock: Clock = systemClock, addressesMax: number = limits.addressesMax) {
    this.#cluster = cluster;
    this.#clock = clock;
    this.#table = new RecentTable(addressesMax, 0);
  }

  /** Nobody has said yet which servers there are. */
  get isNew(): boolean {
    return this.#homes === null;
  }

  /** Where the address is kept, or `nowhere`. It counts as a use. */
  find(key: number): number {
    const now = this.#clock.now();
    const place = this.#table.get(key, now);
    if (place === nowhere || now < this.#table.usedAtMs) return place;
    this.#use(key, place, now);
    if (place !== this.#homeOf(key)) this.#tellLater(key, place);
    return place;
  }

  /** Where an address that is kept nowhere may be kept by another worker; `nowhere` most of the time. */
  formerHomeOf(key: number): number {
    return this.#formerHomes === null ? nowhere : homeOf(key, this.#formerHomes);
  }

  /** @param hasMoved it was kept elsewhere before. */
  keep(key: number, place: number, hasMoved: boolean): void {
    this.#use(key, place, this.#clock.now());
    if (hasMoved || place !== this.#homeOf(key)) this.#tellLater(key, place);
  }

  /** @param homes the servers that take new visitors, as far as all workers know alike. */
  update(homes: readonly Place[], keptMs: number): void {
    this.#table.keptMs = keptMs;
    const before = this.#homes;
    if (before !== null && isSame(before, homes)) return;
    this.#homes = homes;
    if (before === null) return;
    // Changed again before all was told: the first of these homes is where the others know an address.
    this.#formerHomes ??= before;
    this.#settling?.cancel();
    this.#settling = this.#clock.after(limits.settleMs, () => {
      this.#formerHomes = null;
    });
    this.#walking?.cancel();
    this.#remind(1);
  }

  /** From another worker, or our own words: all workers hear all in the same order. */
  hear(moved: MovedAddresses): void {
    learn(this.#table, moved, this.#clock.now());
  }

  close(): void {
    for (const timer of [this.#telling, this.#walking, this.#settling]) timer?.cancel();
  }

  /**
   * Uses of the next sixteenth of the time count already, here and in the workers that are told: so most requests change nothing,
   * nobody is told of them, and all workers forget an address at the same time.
   */
  #use(key: number, place: number, now: number): void {
    this.#table.set(key, place, now, now + this.#aheadMs);
  }

  get #aheadMs(): number {
    return this.#table.keptMs / 16;
  }

  #homeOf(key: number): number {
    return homeOf(key, this.#homes!);
  }

  /** A part of the table at a time: requests get their turns. */
  #remind(first: number): void {
    const away = new MovedList();
    const now = this.#clock.now();
    const next = this.#table.walk(first, limits.addressesAtOnceMax, now, (key, place, usedAtMs) => {
      if (place !== this.#homeOf(key)) away.add(key, place, now - usedAtMs);
    });
    this.#tell(away, true);
    this.#walking = next === 0 ? null : this.#clock.after(1, () => this.#remind(next));
  }

  #tellLater(key: number, place: number): void {
    this.#untold.set(key, place);
    if (this.#untold.size >= limits.addressesAtOnceMax) this.#tellNow();
    else this.#telling ??= this.#clock.after(limits.tellMs, () => this.#tellNow());
  }

  #tellNow(): void {
    this.#telling?.cancel();
    this.#telling = null;
    const moved = new MovedList();
    for (const [key, place] of this.#untold) moved.add(key, place, -this.#aheadMs);
    this.#untold.clear();
    this.#tell(moved, false);
  }

  #tell(moved: MovedList, isReminder: boolean): void {
    if (moved.size > 0) this.tell(moved.toMessage(this.#cluster, this.#table.keptMs, isReminder));
  }
}

function isSame(before: readonly Place[], homes: readonly Place[]): boolean {
  return (
    before.length === homes.length &&
    before.every(({ place, seed, weight }, at) => {
      const home = homes[at]!;
      return place === home.place && seed === home.seed && weight === home.weight;
    })
  );
}
