/** A site that runs moves its register from its app servers to etcd: no cart is lost, and somebody buys all the while. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { CartSite, counts, visit } from "../harness/cart-site.ts";
import { Etcd, withoutEtcd } from "../harness/etcd.ts";
import { runFlotilla, until } from "../harness/process.ts";

test("members to etcd, while all runs", { skip: withoutEtcd() }, async (t) => {
  const site = await CartSite.make(t, { apps: 3 });
  const file = join(site.folder, "flotilla.yaml");
  const text = readFileSync(file, "utf8");
  const write = (coordination: string): void =>
    writeFileSync(file, text.replace("coordination: members", `coordination: ${coordination}`));
  const flotilla = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runFlotilla(t, words, { cwd: site.folder });
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const etcd = await Etcd.start(t);
  await site.start();
  const visitors = await visit(site, 12);
  const carts = await counts(visitors);
  const buyer = site.visitor();
  let bought = 0;
  let isOver = false;
  const buying = (async () => {
    while (!isOver) {
      assert.equal(await buyer.ask("POST"), ++bought);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();

  // Servers that still run with the old file are not left behind.
  write(`{ etcd: "${etcd.endpoints[0]}", from: members }`);
  const early = await runFlotilla(t, ["coordination", "move"], { cwd: site.folder });
  assert.equal(early.code, 1);
  assert.match(
    early.stderr,
    /was not moved, nothing has changed: .*app-a.*restart it.*FLOTILLA_MOVE_REFUSED/,
  );

  await flotilla("restart", "app");
  assert.ok((await site.servers()).every(({ registerEngine }) => registerEngine === undefined));
  await etcd.kill(0);
  const away = await runFlotilla(t, ["coordination", "move"], { cwd: site.folder });
  assert.equal(away.code, 1);
  assert.match(away.stderr, /nothing has changed: .*connection refused/);
  await etcd.startServer(0);

  assert.match(await flotilla("coordination", "move"), /register of app is in etcd now/);
  const apps = (await site.servers()).filter(({ cluster }) => cluster === "app");
  assert.deepEqual(
    apps.map(({ registerEngine, registerProblem }) => [registerEngine, registerProblem]),
    apps.map(() => ["etcd", undefined]),
  );
  assert.match(
    (await etcd.ctl(["get", "--prefix", "/flotilla/", "--keys-only"])).stdout,
    /^\/flotilla\/app$/m,
  );
  assert.match(
    await flotilla("coordination", "move"),
    /register of app is in etcd now/,
    "a second time is no harm",
  );

  write(`{ etcd: "${etcd.endpoints[0]}" }`);
  await flotilla("restart", "app-a");
  isOver = true;
  await buying;
  const victim = (await site.servers()).find(({ name }) => name === "app-b")!;
  process.kill(victim.pid!, "SIGKILL");
  await until("another process of app-b is up", async () => {
    const { pid, state } = (await site.servers()).find(({ name }) => name === "app-b")!;
    return state === "up" && pid !== victim.pid;
  });
  assert.deepEqual(await counts(visitors), carts);
  assert.equal(await buyer.ask("GET"), bought);

  // What an orderly stop saves belongs to this register still.
  await site.stop();
  await site.start();
  assert.deepEqual(await counts(visitors), carts);
});
