/** USR1, as logrotate sends it: the web server goes on in a new access log, also below a supervisor. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { clusterFolder } from "../harness/cluster-folder.ts";
import { startFlotilla } from "../harness/process.ts";
import { exchange } from "../harness/raw.ts";

for (const [how, args] of [
  ["a web server", ["start", "web-a"]],
  ["a supervisor", ["start", "--all"]],
] as const) {
  test(`USR1 to ${how}: the renamed file gets the lines before, a new one those behind`, async (t) => {
    const { folder, httpPort } = await clusterFolder(t, { web: true, accessLog: true });
    const running = startFlotilla(t, args, { cwd: folder });
    await running.line(/up at http/);
    const file = join(folder, ".flotilla", "log", "web-a.access.log");
    const get = (path: string): Promise<string> =>
      exchange(httpPort, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    await get("/before");
    renameSync(file, `${file}.1`);
    running.signal("SIGUSR1");
    await running.line(/access log .* reopened/);
    await get("/behind");
    running.signal("SIGTERM");
    await running.exit;
    assert.ok(existsSync(file));
    assert.match(readFileSync(`${file}.1`, "utf8"), /"GET \/before HTTP\/1\.1"[^\n]*\n$/);
    assert.match(readFileSync(file, "utf8"), /^[^\n]*"GET \/behind HTTP\/1\.1"[^\n]*\n$/);
  });
}
