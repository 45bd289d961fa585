/** What bounds sessions on two servers (I11), in simulated servers without faults. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Role } from "../../src/session/cluster/slot.ts";
import { Entry } from "../../src/session/entry.ts";
import type { VerifiedId } from "../../src/session/id.ts";
import { endless, snapshotOf } from "../../src/session/snapshot.ts";
import { SessionMemory } from "../../src/session/table/session-memory.ts";
import { SlotSessions } from "../../src/session/table/slot-sessions.ts";
import { replication as limits } from "../../src/support/limits.ts";
import { type App, Simulation } from "./session/simulation.ts";

interface Bounds {
  sessionsMax: number;
  memoryBytesMax: number;
  diskBytesMax: number;
}

class Site {
  readonly #simulation: Simulation;
  readonly violations: readonly string[];
  readonly apps: readonly App[];

  constructor(seed = 1, hasDisks = false) {
    this.#simulation = new Simulation(seed, { rollsOut: false, hasDisks });
    this.violations = this.#simulation.oracle.violations;
    const { places, world } = this.#simulation;
    for (const { server } of places) this.#simulation.start(server);
    while (!this.#simulation.isWhole()) world.runUntil(world.now + 100);
    this.pass(5_000);
    this.apps = [...this.#simulation.apps.values()];
  }

  pass(ms: number): void {
    this.#simulation.world.runUntil(this.#simulation.world.now + ms);
  }

  bound(app: App, bounds: Partial<Bounds>): void {
    Object.assign(app.node.context.options, bounds);
  }

  create(app: App, id: VerifiedId = app.store.newId(), text = "x"): VerifiedId {
    app.store.create(id, new Map([["a", Entry.of("a", text)]]), 1_800_000, endless, (error) =>
      assert.equal(error, null),
    );
    this.pass(20);
    return id;
  }

  lives(app: App, id: VerifiedId): boolean {
    let isThere = false;
    app.store.load(id, (error, entries) => {
      assert.equal(error, null);
      isThere = entries !== null;
    });
    this.pass(50);
    return isThere;
  }

  disconnect(app: App, other: App): void {
    app.node.connectionDown(app.node.context.peers.get(other.process.server)!.connection!);
  }

  reconnect(app: App, other: App): void {
    this.#simulation.network.reset(app.process.server, other.process.server);
  }

  stop(app: App): void {
    this.#simulation.kill(app.process.server, false);
  }

  /** In slots of this role. */
  kept(app: App, role: Role): { sessions: number; bytes: number } {
    const slots = app.node.context.slots.filter((slot) => slot.role === role);
    return {
      sessions: slots.reduce((sum, slot) => sum + slot.sessions.size, 0),
      bytes: slots.reduce((sum, slot) => sum + slot.sessions.bytes, 0),
    };
  }
}

