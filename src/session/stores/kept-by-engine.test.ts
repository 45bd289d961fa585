/** A server's start and end, whatever its database does. */
import assert from "node:assert/strict";
import test from "node:test";
import { MemoryEngine } from "../../../test/harness/memory-engine.ts";
import { StoreWorld } from "../../../test/harness/store-world.ts";
import { FlotillaError } from "../../support/errors.ts";
import { silentLog } from "../../support/log.ts";
import { DatabaseAdmin } from "../admin/database-admin.ts";
import { KeptByEngine } from "./kept-by-engine.ts";

async function setUp(engine?: MemoryEngine) {
  const site = new StoreWorld();
  const server = await site.server("a", engine === undefined ? {} : { engine }, false);
  const admin = new DatabaseAdmin(server.store);
  const kept = new KeptByEngine(server.store, admin, server.process.clock, silentLog);
  return { site, server, kept };
}

test("a server starts without its database, within 5 s, and has its sessions when that is up", async () => {
  for (const fate of ["refused", "silent"] as const) {
    const { site, server, kept } = await setUp();
    server.network.fates.set("", fate);
    let isOpen = false;
    const opening = kept.open().then(() => {
      isOpen = true;
    });
    await site.pass(5_000);
    assert.ok(isOpen);
    await opening;
    server.network.fates.clear();
    // A trial may be under way, and is waited for.
    await site.pass(6_000);
    await server.create({ n: 1 });
    assert.equal(site.told.length, 2);
  }
});

test("a server does not start when only a person can help", async () => {
  class WithoutDriver extends MemoryEngine {
    override async open(): Promise<void> {
      throw new FlotillaError("FLOTILLA_SESSION_STORE_DRIVER", "npm install it");
    }
  }
  const { site, kept } = await setUp(new WithoutDriver());
  const refused = assert.rejects(kept.open(), { code: "FLOTILLA_SESSION_STORE_DRIVER" });
  await site.pass(100);
  await refused;
});

test("a server that ends tells of the last uses, waits for nothing else, and then answers nothing", async () => {
  const { site, server, kept } = await setUp();
  const opening = kept.open();
  await site.pass(100);
  await opening;
  const id = await server.create({ n: 1 }, 10_000);
  await site.pass(3_000);
  server.load(id);
  const saving = kept.save();
  await site.pass(5);
  assert.equal(await saving, true);
  assert.ok(site.world.now - site.database.rows.get(id.key)!.usedAt <= 5);
  server.network.fates.set("touch", "silent");
  server.store.touch(id, 20_000, false);
  let isSaved = false;
  void kept.save().then(() => {
    isSaved = true;
  });
  await site.pass(2_200);
  assert.ok(isSaved, "a database that does not answer is not waited for");
  kept.stop();
  assert.equal(server.load(server.store.newId()).code, "FLOTILLA_SESSION_UNAVAILABLE");
  assert.deepEqual(kept.stopCheck(), { sessions: 0, problem: null });
});
