/** `durability: backup+disk`, and the disk of one of two servers is full for long: its memory stays bounded, and all is well again by itself. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CartSite, counts, visit } from "../harness/cart-site.ts";
import { runFlotilla, startFlotilla, until } from "../harness/process.ts";
import { SmallDisk, whyNoSmallDisk } from "../harness/small-disk.ts";

const skip = whyNoSmallDisk() ?? false;

/** A checkpoint of sessions that nobody has made, of 4 KB each. */
function madeUp(count: number): string {
  const text = "x".repeat(4_000);
  const lines = Array.from({ length: count }, (_, n) =>
    JSON.stringify({ key: randomBytes(18).toString("base64url"), idleTimeoutMs: 600_000, data: { n, text } }),
  );
  const header = '{"flotilla":"sessions","version":1}';
  return `${[header, ...lines, `{"end":true,"sessions":${count}}`].join("\n")}\n`;
}

test("what makes memory grow is refused meanwhile, the rest goes on", { skip }, async (t) => {
  const small = new SmallDisk(t, 48);
  const site = await CartSite.make(t, {
    apps: 2,
    durability: "backup+disk",
    sessions: ", memory: 16MiB",
  });
  const folder = join(site.folder, ".flotilla", "sessions");
  mkdirSync(folder, { recursive: true });
  symlinkSync(small.folder, join(folder, "app-a"));
  const running = await site.start();
  const visitors = await visit(site, 10);
  const status = async (): Promise<string> => (await runFlotilla(t, ["status"], { cwd: site.folder })).stdout;

  writeFileSync(join(site.folder, "most.ndjson"), madeUp(3_000));
  writeFileSync(join(site.folder, "rest.ndjson"), madeUp(4_000));
  const { code, stderr } = await runFlotilla(t, ["sessions", "import", "most.ndjson"], { cwd: site.folder });
  assert.equal(code, 0, stderr);
  small.fill();
  // So slowly that memory is not a quarter too full before it is looked at: then all changes would be refused.
  const words = ["sessions", "import", "rest.ndjson", "--rate", "300"];
  const importing = startFlotilla(t, words, { cwd: site.folder });
  await running.line(/"server":"app-a".*FLOTILLA_SESSIONS_FULL.*can't leave memory/);
  await importing.kill();
  assert.match(
    await status(),
    /app-a can't write .*full.*; memory is full meanwhile: new sessions are refused/,
  );

  const stranger = site.visitor();
  await assert.rejects(stranger.ask("POST"), /503|FLOTILLA_SESSION_BUSY/);
  assert.equal(await stranger.ask("GET"), 0);
  const before = await counts(visitors);
  for (const [index, visitor] of visitors.entries())
    assert.equal(await visitor.ask("POST"), before[index]! + 1);
  await visitors[0]!.ask("POST", "/logout");

  small.makeRoom();
  await until(
    "a new session is taken",
    async () =>
      (await site
        .visitor()
        .ask("POST")
        .catch(() => 0)) === 1,
  );
  await running.line(/"server":"app-a".*are taken again/);
  assert.doesNotMatch(await status(), /can't write|memory is full/);
  assert.deepEqual(
    await counts(visitors.slice(1)),
    before.slice(1).map((count) => count + 1),
  );
  assert.equal(running.output.match(/can't leave memory/g)?.length, 1);
});
