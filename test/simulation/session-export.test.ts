/**
 * What an export reads, page by page, while sessions are used, change, leave memory for the disk and come back: each one that lives
 * throughout is in it once, and no older than when it began. Simulated servers with slow disks, without faults.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { ClusterAdmin } from "../../src/session/admin/cluster-admin.ts";
import type { LivingSession } from "../../src/session/admin/session-admin.ts";
import { Role } from "../../src/session/cluster/slot.ts";
import type { DiskSession } from "../../src/session/cluster/slot-disk.ts";
import { Entry } from "../../src/session/entry.ts";
import type { VerifiedId } from "../../src/session/id.ts";
import { endless } from "../../src/session/snapshot.ts";
import { type App, Simulation } from "./session/simulation.ts";

const seeds = 20;
const sessions = 60;
const inMemoryMax = 4;
const pageSessions = 8;

class Site {
  readonly #simulation: Simulation;
  readonly #apps: readonly App[];
  /** Sessions that are never ended, with the last value that was acknowledged. */
  readonly kept: Map<string, number> = new Map();
  readonly #ids: VerifiedId[] = [];
  readonly #passing: VerifiedId[] = [];
  #lastValue = 0;

  constructor(seed: number) {
    this.#simulation = new Simulation(seed, { rollsOut: false, hasDisks: true });
    const { places, world } = this.#simulation;
    for (const { server } of places) this.#simulation.start(server);
    while (!this.#simulation.isWhole()) world.runUntil(world.now + 100);
    this.#apps = [...this.#simulation.apps.values()];
    for (const app of this.#apps) this.#slow(app);
    this.#fill(0);
    this.#visit();
    for (let i = 0; i < sessions; i++) {
      this.#create();
      this.pass(100);
    }
  }

  /** What the disk has read comes late, and now and then it has too much to write. */
  #slow({ disk, process }: App): void {
    const { world } = this.#simulation;
    const readAfter = disk!.readAfter.bind(disk!);
    disk!.readAfter = (slot, after, bytesMax, done) => {
      const page: DiskSession[] = [];
      const more = (behind: string): void =>
        readAfter(slot, behind, bytesMax, (error, sessions) => {
          page.push(...sessions);
          const isWhole = error !== null || sessions.length === 0 || page.length >= pageSessions;
          if (!isWhole) more(page.at(-1)!.key);
          else world.after(world.between(0, 2_500), process, () => done(error, page));
        });
      more(after);
    };
  }

  /** Now this one can't be written for a while, now that one; then there is room for all in memory. */
  #fill(turn: number): void {
    const { world } = this.#simulation;
    const { disk, node } = this.#apps[turn % this.#apps.length]!;
    disk!.disk.isFull = true;
    Object.assign(node.context.options, { sessionsMax: sessions * 10 });
    world.after(world.between(500, 3_000), null, () => {
      disk!.disk.isFull = false;
      Object.assign(node.context.options, { sessionsMax: inMemoryMax });
      world.after(world.between(300, 1_500), null, () => this.#fill(turn + 1));
    });
  }

  pass(ms: number): void {
    this.#simulation.world.runUntil(this.#simulation.world.now + ms);
  }

  get #app(): App {
    return this.#simulation.world.pick(this.#apps);
  }

  #create(): void {
    const { store } = this.#app;
    const id = store.newId();
    const changes = this.#next();
    const value = this.#lastValue;
    store.create(id, changes, 1_800_000, endless, (error) => {
      if (error !== null) return;
      this.kept.set(id.key, value);
      this.#ids.push(id);
    });
  }

  #next(): Map<string, Entry> {
    return new Map([["n", Entry.of("n", ++this.#lastValue)]]);
  }

  #visit(): void {
    const { world } = this.#simulation;
    world.after(world.between(1, 30), null, () => this.#visit());
    if (this.#ids.length === 0) return;
    const id = world.pick(this.#ids);
    const { store } = this.#app;
    const dice = world.random();
    if (dice < 0.5) store.load(id, () => {});
    else if (dice < 0.9) {
      const changes = this.#next();
      const value = this.#lastValue;
      store.update(id, changes, 1_800_000, (error) => {
        if (error === null) this.kept.set(id.key, Math.max(value, this.kept.get(id.key)!));
      });
    } else if (dice < 0.95) {
      const passing = store.newId();
      store.create(passing, this.#next(), 1_800_000, endless, () => {});
      this.#passing.push(passing);
    } else if (this.#passing.length > 0) this.#app.store.destroy(this.#passing.shift()!, () => {});
  }

  /** All pages of all slots, as the command reads them. */
  export(): LivingSession[] {
    const found: LivingSession[] = [];
    for (const { index } of this.#apps[0]!.node.context.slots) {
      const { node, store } = this.#apps.find(({ node }) => node.context.slots[index]!.role === Role.owner)!;
      const admin = new ClusterAdmin(node, store);
      for (let after = ""; ; ) {
        const page = this.#page(admin, index, after);
        if (page.length === 0) break;
        found.push(...page);
        after = page.at(-1)!.key;
      }
    }
    return found;
  }

  #page(admin: ClusterAdmin, slot: number, after: string): readonly LivingSession[] {
    let page: readonly LivingSession[] | null = null;
    admin.page(slot, after, 60, (error, sessions) => {
      assert.equal(error, null);
      page = sessions;
    });
    for (let waited = 0; page === null && waited < 10_000; waited++) this.pass(1);
    assert.ok(page !== null);
    return page;
  }
}

test(`in ${seeds} seeds each session that lives throughout is exported once, as it was then or later`, () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const site = new Site(seed);
    const before = new Map(site.kept);
    assert.ok(before.size >= sessions / 2);
    const found = site.export();
    const times = new Map<string, number>();
    for (const { key, entries } of found) {
      times.set(key, (times.get(key) ?? 0) + 1);
      const value = Number(entries.get("n")!.text);
      const oldest = before.get(key) ?? 0;
      assert.ok(value >= oldest, `seed ${seed}: ${key} has ${value}, had ${oldest} when the export began`);
    }
    const wrong = [...before.keys()].filter((key) => times.get(key) !== 1);
    assert.deepEqual(wrong, [], `seed ${seed}: ${wrong.length} of ${before.size}`);
  }
});
