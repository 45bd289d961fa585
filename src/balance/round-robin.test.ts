import assert from "node:assert/strict";
import test from "node:test";
import { testPolicy, testServer, testServers } from "../../test/harness/candidates.ts";

test("servers of one weight are chosen strictly in turn, and again once their weights are equal", () => {
  const servers = testServers(4);
  const policy = testPolicy("round-robin", servers);
  const names = (): string[] => Array.from({ length: 8 }, () => policy.pick(null, 0)!.name.slice(4));
  assert.deepEqual(names(), ["0", "1", "2", "3", "0", "1", "2", "3"]);
  servers[1]!.weight = 0.3;
  for (let pick = 0; pick < 1_000; pick++) policy.pick(null, 0);
  servers[1]!.weight = 1;
  const first = Number(names()[0]);
  const next = names().map(Number);
  assert.deepEqual(
    next,
    next.map((_, at) => (first + at) % 4),
  );
});

test("those that can't take requests, or were tried, are skipped without loss to the others", () => {
  const servers = testServers(3);
  const policy = testPolicy("round-robin", servers);
  servers[1]!.usable = false;
  const picks = Array.from({ length: 6 }, () => servers.indexOf(policy.pick(null, 0) as (typeof servers)[0]));
  assert.deepEqual(picks, [0, 2, 0, 2, 0, 2]);
  assert.equal(policy.pick(servers[0]!, 0), servers[2]);
});

test("the requests of a heavy server are spread over the round, not sent in a row", () => {
  const servers = [testServer("a", { weight: 5 }), testServer("b"), testServer("c")];
  const policy = testPolicy("round-robin", servers);
  const text = Array.from({ length: 70 }, () => policy.pick(null, 0)!.name).join("");
  assert.doesNotMatch(text, /a{6}/);
  for (let from = 0; from < 63; from++)
    assert.ok(Math.abs(text.slice(from, from + 7).replaceAll(/[^a]/g, "").length - 5) <= 1);
});

test("servers that stay keep their turn when others come and go", () => {
  const servers = testServers(4);
  const policy = testPolicy("round-robin", servers);
  for (let pick = 0; pick < 2; pick++) policy.pick(null, 0);
  policy.update(servers.slice(0, 3));
  assert.equal(policy.pick(null, 0), servers[2]);
  policy.update([]);
  assert.equal(policy.pick(null, 0), null);
});
