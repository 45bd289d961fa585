/** What a server says of slots that nobody served any more: whether something is lost, in simulated servers. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Recovered } from "../../src/session/cluster/context.ts";
import { Entry } from "../../src/session/entry.ts";
import type { VerifiedId } from "../../src/session/id.ts";
import { endless } from "../../src/session/snapshot.ts";
import { type Options, Simulation } from "./session/simulation.ts";

class Site {
  readonly simulation: Simulation;
  readonly servers: readonly string[];
  readonly outcomes: Recovered[] = [];

  /** Three app servers at least. */
  static make(): Site {
    return Site.#find({}, (servers) => servers >= 3);
  }

  static makePairWithDisks(): Site {
    return Site.#find({ hasDisks: true, register: "model", rollsOut: false }, (servers) => servers === 2);
  }

  static #find(options: Options, fits: (servers: number) => boolean): Site {
    for (let seed = 1; ; seed++) {
      const simulation = new Simulation(seed, options);
      if (fits(simulation.setup.servers.length)) return new Site(simulation);
    }
  }

  private constructor(simulation: Simulation) {
    this.simulation = simulation;
    this.servers = this.simulation.setup.servers.map(({ server }) => server);
    for (const server of this.servers) this.start(server);
    while (!this.simulation.isWhole()) this.pass(100);
    this.pass(3_000);
  }

  pass(ms: number): void {
    this.simulation.world.runUntil(this.simulation.world.now + ms);
  }

  start(server: string): void {
    this.simulation.start(server);
    const { node } = this.simulation.apps.get(server)!;
    Object.assign(node.context.observer, {
      onRecovered: (_slot: number, outcome: Recovered) => this.outcomes.push(outcome),
    });
  }

  create(): VerifiedId {
    const { store } = [...this.simulation.apps.values()][0]!;
    const id = store.newId();
    store.create(id, new Map([["a", Entry.of("a", 1)]]), 1_800_000, endless, (error) =>
      assert.equal(error, null),
    );
    this.pass(50);
    return id;
  }

  lives(id: VerifiedId): boolean {
    let isThere = false;
    [...this.simulation.apps.values()][0]!.store.load(id, (_error, entries) => {
      isThere = entries !== null;
    });
    this.pass(100);
    return isThere;
  }

  /** Of a slot, with the epoch of the copy on the disk of each server. */
  look(slot: number): { epoch: number; hasBackup: boolean; onDisk: (number | undefined)[] } {
    const { epoch, backup } = this.simulation.register.state!.value.slots[slot]!;
    const onDisk = this.servers.map((server) => this.simulation.disks!.get(server)!.placeOf(slot)?.epoch);
    return { epoch, hasBackup: backup !== null, onDisk };
  }

  /** Told to stop all at once. */
  stopAll(): void {
    const apps = [...this.simulation.apps.values()];
    for (const { node } of apps) node.leave();
    this.pass(500);
    for (const app of apps) this.simulation.end(app);
  }

  /** @returns the server that was stopped last, and the one before. */
  stopInTurn(): { readonly last: string; readonly first: string } {
    const [first, last] = this.servers as readonly [string, string];
    const app = this.simulation.apps.get(first)!;
    app.node.leave();
    while (!app.node.isDrained) this.pass(10);
    this.simulation.end(app);
    this.pass(100);
    assert.ok(this.simulation.register.state!.value.slots.every(({ prior }) => prior?.server === first));
    this.simulation.end(this.simulation.apps.get(last)!);
    return { first, last };
  }

  /** @returns in how many ways slots came to an owner again. */
  told(): string[] {
    return [...new Set(this.outcomes.map(({ copy, away }) => [copy, ...away].join(" ")))].sort();
  }
}

describe("slots that came to an owner again", () => {
  test("after an orderly stop of all, one stays away: the other of each pair has all, and no loss is told", () => {
    const site = Site.make();
    const ids = Array.from({ length: 20 }, () => site.create());
    site.stopAll();
    for (const server of site.servers.slice(1)) site.start(server);
    site.pass(90_000);
    assert.ok(ids.every((id) => site.lives(id)));
    assert.ok(site.outcomes.length > 0);
    assert.deepEqual([...new Set(site.outcomes.map(({ copy }) => copy))], ["whole"]);
  });

  test("all were killed, and are back: what they had is lost", () => {
    const site = Site.make();
    const id = site.create();
    for (const server of site.servers) site.simulation.kill(server, false);
    for (const server of site.servers) site.start(server);
    site.pass(90_000);
    assert.equal(site.lives(id), false);
    assert.deepEqual(site.told(), ["lost"]);
  });

  test("the last one that was stopped stays away: it may have had something, and it is named", () => {
    const site = Site.make();
    site.create();
    const [last, ...others] = site.servers;
    for (const server of others) {
      const app = site.simulation.apps.get(server)!;
      app.node.leave();
      while (!app.node.isDrained) site.pass(100);
      site.simulation.end(app);
    }
    site.simulation.end(site.simulation.apps.get(last!)!);
    for (const server of others) site.start(server);
    site.pass(90_000);
    assert.deepEqual(site.told(), [`unknown ${last}`]);
  });

  test("power goes as a new copy is on disk and its server not named yet: the owner's disk has all, and no loss is told", () => {
    const site = Site.makePairWithDisks();
    const id = site.create();
    const { owner } = site.simulation.register.state!.value.slots[id.slot]!;
    const other = site.simulation.apps.get(site.servers.find((server) => server !== owner!.server)!)!;
    other.process.pause();
    while (site.look(id.slot).hasBackup) site.pass(100);
    other.process.resume();
    const isGiven = (): boolean => {
      const { epoch, hasBackup, onDisk } = site.look(id.slot);
      return !hasBackup && onDisk.every((known) => known === epoch);
    };
    for (let ms = 0; !isGiven(); ms++) {
      assert.ok(ms < 60_000 && !site.look(id.slot).hasBackup, "the moment was missed");
      site.pass(1);
    }
    for (const server of site.servers) site.simulation.kill(server, true);
    for (const server of site.servers) site.start(server);
    site.pass(10_000);
    assert.ok(site.lives(id));
    assert.deepEqual([...new Set(site.outcomes.map(({ copy }) => copy))], ["whole"]);
  });

  test("of two with disks that were stopped in turn the last one goes on alone within seconds: its disk has all", () => {
    const site = Site.makePairWithDisks();
    const ids = Array.from({ length: 20 }, () => site.create());
    const { first, last } = site.stopInTurn();
    site.start(last);
    site.pass(8_000);
    assert.deepEqual(site.told(), [`whole ${first}`]);
    assert.ok(ids.every((id) => site.lives(id)));
  });

  test("the first one waits for the last one, and says so when it goes on alone", () => {
    const site = Site.makePairWithDisks();
    site.create();
    const { first, last } = site.stopInTurn();
    site.start(first);
    site.pass(25_000);
    assert.deepEqual(site.told(), []);
    site.pass(65_000);
    assert.deepEqual(site.told(), [`unknown ${last}`]);
  });
});
