/** A49 with real app servers, on the link and plain ones: a request that blocks each process that it reaches. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { clusterFolder, testSecret } from "../harness/cluster-folder.ts";
import { freePorts } from "../harness/free-ports.ts";
import { start, startFlotilla, temporaryFolder, until } from "../harness/process.ts";
import { exchange } from "../harness/raw.ts";

const names = ["app-a", "app-b", "app-c", "app-d"];
const program = join(import.meta.dirname, "poison-app.ts");
const visitorCount = 8;

interface Site {
  readonly folder: string;
  readonly httpPort: number;
}

async function linkSite(t: TestContext): Promise<Site> {
  const shape = { web: true, apps: names.length, run: `exec node ${program}` };
  const { folder, httpPort } = await clusterFolder(t, shape);
  const running = startFlotilla(t, ["start", "--all"], { cwd: folder });
  for (const name of names) await running.line(new RegExp(`link to ${name} .* is up`));
  await running.line(/up at http/);
  return { folder, httpPort };
}

async function plainSite(t: TestContext): Promise<Site> {
  const [webPort, httpPort, ...ports] = (await freePorts(2 + names.length)) as [number, number, ...number[]];
  const servers = names.map((name, at) => `      ${name}: { http: "http://127.0.0.1:${ports[at]}" }`);
  const folder = temporaryFolder(t, {
    "flotilla.yaml": `secret: ${testSecret}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: ${webPort} } }
    listen: [{ http: "127.0.0.1:${httpPort}" }]
    workers: 1
    log: { access: off }
    routes: [{ to: app }]
  app:
    servers:
${servers.join("\n")}
`,
  });
  for (const [at, name] of names.entries()) {
    const env = { PORT: `${ports[at]}`, NAME: name };
    start(t, process.execPath, [program], { cwd: folder, env });
    await until(`${name} listens`, () => answers(ports[at]!));
  }
  const running = startFlotilla(t, ["start", "web-a"], { cwd: folder });
  await running.line(/up at http/);
  return { folder, httpPort };
}

async function answers(port: number): Promise<boolean> {
  const request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  return (await exchange(port, request).catch(() => "")) !== "";
}

for (const [kind, site] of [
  ["link", linkSite],
  ["plain", plainSite],
] as const) {
  test(`A49 ${kind}: a request that blocks its app server reaches one other at most, and the rest go on`, async (t) => {
    const { folder, httpPort } = await site(t);
    const ask = (path: string): Promise<string> =>
      exchange(httpPort, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    // Servers whose usual time is known.
    for (let count = 0; count < 5 * names.length; count++) await ask("/");
    let isAnswered = false;
    const poison = ask("/poison").finally(() => {
      isAnswered = true;
    });
    // Meanwhile nobody else waits for longer than it takes to notice the silence of a server, and none fails.
    const healthy = new Set<string>();
    const visit = async (): Promise<void> => {
      while (!isAnswered) {
        const text = await ask("/");
        assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
        healthy.add(text.slice(-5));
      }
    };
    await Promise.all(Array.from({ length: visitorCount }, visit));
    assert.match(await poison, /^HTTP\/1\.1 200 OK\r\n/);
    const reached = readFileSync(join(folder, "poisoned"), "utf8").trim().split("\n");
    assert.ok(reached.length <= 2, reached.join());
    assert.ok(
      names.every((name) => reached.includes(name) || healthy.has(name)),
      [...healthy].join(),
    );
  });
}
