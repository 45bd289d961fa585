/** Orders of operators on real processes: in force at all web servers, kept, learned by those that missed them. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { OperatedSite, Shopper } from "../harness/operated-site.ts";
import { until } from "../harness/process.ts";

test("drain: no new visitors, sessions go to the others, and it is told until it is ready again", async (t) => {
  const site = await OperatedSite.make(t, { workers: 2 });
  await site.start();
  const shoppers = Array.from({ length: 6 }, () => new Shopper(t, site, 20));
  const { code, stdout } = await site.flotilla("drain", "app-a", "--wait", "--timeout", "20s");
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^app-a drains at web-a and web-b: \d+ requests? under way$/m);
  for (const web of [0, 1] as const)
    assert.deepEqual([...(await site.newVisitors(web, 12))].sort(), ["app-b", "app-c"]);
  const drained = await site.server("app-a");
  assert.deepEqual([drained.slots, drained.keptSlots, drained.sessions], [0, 0, 0]);
  assert.equal(drained.state, "draining");
  assert.match(drained.note!, /^drained by an operator \d+ s ago, at web-a and web-b$/);

  const ready = await site.flotilla("ready", "app-a");
  assert.equal(ready.code, 0, ready.stderr);
  assert.match(ready.stdout, /^app-a takes requests again at web-a and web-b$/m);
  // Not before it has less to do than the others: it gets its sessions back just now.
  for (const web of [0, 1] as const)
    await until("it gets new visitors", async () => (await site.newVisitors(web, 12)).has("app-a"));
  await until("it has its share of the sessions", async () => (await site.server("app-a")).slots! > 1_000);
  assert.equal((await site.server("app-a")).state, "up");
  for (const shopper of shoppers) {
    assert.equal(await shopper.stop(), shopper.puts);
    assert.deepEqual(shopper.failures, []);
  }
});

test("an order outlives reload, upgrade, a killed worker and a restart; whoever missed it learns it from the others", async (t) => {
  const site = await OperatedSite.make(t, { apps: 2 });
  const { webA, webB } = await site.start();
  webB.signal("SIGTERM");
  await webB.exit;

  const drained = await site.flotilla("drain", "app-a");
  assert.equal(drained.code, 1);
  assert.match(drained.stdout, /^app-a drains at web-a: /m);
  assert.match(
    drained.stderr,
    /not known to be in force at web-b \(.*\); .* learns it from web-a .*FLOTILLA_NOT_IN_FORCE/,
  );
  assert.equal((await site.flotilla("weight", "app-b", "50%")).code, 1);

  const onlyB = async (web: 0 | 1): Promise<void> =>
    assert.deepEqual([...(await site.newVisitors(web, 6))], ["app-b"]);
  assert.equal((await site.flotilla("reload")).code, 0);
  await onlyB(0);
  assert.equal((await site.flotilla("upgrade", "web-a")).code, 0);
  await onlyB(0);
  const [worker] = (await site.server("web-a")).workers!;
  process.kill(worker!.pid, "SIGKILL");
  await until("another worker is up", async () => {
    const now = (await site.server("web-a")).workers!;
    return now.some(({ pid, state }) => pid !== worker!.pid && state === "up");
  });
  await onlyB(0);
  webA.signal("SIGTERM");
  await webA.exit;
  const again = await site.startWeb("web-a");
  await onlyB(0);

  const late = await site.startWeb("web-b");
  await late.line(/learned from web-a what operators want of app-a, app-b/);
  await onlyB(1);
  const told = await site.flotilla("weight", "app-b");
  assert.equal(told.stdout, "app-b has weight 1 (50% of 2) at web-a and web-b\n");

  // A file that can't be read is no reason not to start, and the other web server knows.
  again.signal("SIGTERM");
  await again.exit;
  writeFileSync(join(site.folder, ".flotilla", "orders", "web-a.json"), '{"servers":[{"na');
  const damaged = await site.startWeb("web-a");
  await damaged.line(/can't be read: .*orders\/web-a\.json/);
  await damaged.line(/learned from web-b/);
  await onlyB(0);

  const ready = await site.flotilla("ready", "app-a");
  assert.equal(ready.code, 0);
  for (const web of [0, 1] as const)
    await until("app-a is back", async () => (await site.newVisitors(web, 4)).has("app-a"));
  const { servers } = JSON.parse(
    readFileSync(join(site.folder, ".flotilla", "orders", "web-b.json"), "utf8"),
  );
  assert.equal(servers.find(({ name }: { name: string }) => name === "app-a").order.value, "ready");
});

test("maint: no requests at all, and nobody loses his cart; with all servers out of service the command says what that means", async (t) => {
  const site = await OperatedSite.make(t, { apps: 2 });
  await site.start();
  const shoppers = Array.from({ length: 6 }, () => new Shopper(t, site, 20));
  await until("they shop", () => shoppers.every(({ puts }) => puts > 2));
  const maint = await site.flotilla("maint", "app-a", "--json");
  const { servers } = JSON.parse(maint.stdout);
  assert.equal(servers[0].order, "maint");
  assert.deepEqual(servers[0].at, ["web-a", "web-b"]);
  assert.deepEqual(servers[0].states, ["maintenance"]);
  const { requests } = await site.server("app-a");
  const puts = shoppers.map((shopper) => shopper.puts);
  await until("they go on", () => shoppers.every((shopper, index) => shopper.puts > puts[index]! + 3));
  assert.equal((await site.server("app-a")).requests, requests);
  for (const shopper of shoppers) {
    assert.equal(await shopper.stop(), shopper.puts);
    assert.deepEqual(shopper.failures, []);
  }
  const both = await site.flotilla("drain", "app-a", "app-b", "app-a");
  assert.equal(both.code, 0);
  assert.match(both.stderr, /^note: no server of app takes new visitors now/m);
  const status = await site.flotilla("status");
  assert.match(status.stdout, /^app-a is draining: drained by an operator \d+ s ago, at web-a and web-b$/m);
  assert.match(status.stdout, /Back in service with: flotilla ready app-a app-b$/m);
});

test("what an order has no meaning for is refused in words", async (t) => {
  const site = await OperatedSite.make(t, { apps: 1 });
  const refused = async (words: readonly string[], message: RegExp, exitCode = 1): Promise<void> => {
    const { code, stdout, stderr } = await site.flotilla(...words);
    assert.equal(code, exitCode, words.join(" "));
    assert.match(stderr, message);
    assert.equal(stdout, "");
  };
  await refused(["drain", "ap-a"], /there is no server "ap-a" in flotilla.yaml \(did you mean "app-a"\?\)/);
  await refused(
    ["drain", "web-a"],
    /web-a: a web server is taken out of service by .*FLOTILLA_ORDER_REFUSED/,
  );
  await refused(
    ["drain", "app-a"],
    /nobody was told, because no web server answers: .*FLOTILLA_NOT_IN_FORCE/,
  );
  await refused(["weight", "app-a", "heavy"], /"heavy" is no weight: 0 to 1000/);
  await refused(["drain"], /missing required argument/, 2);
  await refused(["drain", "app-a", "--timeout", "3s"], /--timeout goes with --wait/, 2);
  await refused(["drain", "app-a", "--wait", "--timeout", "soon"], /It is a duration/, 2);
});
