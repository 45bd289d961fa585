/** Maintenance is switched by a reload, and a changed page is shown after one; the server stays ready all the while. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runFlotilla } from "../harness/process.ts";
import { get, workerSite } from "../harness/worker-site.ts";

test("on, another page, off again", async (t) => {
  const site = await workerSite(t, { workers: 1 });
  const good = readFileSync(site.config, "utf8");
  const page = join(site.folder, "soon.html");
  const maintained = good.replace(/\n {2}app:\n/, "\n  app:\n    maintenance: soon.html\n");
  assert.notEqual(maintained, good);
  const reload = (): ReturnType<typeof runFlotilla> => runFlotilla(t, ["reload"], { cwd: site.folder });
  const now = async (): Promise<string> => {
    const { status, body } = await get(site.port, "/");
    return `${status} ${body}`;
  };
  assert.equal(await now(), "200 fast");
  writeFileSync(site.config, maintained);
  const missing = await reload();
  assert.equal(missing.code, 1);
  assert.match(
    missing.stdout + missing.stderr,
    /maintenance: cannot read .*soon\.html.*there is no such file/,
  );
  assert.equal(await now(), "200 fast");
  for (const text of ["soon", "later"]) {
    writeFileSync(page, text);
    assert.equal((await reload()).code, 0);
    assert.equal(await now(), `503 ${text}`);
  }
  await site.closeOrigin();
  assert.equal((await get(site.healthPort, "/readyz")).status, 200);
  writeFileSync(site.config, good);
  assert.equal((await reload()).code, 0);
  assert.doesNotMatch(await now(), /later/);
});
