/** `coordination: postgres` when the disk of PostgreSQL's log is really full: without that it stops as a whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CartSite, counts, visit } from "../harness/cart-site.ts";
import { Postgres, whyNoPostgres } from "../harness/postgres.ts";
import { runFlotilla, until } from "../harness/process.ts";
import { SmallDisk, whyNoSmallDisk } from "../harness/small-disk.ts";

const skip = whyNoPostgres() ?? whyNoSmallDisk() ?? false;

/** Its own writes, until it can't any more. */
async function writeUntilItFails(server: Postgres): Promise<void> {
  try {
    for (;;) await server.sql("INSERT INTO other SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
  } catch {
    // Its log says why.
  }
}

async function isSeen(site: CartSite): Promise<boolean> {
  const servers = (await site.servers()).filter(({ cluster }) => cluster === "app");
  return servers.every(({ seesRegister, registerProblem }) => seesRegister && registerProblem === undefined);
}

test("the disk of its log is full: it stops, sessions are served for ten seconds more, and again when it is back", {
  skip,
}, async (t) => {
  const disk = new SmallDisk(t, 96);
  const server = await Postgres.startFor(t, { disks: { log: disk.folder } });
  await server.sql("CREATE TABLE other (filler text)");
  const site = await CartSite.make(t, { apps: 2, coordination: `{ postgres: "${server.url()}" }` });
  const running = await site.start();
  const visitors = await visit(site, 12);
  const before = await counts(visitors);
  disk.fill();
  await until("it has stopped", async () => {
    await writeUntilItFails(server);
    return server.hasEnded;
  });
  assert.match(server.log, /PANIC:.*pg_wal.*No space left on device/);
  for (const visitor of visitors) await visitor.ask("POST");
  await running.line(
    /"app-a".*can't read or change who keeps which session: PostgreSQL at .* can't be reached/,
  );
  await running.line(
    /"app-b".*can't read or change who keeps which session: PostgreSQL at .* can't be reached/,
  );
  const { stdout } = await runFlotilla(t, ["status"], { cwd: site.folder });
  assert.match(stdout, /^app-a and app-b .*PostgreSQL at .* can't be reached/m);
  await until(
    "they can't be sure any more who keeps what",
    async () => (await visitors[0]!.try("GET")).status === 503,
  );
  disk.makeRoom();
  await server.run();
  await until("it is seen again", () => isSeen(site));
  assert.equal(running.output.match(/can't read or change who keeps which session/g)?.length, 2, "once each");
  await site.isWhole();
  assert.deepEqual(
    await counts(visitors),
    before.map((count) => count + 1),
  );
});
