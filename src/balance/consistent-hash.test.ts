/** The Maglev table, and what moves when servers go, are full, or start. */
import assert from "node:assert/strict";
import test from "node:test";
import {
  chosen,
  type TestServer,
  testHash,
  testKey,
  testPolicy,
  testServer,
  testServers,
} from "../../test/harness/candidates.ts";
import { maglevTable, type TableEntry } from "./maglev-table.ts";

const entries = (count: number, weight: (at: number) => number = () => 1): TableEntry[] =>
  Array.from({ length: count }, (_, at) => ({ name: `app-${at}`, weight: weight(at) }));

function sharesOf(table: Uint16Array, count: number): number[] {
  const places = Array.from({ length: count }, () => 0);
  for (const index of table) places[index]!++;
  return places.map((own) => own / table.length);
}

function namesOf(list: readonly TableEntry[]): string[] {
  return Array.from(maglevTable(list, testHash), (index) => list[index]!.name);
}

for (const count of [1, 2, 3, 10, 100, 655, 1_000]) {
  test(`${count} servers have equal shares, within 1%`, () => {
    for (const share of sharesOf(maglevTable(entries(count), testHash), count))
      assert.ok(Math.abs(share * count - 1) <= 0.01, `${share * count}`);
  });
}

test("weight 2 has twice the places, weight 0 none", () => {
  const shares = sharesOf(
    maglevTable(
      entries(11, (at) => (at === 10 ? 0 : 1 + (at % 2))),
      testHash,
    ),
    11,
  );
  for (const [at, share] of shares.entries()) {
    const wanted = at === 10 ? 0 : (1 + (at % 2)) / 15;
    assert.ok(Math.abs(share - wanted) <= 0.01 * wanted, `${at}: ${share}`);
  }
});

for (const count of [2, 3, 10, 62, 300]) {
  test(`when one of ${count} servers leaves the file, at most 1/${count} and 10% of the keys move`, () => {
    const before = entries(count);
    const names = namesOf(before);
    for (const gone of [0, count >> 1, count - 1]) {
      const after = namesOf(before.filter((_, at) => at !== gone));
      const moved = names.filter((name, place) => name !== after[place]).length / names.length;
      assert.ok(moved <= 1 / count + 0.1, `${gone}: ${moved}`);
    }
  });
}

test("the order of the servers in the file makes no difference", () => {
  const list = entries(20, (at) => 1 + (at % 3));
  assert.deepEqual(namesOf(list), namesOf(list.toReversed()));
});

test("a server that is down loses its keys alone, and gets the same ones back", () => {
  const servers = testServers(10);
  const policy = testPolicy("consistent-hash", servers);
  const owners = (): string[] =>
    Array.from({ length: 5_000 }, (_, at) => policy.pick(null, testKey(at))!.name);
  const before = owners();
  servers[3]!.usable = false;
  const during = owners();
  for (const [at, owner] of before.entries())
    assert.equal(during[at] === owner, owner !== "app-3", `key ${at}`);
  // Its keys are spread over all others, not given to one neighbour.
  const heirs = new Set(during.filter((_, at) => before[at] === "app-3"));
  assert.equal(heirs.size, 9);
  servers[3]!.usable = true;
  assert.deepEqual(owners(), before);
});

test("a key that everybody asks for does not fill its server beyond the bound", () => {
  for (const count of [3, 10, 100]) {
    const servers = testServers(count);
    const policy = testPolicy("consistent-hash", servers);
    const requests = 100 * count;
    for (let at = 0; at < requests; at++) (policy.pick(null, 4_711) as TestServer).inFlight++;
    const most = Math.max(...servers.map(({ inFlight }) => inFlight));
    assert.ok(most <= Math.ceil(1.25 * 100) + 1, `${most} of ${count}`);
  }
});

test("what other web servers have sent counts too", () => {
  const servers = testServers(5);
  const policy = testPolicy("consistent-hash", servers);
  const owner = policy.pick(null, 4_711) as TestServer;
  for (const server of servers) server.inFlightElsewhere = 100;
  for (let pick = 0; pick < 5; pick++) assert.equal(policy.pick(null, 4_711), owner);
  owner.inFlightElsewhere = 200;
  for (let pick = 0; pick < 5; pick++) assert.notEqual(policy.pick(null, 4_711), owner);
});

test("a few requests of one key stay together, whatever the others have", () => {
  const servers = testServers(3);
  const policy = testPolicy("consistent-hash", servers);
  const picks = Array.from({ length: 4 }, () => {
    const picked = policy.pick(null, 4_711) as TestServer;
    picked.inFlight++;
    return picked.name;
  });
  assert.equal(new Set(picks).size, 1);
});

test("a server that starts slowly gets a growing part of its keys, and none that it had moves away again", () => {
  const servers = [...testServers(4), testServer("new", { weight: 0.2, fullWeight: 1 })];
  const policy = testPolicy("consistent-hash", servers);
  const keysOfNew = (): number[] =>
    Array.from({ length: 4_000 }, (_, at) => at).filter(
      (at) => policy.pick(null, testKey(at)) === servers[4],
    );
  let had: number[] = [];
  for (const weight of [0.2, 0.5, 1]) {
    servers[4]!.weight = weight;
    const has = keysOfNew();
    assert.ok(Math.abs(has.length - 800 * weight) < 80, `${has.length} with ${weight}`);
    assert.ok(had.every((key) => has.includes(key)));
    had = has;
  }
});

test("servers that all start at once keep their keys apart from the begin", () => {
  const servers = testServers(5, { weight: 0.1, fullWeight: 1 });
  const policy = testPolicy("consistent-hash", servers);
  const owners = (): string[] => Array.from({ length: 200 }, (_, at) => policy.pick(null, testKey(at))!.name);
  const cold = owners();
  for (const server of servers) server.weight = 1;
  assert.deepEqual(owners(), cold);
  assert.ok(Math.min(...chosen(policy, servers, 1_000)) > 100);
});
