/** A49 with real app servers on the link: a request that blocks each process that it reaches. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { clusterFolder } from "../harness/cluster-folder.ts";
import { startFlotilla } from "../harness/process.ts";
import { exchange } from "../harness/raw.ts";

const names = ["app-a", "app-b", "app-c", "app-d"];

test("A49 a request that blocks its app server reaches one other at most, and the rest go on", async (t) => {
  const run = `exec node ${join(import.meta.dirname, "poison-app.ts")}`;
  const { folder, httpPort } = await clusterFolder(t, { web: true, apps: names.length, run });
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  for (const name of names) await running.line(new RegExp(`link to ${name} .* is up`));
  await running.line(/up at http/);

  const ask = (path: string): Promise<string> =>
    exchange(httpPort, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const poison = ask("/poison");
  let answered = false;
  void poison.finally(() => {
    answered = true;
  });
  // Meanwhile nobody else waits for longer than it takes to notice the silence of a server.
  const healthy = new Set<string>();
  while (!answered) {
    const text = await ask("/");
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    healthy.add(text.slice(-5));
  }
  assert.match(await poison, /^HTTP\/1\.1 200 OK\r\n/);
  const reached = readFileSync(join(folder, "poisoned"), "utf8").trim().split("\n");
  assert.equal(reached.length, 2, reached.join());
  assert.ok(
    names.every((name) => reached.includes(name) || healthy.has(name)),
    [...healthy].join(),
  );
});
