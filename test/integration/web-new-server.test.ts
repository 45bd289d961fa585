/** R3: an entry in the file and `flotilla reload` add an app server, its removal takes it out, and no visitor reads an error meanwhile. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { testSecret } from "../harness/cluster-folder.ts";
import { freePorts } from "../harness/free-ports.ts";
import { PlainServer } from "../harness/plain-server.ts";
import { runFlotilla, startFlotilla, temporaryFolder, until } from "../harness/process.ts";
import { get, Visitors } from "../harness/worker-site.ts";

const app = join(import.meta.dirname, "fixtures", "app.ts");

interface Site {
  readonly folder: string;
  readonly port: number;
  /** Puts these lines of the cluster "app" into the file. */
  write(app: string): void;
  /** And in force. */
  reload(app: string): Promise<void>;
}

/** The cluster "app" has these lines; nothing is started yet. */
async function siteOf(t: TestContext, app: string): Promise<Site> {
  const [clusterPort, port] = (await freePorts(2)) as [number, number];
  const fileOf = (lines: string): string => `secret: ${testSecret}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: ${clusterPort} } }
    listen: [{ http: "127.0.0.1:${port}" }]
    workers: 2
    log: { access: off }
    timeouts: { drain: 10s }
    routes: [{ to: app }]
  app:
${lines}`;
  const folder = temporaryFolder(t, { "flotilla.yaml": fileOf(app) });
  const write = (lines: string): void => writeFileSync(join(folder, "flotilla.yaml"), fileOf(lines));
  const reload = async (lines: string): Promise<void> => {
    write(lines);
    const { code, stderr } = await runFlotilla(t, ["reload"], { cwd: folder });
    // App servers that run say that they keep to the file they began with.
    assert.deepEqual([code, stderr.replaceAll(/^note: app-. goes on by the file .*\n/gm, "")], [0, ""]);
  };
  return { folder, port, write, reload };
}

test("a plain server comes and goes under load; a request that it has begun comes to its end", async (t) => {
  const servers = [
    await PlainServer.start(t, "plain-a"),
    await PlainServer.start(t, "plain-b"),
    await PlainServer.start(t, "plain-c"),
  ] as const;
  const [, b, c] = servers;
  const linesOf = (...some: readonly PlainServer[]): string =>
    `    servers: { ${some.map(({ name, port }) => `${name}: { http: "http://127.0.0.1:${port}" }`).join(", ")} }
    check: /healthz
    balance: round-robin
    slowStart: 0s
`;
  const site = await siteOf(t, linesOf(servers[0], b));
  const running = startFlotilla(t, ["start", "web-a"], { cwd: site.folder });
  await running.line(/up at http/);
  const visitors = new Visitors(site.port, 4);
  t.after(() => visitors.stop());

  await site.reload(linesOf(...servers));
  await until("the new one gets its share", () => c.requests > 50);
  await until("and is checked", () => c.checks.length > 0);

  const held = Promise.withResolvers<ServerResponse>();
  for (const server of servers)
    server.handler = (asked, answer) => {
      if (asked.url === "/held" && server === b) held.resolve(answer);
      else answer.end(server.name);
    };
  const asked = heldAt(site.port, b);
  const answer = await held.promise;
  await site.reload(linesOf(servers[0], c));
  await until("its other requests are over", () => b.open === 1);
  const { requests } = b;
  const before = c.requests;
  await until("the others go on", () => c.requests > before + 100);
  assert.equal(b.requests, requests);
  answer.end("to its end");
  assert.equal(await asked, "to its end");
  const checks = b.checks.length;
  await visitors.stop();
  assert.deepEqual(visitors.failures, []);
  assert.equal(b.checks.length, checks);
});

/** Asks until the request comes to that server. */
async function heldAt(port: number, { name }: PlainServer): Promise<string> {
  for (;;) {
    const { body } = await get(port, "/held");
    if (!body.startsWith("plain-") || body === name) return body;
  }
}

test("a member comes and goes under load", async (t) => {
  const ports = await freePorts(3);
  const linesOf = (...letters: readonly string[]): string =>
    `    servers:
${letters.map((letter) => `      app-${letter}: { address: 127.0.0.1, port: ${ports["abc".indexOf(letter)]} }\n`).join("")}    run: exec node ${app}
    balance: round-robin
    slowStart: 0s
    timeouts: { drain: 5s }
`;
  const site = await siteOf(t, linesOf("a", "b"));
  const first = startFlotilla(t, ["start", "--all"], { cwd: site.folder });
  await first.line(/up at http/);
  await until("it answers", async () => (await get(site.port, "/")).status === 200);
  const visitors = new Visitors(site.port, 4);
  t.after(() => visitors.stop());
  const answerers = async (): Promise<string> => {
    const names = new Set<string>();
    for (let count = 0; count < 16; count++) names.add((await get(site.port, "/")).body.trim());
    return [...names].sort().join(" ");
  };

  site.write(linesOf("a", "b", "c"));
  startFlotilla(t, ["start", "app-c"], { cwd: site.folder });
  await site.reload(linesOf("a", "b", "c"));
  await until("the new one answers too", async () => (await answerers()) === "app-a app-b app-c");

  const slow = Promise.all(Array.from({ length: 6 }, () => get(site.port, "/slow")));
  await first.line(/slow request begun/);
  // A member is stopped before its entry goes: it may keep sessions, and hands them over.
  const stopped = await runFlotilla(t, ["stop", "app-b"], { cwd: site.folder });
  assert.equal(stopped.code, 0, stopped.stderr);
  await site.reload(linesOf("a", "c"));
  assert.deepEqual(
    (await slow).map(({ status }) => status),
    Array(6).fill(200),
  );
  assert.equal(await answerers(), "app-a app-c");
  await visitors.stop();
  assert.deepEqual(visitors.failures, []);
});
