import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { replication as limits } from "../../support/limits.ts";
import { type Candidate, type Placed, place } from "./placement.ts";

const slotCount = 512;
const nothing: readonly Placed[] = new Array(slotCount).fill({ owner: "", backup: "" });

/** Servers s00, s01, ... of which some share a machine. */
const sites = fc
  .record({ servers: fc.integer({ min: 1, max: 12 }), machines: fc.integer({ min: 1, max: 12 }) })
  .map(({ servers, machines }) =>
    Array.from(
      { length: servers },
      (_, i): Candidate => ({ server: `s${String(i).padStart(2, "0")}`, machine: `m${i % machines}` }),
    ),
  );

/** Placed anew until nothing moves: as the servers do, one change of the map after another. */
function settle(from: readonly Placed[], living: readonly Candidate[]): readonly Placed[] {
  return place(place(from, living), living);
}

function moved(before: readonly Placed[], after: readonly Placed[], what: "owner" | "backup"): number {
  return after.filter((placed, slot) => placed[what] !== before[slot]![what]).length;
}

function counts(placed: readonly Placed[]): Map<string, number> {
  const held = new Map<string, number>();
  for (const { owner } of placed) held.set(owner, (held.get(owner) ?? 0) + 1);
  return held;
}

const runs: fc.Parameters<unknown> = { seed: 1, numRuns: 200 };

describe("placement", () => {
  test("every slot has an owner, all of them the same share, and what is right stays", () => {
    fc.assert(
      fc.property(sites, (living) => {
        const placed = settle(nothing, living);
        const held = [...counts(placed).values()];
        assert.equal(held.length, living.length);
        assert.ok(Math.max(...held) - Math.min(...held) <= 1);
        assert.deepEqual(place(placed, living), placed);
      }),
      runs,
    );
  });

  test("the backup is on another machine where there is one, and never the owner", () => {
    fc.assert(
      fc.property(sites, (living) => {
        const machineOf = new Map(living.map(({ server, machine }) => [server, machine]));
        const hasOther = new Set(machineOf.values()).size > 1;
        for (const { owner, backup } of settle(nothing, living)) {
          if (living.length === 1) assert.equal(backup, "");
          else assert.ok(backup !== "" && backup !== owner);
          if (hasOther) assert.notEqual(machineOf.get(backup), machineOf.get(owner));
        }
      }),
      runs,
    );
  });

  test(`an owner uses at most ${limits.backupsPerOwnerMax} backups, about evenly`, () => {
    fc.assert(
      fc.property(sites, (living) => {
        const backups = new Map<string, Map<string, number>>();
        for (const { owner, backup } of settle(nothing, living)) {
          const used = backups.get(owner) ?? new Map<string, number>();
          backups.set(owner, used.set(backup, (used.get(backup) ?? 0) + 1));
        }
        for (const used of backups.values()) {
          assert.ok(used.size <= limits.backupsPerOwnerMax);
          assert.ok(Math.max(...used.values()) - Math.min(...used.values()) <= limits.backupsPerOwnerMax);
        }
      }),
      runs,
    );
  });

  test("when a server comes, its share moves and no other slot gets another owner", () => {
    fc.assert(
      fc.property(sites, fc.nat(11), (all, at) => {
        fc.pre(all.length > 1);
        const comes = all[at % all.length]!;
        const before = settle(
          nothing,
          all.filter((one) => one !== comes),
        );
        const after = settle(before, all);
        after.forEach(({ owner }, slot) => {
          assert.ok(owner === before[slot]!.owner || owner === comes.server);
        });
        assert.ok(moved(before, after, "owner") <= Math.ceil(slotCount / all.length));
      }),
      runs,
    );
  });

  test("when a server goes, only its slots get another owner", () => {
    fc.assert(
      fc.property(sites, fc.nat(11), (all, at) => {
        fc.pre(all.length > 1);
        const goes = all[at % all.length]!;
        const before = settle(nothing, all);
        // Its backups took over: that is how a slot loses its owner.
        const taken = before.map(({ owner, backup }) =>
          owner === goes.server ? { owner: backup, backup: "" } : { owner, backup },
        );
        const after = settle(
          taken,
          all.filter((one) => one !== goes),
        );
        const others = after.filter(
          ({ owner }, slot) => before[slot]!.owner !== goes.server && owner !== before[slot]!.owner,
        );
        // Those that took over hold more than their share: it is evened out, and no more than that.
        assert.ok(others.length <= Math.ceil(slotCount / all.length));
      }),
      runs,
    );
  });

  test("a slot whose owner is away is left to those who may take over", () => {
    const living: Candidate[] = [
      { server: "s00", machine: "m0" },
      { server: "s01", machine: "m1" },
    ];
    const placed = place([{ owner: "gone", backup: "s00" }], living);
    assert.deepEqual(placed, [{ owner: "gone", backup: "s00" }]);
  });
});
