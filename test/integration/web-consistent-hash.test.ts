/** `balance: consistent-hash` in real processes: two workers that know nothing of each other agree on where a path belongs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { freePorts } from "../harness/free-ports.ts";
import { start, type TestProcess } from "../harness/process.ts";
import { get, workerSite } from "../harness/worker-site.ts";

/** Answers with its name. */
const program = `
const [name, port] = process.argv.slice(1);
require("node:http").createServer((_, answer) => answer.end(name)).listen(port, "127.0.0.1", () => console.log("up"));
`;

test("each path stays at its server, whichever worker is asked; when one dies, only its own paths move", async (t) => {
  const names = ["hash-a", "hash-b", "hash-c"];
  const ports = await freePorts(names.length);
  const servers: TestProcess[] = names.map((name, at) =>
    start(t, process.execPath, ["-e", program, name, `${ports[at]}`]),
  );
  await Promise.all(servers.map((server) => server.line(/up/)));
  const entries = names.map((name, at) => `      ${name}: { http: "http://127.0.0.1:${ports[at]}" }\n`);
  const web = await workerSite(t, {
    workers: 2,
    moreRoutes: "{ path: '/hash/*', to: hash }, ",
    moreClusters: `  hash:\n    balance: { policy: consistent-hash, by: path }\n    slowStart: 0s\n    servers:\n${entries.join("")}`,
  });
  const paths = Array.from({ length: 40 }, (_, at) => `/hash/${at}`);
  /** Each on a connection of its own, which either worker may accept. */
  const ask = async (): Promise<string[]> => {
    const owners: string[] = [];
    for (const path of paths) {
      const { status, body } = await get(web.port, path);
      assert.equal(status, 200);
      owners.push(body);
    }
    return owners;
  };
  const owners = await ask();
  assert.deepEqual(new Set(owners), new Set(names));
  for (let round = 0; round < 5; round++) assert.deepEqual(await ask(), owners);
  await servers[1]!.kill();
  const after = await ask();
  for (const [at, owner] of owners.entries())
    assert.equal(after[at] === owner, owner !== "hash-b", `${paths[at]}`);
});