describe("bounds on sessions", () => {
  test("too many: the longest idle make room", () => {
    const site = new Site();
    const app = site.apps[0]!;
    const ids = Array.from({ length: 40 }, () => site.create(app));
    assert.ok(ids.every((id) => site.lives(app, id)));
    site.bound(app, { sessionsMax: 60 });
    site.pass(3_000);
    const alive = ids.map((id) => site.lives(app, id));
    const count = alive.filter(Boolean).length;
    assert.ok(count <= 30 && count >= 26, `${count} of 40`);
    assert.deepEqual(alive.slice(0, 5), Array(5).fill(false));
    assert.deepEqual(alive.slice(-15), Array(15).fill(true));
  });

  test("too many bytes in few sessions: one goes, not one of each slot", () => {
    const site = new Site();
    const app = site.apps[0]!;
    const owned = app.node.context.slots.filter(({ role }) => role === Role.owner);
    const ids = owned.flatMap(({ index }) => {
      const id = { ...app.store.newId(), slot: index };
      return [1, 2].map((n) => site.create(app, { ...id, key: `${id.key}-${n}` }, "x".repeat(100_000)));
    });
    assert.ok(ids.length >= 2);
    site.bound(app, { memoryBytesMax: 2 * (site.kept(app, Role.owner).bytes - 1) });
    site.pass(3_000);
    assert.deepEqual(
      ids.map((id) => site.lives(app, id)),
      ids.map((_, index) => index > 0),
    );
  });

  test("without a backup too: one goes, not one of each slot", () => {
    const site = new Site();
    const app = site.apps[0]!;
    for (const other of site.apps.slice(1)) site.stop(other);
    site.pass(60_000);
    const ids = app.node.context.slots.flatMap(({ index }) => {
      const id = { ...app.store.newId(), slot: index };
      return [1, 2].map((n) => site.create(app, { ...id, key: `${id.key}-${n}` }, "x".repeat(100_000)));
    });
    assert.ok(ids.length >= 8);
    site.bound(app, { memoryBytesMax: 2 * (site.kept(app, Role.owner).bytes - 1) });
    site.pass(3_000);
    assert.deepEqual(
      ids.map((id) => site.lives(app, id)),
      ids.map((_, index) => index > 0),
    );
  });

  test("a server that is full of copies has them ended by their owners", () => {
    const site = new Site();
    for (let i = 0; i < 25; i++) for (const app of site.apps) site.create(app);
    const full = site.apps.find((app) => site.kept(app, Role.backup).sessions > 10)!;
    const before = site.kept(full, Role.backup).sessions;
    site.bound(full, { sessionsMax: before });
    site.pass(4_000);
    const { sessions, bytes } = site.kept(full, Role.backup);
    assert.ok(sessions <= before / 2 && sessions > before / 4, `${sessions} of ${before}`);
    assert.ok(bytes > 0 && bytes < sessions * 1_100);
  });

  test("old copies, kept beside the new ones, are dropped where memory is short, and only then", () => {
    for (const isShort of [false, true]) {
      const site = new Site();
      const owner = site.apps.find((app) => site.kept(app, Role.owner).bytes >= 0)!;
      const slot = owner.node.context.slots.find(
        ({ role, backup }) => role === Role.owner && backup !== null,
      )!;
      const backup = site.apps.find(({ node }) => node.context.slots[slot.index]!.role === Role.backup)!;
      const copy = backup.node.context.slots[slot.index]!;
      const id = { ...owner.store.newId(), slot: slot.index };
      for (let n = 0; n < 30; n++) site.create(owner, { ...id, key: `${id.key}-${n}` }, "x".repeat(1_000));
      // As a backup is kept that was taken out of the pair.
      const sessions = new SlotSessions(new SessionMemory());
      for (const session of copy.sessions.values())
        sessions.put(snapshotOf(session, session.entries!, owner.process.clock.now()), 0);
      copy.retained = {
        incarnation: backup.process.incarnation,
        epoch: 1,
        pos: 1,
        sessions,
      };
      site.create(backup);
      if (isShort) {
        const [owned, copies] = [Role.owner, Role.backup].map((role) => site.kept(backup, role).bytes);
        site.bound(backup, { memoryBytesMax: 2 * Math.max(owned!, copies!) });
      }
      site.pass(1_100);
      assert.equal(copy.retained === null, isShort);
      assert.equal(copy.sessions.size, 30);
    }
  });

  test("copies that are made at the same time are bounded in bytes", () => {
    const ownedBy = (app: App) => app.node.context.slots.filter(({ role }) => role === Role.owner);
    let site = new Site(1);
    for (let seed = 2; ownedBy(site.apps[0]!).length < 2; seed++) site = new Site(seed);
    const app = site.apps[0]!;
    const owned = ownedBy(app);
    for (const { index } of owned) {
      const id = { ...app.store.newId(), slot: index };
      for (let n = 0; n < 35; n++) site.create(app, { ...id, key: `${id.key}-${n}` }, "x".repeat(1_000_000));
    }
    for (const other of site.apps.slice(1)) site.disconnect(app, other);
    site.pass(1_000);
    assert.ok(owned.every(({ backup }) => backup === null));
    for (const other of site.apps.slice(1)) site.reconnect(app, other);
    let most = 0;
    for (let ms = 0; ms < 5_000; ms += 2) {
      site.pass(2);
      const copying = owned.filter(({ joining }) => joining !== null).length;
      most = Math.max(most, copying);
    }
    assert.equal(most, 1);
    assert.ok(owned.every(({ backup }) => backup !== null));
  });

  test("changes above their bound in bytes are refused, and said to be unwritten", () => {
    const site = new Site();
    const app = site.apps[0]!;
    const id = site.create(app);
    const told: string[] = [];
    const large = new Map([["a", Entry.of("a", "x".repeat(1_000_000))]]);
    for (let i = 0; i < 100; i++)
      app.store.update(id, large, 1_800_000, (error) => told.push(error?.code ?? "done"));
    const refused = told.length;
    assert.ok(refused >= 15 && refused < 25, `${refused} refused`);
    assert.deepEqual(told, Array(refused).fill("FLOTILLA_SESSION_BUSY"));
    site.pass(2_000);
    assert.deepEqual(told.slice(refused), Array(100 - refused).fill("done"));
  });

  test("changes that wait for those before them are made in order, or said to be unwritten", () => {
    const site = new Site();
    const app = site.apps[0]!;
    const [id, other] = [site.create(app), site.create(app)];
    const told: string[] = [];
    const update = (of: VerifiedId, text: string): void =>
      app.store.update(of, new Map([["a", Entry.of("a", text)]]), 1_800_000, (error) =>
        told.push(error?.code ?? text.slice(0, 2)),
      );
    for (let i = 10; i < 50; i++) update(id, `${i}${"x".repeat(1_000_000)}`);
    // Small, but of the session: it comes after those.
    update(id, "50");
    update(other, "ot");
    const change = new Map([["a", Entry.of("a", "y")]]);
    app.store.compareAndSet(id, change, new Map([["a", null]]), 1_800_000, (error) => told.push(error!.code));
    assert.deepEqual(told, []);
    site.pass(2_000);
    const inOrder = Array.from({ length: 41 }, (_, i) => String(i + 10));
    assert.deepEqual(
      told.filter((what) => what !== "ot" && what !== "FLOTILLA_SESSION_CONTENDED"),
      inOrder,
    );

    Object.assign(app.node.context.options, { register: { compareAndSet: () => {}, read: () => {} } });
    for (const each of site.apps.slice(1)) site.disconnect(app, each);
    told.length = 0;
    for (let i = 10; i < 50; i++) update(id, `${i}${"x".repeat(1_000_000)}`);
    site.pass(2_500);
    const counts = ["FLOTILLA_SESSION_BUSY", "FLOTILLA_SESSION_UNKNOWN"].map(
      (code) => told.filter((what) => what === code).length,
    );
    assert.deepEqual(counts, [24, 16]);
  });

  test("thousands that wait get their places in one go when there is room, and nobody overtakes them", () => {
    const site = new Site();
    const app = site.apps[0]!;
    const [id, ...others] = Array.from({ length: 9 }, () => site.create(app)) as [
      VerifiedId,
      ...VerifiedId[],
    ];
    const told: string[] = [];
    const update = (of: VerifiedId, text: string): void =>
      app.store.update(of, new Map([["a", Entry.of("a", text)]]), 1_800_000, (error) =>
        told.push(error?.code ?? text.slice(0, 6)),
      );
    for (let i = 0; i < 17; i++) update(id, "x".repeat(1_000_000));
    for (let i = 100_000; i < 108_000; i++) update(others[i % others.length]!, String(i));
    assert.equal(told.length, 0);
    site.pass(2_000);
    assert.equal(told.length, 17 + 8_000);
    const made = told.filter((what) => what.startsWith("10"));
    assert.ok(made.length > 0.9 * limits.pendingPerSlotMax, `${made.length} made`);
    assert.deepEqual(new Set(told.filter((what) => /^[A-Z]/.test(what))), new Set(["FLOTILLA_SESSION_BUSY"]));
  });

  test("what rests on changes under way is told in time, and bounded in number", () => {
    const site = new Site();
    const app = site.apps[0]!;
    const id = site.create(app);
    // Nobody confirms anything any more.
    Object.assign(app.node.context.options, { register: { compareAndSet: () => {}, read: () => {} } });
    for (const other of site.apps.slice(1)) site.disconnect(app, other);
    const told: string[] = [];
    app.store.destroy(id, () => {});
    for (let i = 0; i < limits.pendingPerSlotMax + 10; i++)
      app.store.load(id, (error) => told.push(error?.code ?? "done"));
    assert.deepEqual(told, Array(10).fill("FLOTILLA_SESSION_BUSY"));
    site.pass(2_500);
    assert.deepEqual(told.slice(10), Array(limits.pendingPerSlotMax).fill("FLOTILLA_SESSION_UNKNOWN"));
  });

  test("what is sent again over a new connection comes in frames that its receiver takes", () => {
    const site = new Site();
    const app = site.apps[0]!;
    const id = site.create(app);
    const backup = site.apps.find(({ node }) => node.context.slots[id.slot]!.role === Role.backup)!;
    const told: string[] = [];
    site.disconnect(app, backup);
    for (let i = 0; i < 40; i++) {
      const changes = new Map([["a", Entry.of("a", `${i}${"x".repeat(1_000_000)}`)]]);
      app.store.update(id, changes, 1_800_000, (error) => told.push(error?.code ?? "done"));
    }
    site.reconnect(app, backup);
    site.pass(1_900);
    assert.deepEqual(told, Array(40).fill("done"));
    assert.deepEqual(site.violations, []);
  });

  test("a copy counts its bytes, whatever happens to its sessions", () => {
    const site = new Site();
    const app = site.apps[0]!;
    const ids = Array.from({ length: 20 }, () => site.create(app));
    const copies = (): number => site.apps.reduce((sum, each) => sum + site.kept(each, Role.backup).bytes, 0);
    const all = copies();
    assert.ok(all > 20 * 32);
    app.store.update(ids[0]!, new Map([["a", Entry.of("a", "x".repeat(1_001))]]), 1_800_000, () => {});
    site.pass(50);
    assert.equal(copies(), all + 1_000);
    for (const id of ids) app.store.destroy(id, () => {});
    site.pass(50);
    assert.equal(copies(), 0);
  });
});

