/** What the middleware relies on, of the store on two servers: in simulated servers, without faults. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ClusterStore } from "../../src/session/cluster/cluster-store.ts";
import { Role } from "../../src/session/cluster/slot.ts";
import { Entry, type SessionChanges, type SessionEntries } from "../../src/session/entry.ts";
import type { VerifiedId } from "../../src/session/id.ts";
import { endless } from "../../src/session/snapshot.ts";
import { type App, Simulation } from "./session/simulation.ts";

function changes(data: Record<string, unknown>): SessionChanges {
  return new Map(
    Object.entries(data).map(([key, value]) => [key, value === null ? null : Entry.of(key, value)]),
  );
}

class Site {
  readonly simulation: Simulation;
  readonly apps: readonly App[];

  /** With so many servers at least. */
  static of(servers: number): Site {
    for (let seed = 1; ; seed++) {
      const site = new Site(seed);
      if (site.apps.length >= servers) return site;
    }
  }

  constructor(seed: number = 1) {
    this.simulation = new Simulation(seed, { rollsOut: false });
    const { places, world } = this.simulation;
    for (const { server } of places) this.simulation.start(server);
    while (!this.simulation.isWhole()) world.runUntil(world.now + 100);
    this.pass(3_000);
    assert.ok(this.simulation.isWhole());
    this.apps = [...this.simulation.apps.values()];
  }

  pass(ms: number): void {
    this.simulation.world.runUntil(this.simulation.world.now + ms);
  }

  /** The server of that role for the session. */
  appOf(id: VerifiedId, role: Role): App {
    return this.apps.find(({ node }) => node.context.slots[id.slot]!.role === role)!;
  }

  create(store: ClusterStore, data: Record<string, unknown>): VerifiedId {
    const id = store.newId();
    assert.equal(
      this.told((done) => store.create(id, changes(data), 60_000, endless, done)),
      "done",
    );
    return id;
  }

  /** What an operation was told within 2.5 s: "done" or the error's code; fails when told twice. */
  told(run: (done: (error: { code: string } | null) => void) => void): string {
    const answers: string[] = [];
    run((error) => answers.push(error?.code ?? "done"));
    this.pass(2_500);
    assert.equal(answers.length, 1);
    return answers[0]!;
  }

  read(store: ClusterStore, id: VerifiedId): Record<string, unknown> | null {
    let found: SessionEntries | null = null;
    assert.equal(
      this.told((done) =>
        store.load(id, (error, entries) => {
          found = entries;
          done(error);
        }),
      ),
      "done",
    );
    if (found === null) return null;
    return Object.fromEntries([...(found as SessionEntries)].map(([key, entry]) => [key, entry.take()]));
  }
}

