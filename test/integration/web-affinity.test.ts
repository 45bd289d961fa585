/**
 * Affinity (R43, R53, R55) in real processes: two workers, servers that are killed, drained and added, and visitors by address and by cookie.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { type TestContext, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { freePorts } from "../harness/free-ports.ts";
import { runFlotilla, start, statusOf, type TestProcess, until } from "../harness/process.ts";
import { type WorkerSite, workerSite } from "../harness/worker-site.ts";

/** Answers with its name. */
const program = `
const [name, port] = process.argv.slice(1);
require("node:http").createServer((_, answer) => answer.end(name)).listen(port, "127.0.0.1", () => console.log("up"));
`;

interface Site {
  readonly web: WorkerSite;
  readonly servers: TestProcess[];
  startServer(at: number): Promise<void>;
  /** Has the web server go on with so many servers. */
  reload(servers: number): Promise<void>;
  order(...words: string[]): Promise<void>;
}

async function siteOf(t: TestContext, affinity: string): Promise<Site> {
  const ports = await freePorts(4);
  const servers: TestProcess[] = [];
  const startServer = async (at: number): Promise<void> => {
    servers[at] = start(t, process.execPath, ["-e", program, `kept-${"abcd".charAt(at)}`, `${ports[at]}`]);
    await servers[at].line(/up/);
  };
  await Promise.all(ports.map((_, at) => startServer(at)));
  const clusterOf = (count: number): string =>
    `  kept:\n    servers:\n${ports
      .slice(0, count)
      .map((port, at) => `      kept-${"abcd".charAt(at)}: { http: "http://127.0.0.1:${port}" }\n`)
      .join("")}    affinity: ${affinity}\n    slowStart: 0s\n`;
  const web = await workerSite(t, {
    moreRoutes: "{ path: /kept, to: kept }, ",
    moreClusters: clusterOf(3),
  });
  const run = async (...words: string[]): Promise<void> => {
    const { code, stderr } = await runFlotilla(t, [...words, "-c", web.config], { cwd: web.folder });
    assert.equal(code, 0, stderr);
  };
  return {
    web,
    servers,
    startServer,
    async reload(count) {
      writeFileSync(
        web.config,
        readFileSync(web.config, "utf8").replace(/ {2}kept:\n[\s\S]*$/, clusterOf(count)),
      );
      await run("reload");
    },
    order: run,
  };
}

interface Visitor {
  readonly address: string;
  cookie: string;
  /** Of the server that answered last. */
  name: string;
}

function visitors(count: number, net: number): Visitor[] {
  return Array.from({ length: count }, (_, at) => ({
    address: `127.0.${net}.${at + 1}`,
    cookie: "",
    name: "",
  }));
}

/** A request on a connection of its own. @throws when it is not answered as it should be. */
function visit({ web }: Site, visitor: Visitor): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        ...{ host: "127.0.0.1", port: web.port, path: "/kept", localAddress: visitor.address, agent: false },
        headers: visitor.cookie === "" ? {} : { cookie: visitor.cookie },
      },
      (answer) => {
        let name = "";
        answer.setEncoding("latin1").on("data", (text: string) => {
          name += text;
        });
        answer.on("end", () => {
          const [set] = answer.headers["set-cookie"] ?? [];
          if (set !== undefined) visitor.cookie = set.slice(0, set.indexOf(";"));
          visitor.name = name;
          if (answer.statusCode === 200) resolve(name);
          else reject(new Error(`${answer.statusCode} ${name}`));
        });
      },
    );
    asked.on("error", reject);
    asked.end();
  });
}

const namesOf = (of: readonly Visitor[]): string[] => of.map(({ name }) => name);

/** All of them, several times at once where they need no cookie first. @returns how many are at each server. */
async function all(site: Site, of: readonly Visitor[]): Promise<Map<string, number>> {
  await Promise.all(of.map((visitor) => visit(site, visitor)));
  const names = namesOf(of);
  for (let round = 0; round < 3; round++)
    assert.deepEqual(await Promise.all(of.map((visitor) => visit(site, visitor))), names);
  const counts = Map.groupBy(names, (name) => name);
  return new Map([...counts].map(([name, { length }]) => [name, length]));
}

/** Each worker finds out for itself that kept-a is back; until then new visitors may find it with one and not with the other. */
async function isSettled(site: Site, net: number): Promise<boolean> {
  const some = visitors(20, net);
  const ask = (): Promise<string[]> => Promise.all(some.map((visitor) => visit(site, visitor)));
  const names = await ask();
  return names.includes("kept-a") && isDeepStrictEqual(await ask(), names);
}

for (const [way, affinity] of [
  ["cookie", "cookie"],
  ["client address", "{ by: client-address, for: 30m }"],
] as const) {
  test(`by ${way}: whatever happens to servers, visitors stay where they can, and none sees an error`, async (t) => {
    const site = await siteOf(t, affinity);
    let round = 0;
    /** Twenty that were never there before, until their servers are as wanted. */
    const newcomers = (what: string, isSo: (names: readonly string[]) => boolean) =>
      until(what, async () => {
        const some = visitors(20, 4 + round++);
        await Promise.all(some.map((visitor) => visit(site, visitor)));
        return isSo(namesOf(some));
      });
    const first = visitors(60, 1);
    const counts = await all(site, first);
    for (const name of ["kept-a", "kept-b", "kept-c"])
      assert.ok((counts.get(name) ?? 0) >= 8, `${[...counts]}`);
    const [status] = await statusOf(site.web.folder);
    for (const { requests } of status!.workers!) assert.ok(requests > 0, "both workers have answered");
    const at = namesOf(first);

    // A new server gets new visitors; nobody moves.
    await site.reload(4);
    await all(site, first);
    assert.deepEqual(namesOf(first), at);
    await newcomers("it gets some", (names) => names.includes("kept-d"));
    const second = visitors(60, 2);
    assert.ok(((await all(site, second)).get("kept-d") ?? 0) >= 5);
    await all(site, first);
    assert.deepEqual(namesOf(first), at);

    // A draining one keeps its own and gets no new ones.
    await site.order("drain", "kept-b");
    await all(site, first);
    assert.deepEqual(namesOf(first), at);
    await newcomers("it gets none", (names) => !names.includes("kept-b"));
    assert.equal((await all(site, visitors(40, 3))).get("kept-b"), undefined);
    await all(site, first);
    assert.deepEqual(namesOf(first), at);
    await site.order("ready", "kept-b");

    // Killed: its visitors move, all others stay.
    site.servers[0]!.signal("SIGKILL");
    await site.servers[0]!.exit;
    assert.equal((await all(site, first)).get("kept-a"), undefined);
    const moved = namesOf(first);
    for (const [index, name] of at.entries()) if (name !== "kept-a") assert.equal(moved[index], name);

    // It is back, and new workers take over: who was moved stays.
    await site.startServer(0);
    await until("all workers have seen that", () => isSettled(site, 4 + round++));
    await all(site, first);
    assert.deepEqual(namesOf(first), moved);
    const { code, stderr } = await runFlotilla(t, ["upgrade", "web-a"], { cwd: site.web.folder });
    assert.equal(code, 0, stderr);
    await all(site, first);
    assert.deepEqual(namesOf(first), moved);
  });
}