describe("room on disk", () => {
  function inMemory({ node }: App): number {
    return node.context.slots.reduce((sum, { sessions }) => sum + sessions.size, 0);
  }

  test("what is not used leaves memory when it is full, and is found again", () => {
    const site = new Site(1, true);
    const [app] = site.apps;
    for (const one of site.apps) site.bound(one, { sessionsMax: 10 });
    const ids = Array.from({ length: 60 }, () => site.create(app!));
    site.pass(5_000);
    for (const one of site.apps) assert.ok(inMemory(one) <= 10, `${inMemory(one)} in memory`);
    for (const one of site.apps) assert.ok(ids.every((id) => site.lives(one, id)));
  });

  for (const whose of ["owner", "backup"] as const)
    test(`the ${whose}'s disk can't be written for long: memory does not grow for ever, and all is well again by itself`, () => {
      // With a third one the backup would be that one soon.
      let site = new Site(1, true);
      for (let seed = 2; site.apps.length > 2; seed++) site = new Site(seed, true);
      const [app] = site.apps;
      const slot = app!.node.context.slots.find(
        ({ role, backup }) => role === Role.owner && backup !== null,
      )!;
      const backup = site.apps.find(({ node }) => node.context.slots[slot.index]!.role === Role.backup)!;
      const full = whose === "owner" ? app! : backup;
      const told: (number | null)[] = [];
      Object.assign(full.node.context.observer, { onMemoryHeld: (bytes: number | null) => told.push(bytes) });
      const fresh = (n: number): VerifiedId => ({ ...app!.store.newId(), slot: slot.index, key: `key-${n}` });
      const outcome = (run: (done: (error: { code: string } | null) => void) => void): string => {
        let code = "none";
        run((error) => {
          code = error?.code ?? "done";
        });
        site.pass(200);
        return code;
      };
      const create = (n: number): string => {
        const text = new Map([["a", Entry.of("a", "x".repeat(500))]]);
        return outcome((done) => app!.store.create(fresh(n), text, 1_800_000, endless, done));
      };
      const change = (n: number, text: string): string => {
        const changes = new Map([["a", Entry.of("a", text)]]);
        return outcome((done) => app!.store.update(fresh(n), changes, 1_800_000, done));
      };
      for (let n = 0; n < 40; n++) assert.equal(create(n), "done");
      site.pass(2_000);
      const room = 60 * (site.kept(full, full === app ? Role.owner : Role.backup).bytes / 40);
      site.bound(full, { memoryBytesMax: room });

      full.disk!.disk.isFull = true;
      site.pass(1_000);
      const outcomes = Array.from({ length: 100 }, (_, n) => create(n + 100));
      const made = outcomes.indexOf("FLOTILLA_SESSION_BUSY");
      assert.ok(made > 5 && made < 40, `${made} were made`);
      assert.deepEqual(new Set(outcomes.slice(made)), new Set(["FLOTILLA_SESSION_BUSY"]));
      assert.ok(inMemory(full) < 90, `${inMemory(full)} in memory`);
      assert.equal(change(100, "y".repeat(500)), "done");
      assert.equal(change(100, "y".repeat(1_500)), "FLOTILLA_SESSION_BUSY");
      assert.ok(site.lives(app!, fresh(100)));
      assert.equal(
        outcome((done) => app!.store.destroy(fresh(101), done)),
        "done",
      );
      site.pass(20_000);
      assert.equal(create(998), "FLOTILLA_SESSION_BUSY");
      assert.equal(told.length, 1);
      assert.ok(told[0]! > room);

      full.disk!.disk.isFull = false;
      site.pass(3_000);
      assert.equal(create(999), "done");
      assert.deepEqual(told.slice(1), [null]);
      site.pass(3_000);
      const { bytes } = site.kept(full, full === app ? Role.owner : Role.backup);
      assert.ok(bytes <= room, `${bytes} of ${room}`);
      for (let n = 0; n < 40; n++) assert.ok(site.lives(app!, fresh(n)), `session ${n}`);
      for (let n = 0; n < made; n++) assert.equal(site.lives(app!, fresh(n + 100)), n !== 1);
      assert.deepEqual(site.violations, []);
    });

  test("what is read from a disk that can't be written goes no further than memory has room", () => {
    const site = new Site(1, true);
    const [app] = site.apps;
    site.bound(app!, { sessionsMax: 20 });
    const ids = Array.from({ length: 60 }, () => site.create(app!));
    // So that the disk knows when they were used.
    site.pass(200_000);
    assert.ok(inMemory(app!) <= 20);
    app!.disk!.disk.isFull = true;
    site.create(app!);
    site.pass(3_000);
    const told = ids.map((id) => {
      let outcome = "none";
      app!.store.load(id, (error, entries) => {
        outcome = error?.code ?? (entries === null ? "absent" : "there");
      });
      site.pass(200);
      return outcome;
    });
    const refused = told.filter((outcome) => outcome === "FLOTILLA_SESSION_BUSY").length;
    assert.deepEqual(new Set(told), new Set(["there", "FLOTILLA_SESSION_BUSY"]));
    assert.ok(refused > 10, `${refused} refused`);
    assert.ok(inMemory(app!) <= 30, `${inMemory(app!)} in memory`);
    app!.disk!.disk.isFull = false;
    site.pass(3_000);
    assert.ok(ids.every((id) => site.lives(app!, id)));
  });

  test("above the bound of the disk the longest idle make room, on both servers", () => {
    const site = new Site(1, true);
    const [app] = site.apps;
    for (const one of site.apps) site.bound(one, { sessionsMax: 10, diskBytesMax: 40_000 });
    const ids = Array.from({ length: 100 }, () => {
      const id = site.create(app!);
      site.pass(100);
      return id;
    });
    site.pass(60_000);
    for (const { disk } of site.apps) assert.ok(disk!.bytes <= 40_000, `${disk!.bytes} bytes on disk`);
    assert.ok(ids.slice(-5).every((id) => site.lives(app!, id)));
    assert.ok(!site.lives(app!, ids[0]!));
  });
});