describe("the store on two servers", () => {
  test("a new session is placed where it is made, and its id names owner and backup", () => {
    const site = new Site();
    const { store, process } = site.apps[0]!;
    const id = site.create(store, { cart: ["pen"] });
    assert.equal(site.appOf(id, Role.owner).process, process);
    assert.equal(id.owner, process.server.at(-1));
    assert.equal(id.backup, site.appOf(id, Role.backup).process.server.at(-1));
  });

  test("the owner answers a load before the call returns", () => {
    const site = new Site();
    const { store } = site.apps[0]!;
    const id = site.create(store, { n: 1 });
    let isAnswered = false;
    store.load(id, (error, entries) => {
      isAnswered = true;
      assert.equal(error, null);
      assert.equal(entries?.get("n")?.text, "1");
    });
    assert.ok(isAnswered);
  });

  test("a change is told at its commit, not before, and is not shown before", () => {
    const site = new Site();
    const { store } = site.apps[0]!;
    const id = site.create(store, { n: 1 });
    let told = 0;
    store.update(id, changes({ n: 2 }), 60_000, () => told++);
    assert.equal(told, 0);
    store.load(id, (_, entries) => assert.equal(entries?.get("n")?.text, "1"));
    site.pass(100);
    assert.equal(told, 1);
    assert.deepEqual(site.read(store, id), { n: 2 });
  });

  test("a session that begins where one is about to end: what was there is shown, and stays, until that is committed", () => {
    const site = new Site();
    const { store, node } = site.apps[0]!;
    const id = site.create(store, { n: 1 });
    const backup = site.appOf(id, Role.backup);
    const slot = node.context.slots[id.slot]!;
    // Nobody confirms anything any more.
    node.connectionDown(node.context.peers.get(backup.process.server)!.connection!);
    const told: string[] = [];
    store.destroy(id, (error) => told.push(`destroy ${error?.code ?? "done"}`));
    store.create(id, changes({ n: 2 }), 60_000, endless, (error) =>
      told.push(`create ${error?.code ?? "done"}`),
    );
    store.load(id, (_, entries) => told.push(`load ${entries?.get("n")?.text}`));
    assert.deepEqual(told, ["load 1"]);
    node.owner.dropPending(slot);
    assert.deepEqual(told.slice(1), ["destroy FLOTILLA_SESSION_UNKNOWN", "create FLOTILLA_SESSION_UNKNOWN"]);
    assert.equal(slot.sessions.look(id.key)?.entries?.get("n")?.text, "1");
  });

  test("one that is ended and begun again in one go is the new one", () => {
    const site = new Site();
    const { store } = site.apps[0]!;
    const id = site.create(store, { n: 1 });
    store.destroy(id, () => {});
    const told = site.told((done) => store.create(id, changes({ m: 2 }), 60_000, endless, done));
    assert.equal(told, "done");
    for (const app of site.apps) assert.deepEqual(site.read(app.store, id), { m: 2 });
    const { sessions } = site.appOf(id, Role.backup).node.context.slots[id.slot]!;
    assert.deepEqual([...sessions.look(id.key)!.entries!.keys()], ["m"]);
  });

  test("any server loads and stores (R32): other keys stay, and the backup has all of it", () => {
    const site = new Site();
    const id = site.create(site.apps[0]!.store, { a: 1, b: 1 });
    for (const { store } of site.apps) {
      assert.equal(
        site.told((done) => store.update(id, changes({ a: 2 }), 60_000, done)),
        "done",
      );
      assert.deepEqual(site.read(store, id), { a: 2, b: 1 });
    }
    const copy = site.appOf(id, Role.backup).node.context.slots[id.slot]!.sessions.get(id.key)!;
    assert.equal(copy.entries!.get("a")!.text, "2");
  });

  test("a load that waited for its owner's connection is sent when that is there, a change only while it may be made", () => {
    const site = Site.of(3);
    const id = site.create(site.apps[0]!.store, { a: 1 });
    const other = site.apps.find(({ node }) => node.context.slots[id.slot]!.role === Role.nobody)!;
    const { server } = site.appOf(id, Role.owner).process;
    other.node.connectionDown(other.node.context.peers.get(server)!.connection!);
    const told: string[] = [];
    const note = (name: string) => (error: { code: string } | null) =>
      told.push(`${name} ${error?.code ?? "done"}`);
    other.store.load(id, note("load"));
    other.store.update({ ...id, key: "another" }, changes({ a: 2 }), 60_000, note("update"));
    site.pass(2_300);
    assert.deepEqual(told, ["update FLOTILLA_SESSION_UNAVAILABLE"]);
    site.simulation.network.reset(other.process.server, server);
    site.pass(800);
    assert.deepEqual(told.slice(1), ["load done"]);
  });

  test("operations take effect in the order of the calls, wherever they are made", () => {
    const site = new Site();
    const owned = site.apps[0]!.store.newId();
    for (const { store } of site.apps) {
      const told: string[] = [];
      const note = (name: string) => (error: { code: string } | null) =>
        told.push(`${name} ${error?.code ?? "done"}`);
      store.create(owned, changes({ n: 1 }), 60_000, endless, note("create"));
      store.update(owned, changes({ n: 2 }), 60_000, note("update"));
      store.destroy(owned, note("destroy"));
      store.update(owned, changes({ n: 3 }), 60_000, note("late"));
      site.pass(500);
      assert.deepEqual(told, ["create done", "update done", "destroy done", "late FLOTILLA_SESSION_GONE"]);
      assert.equal(site.read(store, owned), null);
    }
  });

  test("compareAndSet: whoever expects something else is told so, wherever it asks", () => {
    const site = new Site();
    const id = site.create(site.apps[0]!.store, { a: 1, b: 1 });
    for (const { store } of site.apps) {
      const set = (expected: string | null, next: number | null): string =>
        site.told((done) => {
          const change = new Map([["a", next === null ? null : Entry.of("a", next)]]);
          store.compareAndSet(id, change, new Map([["a", expected]]), 60_000, done);
        });
      assert.equal(set("2", 3), "FLOTILLA_SESSION_CONTENDED");
      assert.equal(set(null, 3), "FLOTILLA_SESSION_CONTENDED");
      assert.equal(set("1", null), "done");
      assert.equal(set("1", 3), "FLOTILLA_SESSION_CONTENDED");
      assert.deepEqual(site.read(store, id), { b: 1 });
      assert.equal(set(null, 1), "done");
      assert.deepEqual(site.read(store, id), { b: 1, a: 1 });
    }
  });

  test("compareAndSet compares with changes under way, and is told of a loss when they can be loaded", () => {
    const site = new Site();
    const { store } = site.apps[0]!;
    const id = site.create(store, { a: 1 });
    const told: string[] = [];
    const note = (name: string) => (error: { code: string } | null) =>
      told.push(`${name} ${error?.code ?? "done"}`);
    store.update(id, changes({ a: 2 }), 60_000, note("update"));
    store.compareAndSet(id, changes({ a: 3 }), new Map([["a", "1"]]), 60_000, note("late"));
    store.compareAndSet(id, changes({ a: 4 }), new Map([["a", "2"]]), 60_000, note("after"));
    assert.deepEqual(told, []);
    site.pass(100);
    assert.deepEqual(told.sort(), ["after done", "late FLOTILLA_SESSION_CONTENDED", "update done"]);
    assert.deepEqual(site.read(store, id), { a: 4 });
  });

  test("requests that each add what alone is allowed do not make a session too large together", () => {
    const site = new Site();
    const id = site.create(site.apps[0]!.store, { a: 1 });
    const text = "x".repeat(400_000);
    for (const [index, { store }] of site.apps.entries()) {
      const told: string[] = [];
      for (const name of ["b", "c", "d"]) {
        const added = changes({ [`${name}${index}`]: text });
        store.update(id, added, 60_000, (error) => told.push(error?.code ?? "done"));
      }
      site.pass(500);
      const refused = told.filter((code) => code === "FLOTILLA_SESSION_TOO_LARGE").length;
      assert.deepEqual([told.length, refused], [3, index === 0 ? 1 : 3]);
    }
    assert.deepEqual(Object.keys(site.read(site.apps[0]!.store, id)!), ["a", "b0", "c0"]);
  });

  test("a late save never creates (A41); destroying what is absent is no error", () => {
    const site = new Site();
    const id = site.apps[0]!.store.newId();
    for (const { store } of site.apps) {
      assert.equal(
        site.told((done) => store.update(id, changes({ a: 1 }), 60_000, done)),
        "FLOTILLA_SESSION_GONE",
      );
      assert.equal(
        site.told((done) => store.compareAndSet(id, changes({ a: 1 }), new Map([["a", null]]), 60_000, done)),
        "FLOTILLA_SESSION_GONE",
      );
      assert.equal(
        site.told((done) => store.destroy(id, done)),
        "done",
      );
      assert.equal(site.read(store, id), null);
    }
  });

  test("idle sessions end on both servers; a use anywhere keeps them", () => {
    const site = new Site();
    const id = site.create(site.apps[0]!.store, { a: 1 });
    const other = site.apps.find((app) => app !== site.apps[0])!;
    for (let i = 0; i < 5; i++) {
      site.pass(40_000);
      assert.notEqual(site.read(other.store, id), null);
    }
    site.pass(80_000);
    assert.equal(site.read(other.store, id), null);
    for (const { node } of site.apps) assert.equal(node.context.slots[id.slot]!.sessions.has(id.key), false);
  });

  test("a server that leaves hands everything over, and nobody is logged out", () => {
    const site = new Site();
    const leaving = site.apps[0]!;
    const id = site.create(leaving.store, { a: 1 });
    leaving.node.leave();
    for (let waited = 0; !leaving.node.isDrained && waited < 20_000; waited += 100) site.pass(100);
    assert.ok(leaving.node.isDrained);
    site.simulation.kill(leaving.process.server, false);
    const rest = site.apps.find((app) => app !== leaving)!;
    assert.deepEqual(site.read(rest.store, id), { a: 1 });
    assert.deepEqual(site.simulation.oracle.violations, []);
  });
});
