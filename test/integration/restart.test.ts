/** `flotilla restart` on real processes: no request and no session is lost, and it stops at the first server that does not come back. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { CartSite, cartApp } from "../harness/cart-site.ts";
import { OperatedSite, Shopper } from "../harness/operated-site.ts";
import { runFlotilla, startFlotilla, until } from "../harness/process.ts";

async function pids(site: OperatedSite): Promise<(number | null)[]> {
  return (await site.servers()).map(({ pid }) => pid);
}

test("three app servers are restarted under load, one by one: no request fails, no cart loses anything", async (t) => {
  const site = await OperatedSite.make(t);
  await site.start();
  const before = await pids(site);
  const shoppers = Array.from({ length: 20 }, () => new Shopper(t, site, 10));
  await until("they shop", () => shoppers.every(({ puts }) => puts > 2));
  const { code, stdout, stderr } = await site.flotilla("restart", "app", "--json");
  assert.equal(code, 0, stderr);
  const { restarted, failed, left } = JSON.parse(stdout);
  assert.deepEqual(
    restarted.map(({ name }: { name: string }) => name),
    ["app-a", "app-b", "app-c"],
  );
  assert.deepEqual([failed, left], [null, []]);
  for (const shopper of shoppers) {
    assert.equal(await shopper.stop(), shopper.puts);
    assert.deepEqual(shopper.failures, []);
  }
  const after = await pids(site);
  for (const index of [2, 3, 4]) assert.notEqual(after[index], before[index]);
  assert.deepEqual(
    (await site.servers()).map(({ state, order }) => [state, order]),
    Array(5).fill(["up", undefined]),
  );
  t.diagnostic(`${shoppers.reduce((sum, { puts }) => sum + puts, 0)} requests; ${JSON.stringify(restarted)}`);

  const web = await site.flotilla("restart", "web-a", "web-b");
  assert.equal(web.code, 0);
  assert.match(web.stdout, /^web-a is back in service .*\nweb-b is back in service/);
});

test("it stops at a server that does not come back, says what it printed, and touches no other", async (t) => {
  const site = await OperatedSite.make(t, {
    run: "exec node ./app.mjs",
    files: { "app.mjs": `import ${JSON.stringify(cartApp)};\n` },
  });
  await site.start();
  const before = await pids(site);
  writeFileSync(join(site.folder, "app.mjs"), 'console.log("no database");\nprocess.exit(3);\n');
  const { code, stdout, stderr } = await site.flotilla("restart", "app", "--timeout", "2s");
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^app-a \| no database$/m);
  assert.match(
    stderr,
    /app-a did not come back within 10 s: .*not touched: app-b and app-c .*FLOTILLA_RESTART_FAILED/,
  );
  assert.deepEqual((await pids(site)).slice(3), before.slice(3));

  // The program is well again: its server comes back into service by itself.
  writeFileSync(join(site.folder, "app.mjs"), `import ${JSON.stringify(cartApp)};\n`);
  await until("it is back", async () => (await site.newVisitors(0, 6)).has("app-a"));
});

test("one restart at a time; ^C ends it behind the server in hand, which is in service again", async (t) => {
  const site = await OperatedSite.make(t);
  await site.start();
  const before = await pids(site);
  const first = startFlotilla(t, ["restart", "app"], { cwd: site.folder });
  await until("app-a is being restarted", async () => (await site.server("app-a")).state !== "up");
  const second = await site.flotilla("restart", "app-c");
  assert.equal(second.code, 1);
  assert.match(
    second.stderr,
    /nothing was touched: web-[ab] says: another flotilla restart \(app\) is under way for \d+ s/,
  );
  first.signal("SIGINT");
  assert.equal((await first.exit).code, 130);
  assert.match(first.stderr, /^interrupted: app-a: .*not touched: app-b and app-c$/m);
  await until("app-a is in service", async () => (await site.newVisitors(0, 6)).has("app-a"));
  assert.deepEqual((await pids(site)).slice(3), before.slice(3));
  assert.equal((await site.server("app-a")).order, undefined);
  const third = startFlotilla(t, ["restart", "app-b"], { cwd: site.folder });
  assert.equal((await third.exit).code, 0, third.stderr);
});

test("what can't be restarted is told before anything is touched", async (t) => {
  const site = await OperatedSite.make(t, { apps: 2, run: null });
  for (const server of ["app-a", "app-b"]) site.startByHand(server);
  await site.startWeb("web-a");
  await site.startWeb("web-b");
  await site.whole();
  const byHand = await site.flotilla("restart", "app");
  assert.equal(byHand.code, 1);
  assert.match(byHand.stderr, /nothing was touched: app-a was not started by `run:`/);
  const unknown = await site.flotilla("restart", "ap");
  assert.match(
    unknown.stderr,
    /there is no cluster and no server "ap" in flotilla.yaml \(did you mean "app"\?\)/,
  );
});

test("another `durability:` in the file is refused before any session ends", async (t) => {
  const site = await CartSite.make(t, { apps: 2, durability: "backup+disk" });
  await site.start();
  const before = (await site.servers()).map(({ pid }) => pid);
  const path = join(site.folder, "flotilla.yaml");
  writeFileSync(path, readFileSync(path, "utf8").replace("backup+disk", "backup"));
  const { code, stderr } = await runFlotilla(t, ["restart", "app"], { cwd: site.folder });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /nothing was touched: app-a runs with `durability: backup\+disk`, and the file says durability: backup: .*FLOTILLA_RESTART_REFUSED/,
  );
  const reloaded = await runFlotilla(t, ["reload"], { cwd: site.folder });
  assert.match(
    reloaded.stdout + reloaded.stderr,
    /with another `store:` or `durability:`, stop all its app servers and start them/,
  );
  assert.deepEqual(
    (await site.servers()).map(({ pid }) => pid),
    before,
  );
});
