/** Active checks with real processes: who does not pass gets no requests, by whatever way it is reached, and is back by itself. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { testSecret } from "../harness/cluster-folder.ts";
import { freePorts } from "../harness/free-ports.ts";
import { type LinkApp, linkApp } from "../harness/link-app.ts";
import { PlainServer } from "../harness/plain-server.ts";
import {
  runFlotilla,
  startFlotilla,
  statusOf,
  type TestProcess,
  temporaryFolder,
  until,
} from "../harness/process.ts";
import { get } from "../harness/worker-site.ts";

const certificates = join(import.meta.dirname, "../../src/config/goldens/files");
const read = (file: string): string => readFileSync(join(certificates, file), "utf8");

interface CheckedSite {
  readonly port: number;
  readonly folder: string;
  readonly config: string;
  readonly running: TestProcess;
}

/** A web server with two workers in front of the cluster "app". @param app its lines in the file. */
async function checkedSite(t: TestContext, app: string): Promise<CheckedSite> {
  const [clusterPort, port] = (await freePorts(2)) as [number, number];
  const folder = temporaryFolder(t, {
    "flotilla.yaml": `secret: ${testSecret}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: ${clusterPort} } }
    listen: [{ http: "127.0.0.1:${port}" }]
    workers: 2
    log: { access: off }
    timeouts: { drain: 1s }
    routes: [{ to: app }]
  app:
    slowStart: 0s
${app}`,
  });
  const running = startFlotilla(t, ["start", "web-a"], { cwd: folder });
  await running.line(/up at http/);
  return { port, folder, config: join(folder, "flotilla.yaml"), running };
}

function serversOf(...servers: readonly PlainServer[]): string {
  return `    servers: { ${servers.map(({ name, port }) => `${name}: { http: "http://127.0.0.1:${port}" }`).join(", ")} }\n`;
}

/** Who answers `count` requests, each on a connection of its own: both workers are asked. */
async function answerers(port: number, count = 24): Promise<string[]> {
  const names = new Set<string>();
  for (let asked = 0; asked < count; asked++) {
    const { status, body } = await get(port, "/");
    names.add(status === 200 ? body : String(status));
  }
  return [...names].sort();
}

/** All workers have heard what main said when this line was written. */
async function answeredBy(port: number, ...names: readonly string[]): Promise<void> {
  await until(`${names} answer`, async () => (await answerers(port)).join() === names.join());
}

const quick = "interval: 500ms, timeout: 500ms, rise: 2, fall: 3";

test("a server whose health page says 503 is left after `fall`, though its other pages work, and is back after `rise`", async (t) => {
  const a = await PlainServer.start(t, "plain-a");
  const b = await PlainServer.start(t, "plain-b");
  const site = await checkedSite(t, `${serversOf(a, b)}    check: { http: /healthz, ${quick} }\n`);
  await until("both are checked", () => a.checks.length > 1 && b.checks.length > 1);
  await answeredBy(site.port, "plain-a", "plain-b");
  assert.deepEqual(
    { ...a.checks[0] },
    { host: `127.0.0.1:${a.port}`, "user-agent": "flotilla-check", connection: "close" },
  );

  a.healthStatus = 503;
  await site.running.line(/plain-a is down: check GET \/healthz: it answered 503, 3 times in a row/);
  await answeredBy(site.port, "plain-b");
  await until("status tells why", async () =>
    JSON.stringify(await statusOf(site.folder)).includes("check GET /healthz: it answered 503"),
  );
  const { requests } = a;
  assert.deepEqual(await answerers(site.port), ["plain-b"]);
  assert.equal(a.requests, requests);

  a.healthStatus = 204;
  await site.running.line(/plain-a is well again: check GET \/healthz passed, 2 times in a row/);
  await answeredBy(site.port, "plain-a", "plain-b");
});

const unwell = (server: PlainServer, site: CheckedSite): Promise<string> => {
  server.healthStatus = 500;
  return site.running.line(new RegExp(`${server.name} is down: check GET /healthz: it answered 500`));
};

test("over TLS with an authority of the file, and over a Unix socket; one whose certificate is another's never passes", async (t) => {
  const certificate = { key: read("site.key"), cert: read("site.pem") };
  const folder = temporaryFolder(t);
  const socketPath = join(folder, "app.sock");
  const secure = await PlainServer.start(t, "secure", { tls: certificate });
  const wrong = await PlainServer.start(t, "wrong", { tls: certificate });
  const local = await PlainServer.start(t, "local", { where: { path: socketPath } });
  const site = await checkedSite(
    t,
    `    servers:
      secure: { http: "https://127.0.0.1:${secure.port}", host: inner.example, tls: { ca: ${certificates}/site.pem, serverName: site.example } }
      wrong: { http: "https://127.0.0.1:${wrong.port}", tls: { ca: ${certificates}/ended.pem, serverName: site.example } }
      local: { http: "unix:${socketPath}" }
    check: { http: /healthz, ${quick} }
`,
  );
  await site.running.line(
    /wrong is down: check GET \/healthz: no connection \(.*(SELF_SIGNED|UNABLE_TO_VERIFY)/,
  );
  await until("two are checked", () => secure.checks.length > 0 && local.checks.length > 0);
  assert.deepEqual(
    [secure.checks[0]!.host, local.checks[0]!.host, wrong.checks.length],
    ["inner.example", "localhost", 0],
  );
  await unwell(secure, site);
  await answeredBy(site.port, "local");
  secure.healthStatus = 200;
  await site.running.line(/secure is well again/);
  await unwell(local, site);
  await answeredBy(site.port, "secure");
});

test("tcp: a connection is enough, whatever the server would answer", async (t) => {
  const a = await PlainServer.start(t, "plain-a");
  const b = await PlainServer.start(t, "plain-b");
  a.answersChecks = b.answersChecks = false;
  const { port } = b;
  const site = await checkedSite(t, `${serversOf(a, b)}    check: { tcp: true, ${quick} }\n`);
  await answeredBy(site.port, "plain-a", "plain-b");
  b.close();
  await site.running.line(/plain-b is down: check TCP: no connection \(ECONNREFUSED\)/);
  await answeredBy(site.port, "plain-a");
  await PlainServer.start(t, "plain-b", { where: { port, host: "127.0.0.1" } });
  await site.running.line(/plain-b is well again/);
  await answeredBy(site.port, "plain-a", "plain-b");
  assert.equal(a.checks.length + b.checks.length, 0);
});

test("a member of the cluster is asked over its link", async (t) => {
  const asked: IncomingHttpHeaders[] = [];
  let status = 200;
  const apps: LinkApp[] = [];
  for (const name of ["app-a", "app-b"]) {
    const app = await linkApp(
      t,
      name,
      (request, response) => {
        if (request.url !== "/healthz") return void response.end(name);
        if (name === "app-a") asked.push(request.headers);
        response.writeHead(name === "app-a" ? status : 200).end("ready");
      },
      Buffer.from(testSecret),
    );
    apps.push(app);
  }
  const [a, b] = apps as [LinkApp, LinkApp];
  const site = await checkedSite(
    t,
    `    servers:
      app-a: { address: 127.0.0.1, port: ${a.port} }
      app-b: { address: 127.0.0.1, port: ${b.port} }
    check: { http: /healthz, host: app.example, body: ready, ${quick} }
`,
  );
  await until("it is checked", () => asked.length > 1);
  assert.deepEqual({ ...asked[0] }, { host: "app.example", "user-agent": "flotilla-check" });
  await answeredBy(site.port, "app-a", "app-b");
  status = 404;
  await site.running.line(/app-a is down: check GET \/healthz: it answered 404, 3 times in a row/);
  await answeredBy(site.port, "app-b");
  status = 200;
  await site.running.line(/app-a is well again/);
  await answeredBy(site.port, "app-a", "app-b");
});

test("a server that is broken when the web server starts is left with its first check; one that hangs costs one connection", async (t) => {
  const a = await PlainServer.start(t, "plain-a");
  const b = await PlainServer.start(t, "plain-b");
  a.healthStatus = 503;
  b.answersChecks = false;
  const site = await checkedSite(t, `${serversOf(a, b)}    check: { http: /healthz, ${quick} }\n`);
  await site.running.line(/plain-a is down: check GET \/healthz: it answered 503"/);
  await site.running.line(/plain-b is down: check GET \/healthz: no answer within 0.5 s"/);
  await until("it was asked often", () => b.checks.length > 5);
  // A cut one, perhaps, that Node has not closed yet.
  assert.ok((await b.connections()) <= 2);
  await until("nobody is left", async () => (await answerers(site.port, 4)).join() === "503");
  b.answersChecks = true;
  await answeredBy(site.port, "plain-b");
  b.answersChecks = false;
  site.running.signal("SIGTERM");
  assert.deepEqual(await site.running.exit, { code: 0, signal: null });
  await until("no connection is left", async () => (await b.connections()) === 0);
});

test("reload: verdicts stand, new servers are checked, removed ones are not, and a server of a removed check is as new", async (t) => {
  const [a, b, c] = [
    await PlainServer.start(t, "plain-a"),
    await PlainServer.start(t, "plain-b"),
    await PlainServer.start(t, "plain-c"),
  ];
  const check = `    check: { http: /healthz, ${quick} }\n`;
  const site = await checkedSite(t, serversOf(a, b) + check);
  const text = readFileSync(site.config, "utf8");
  const reload = async (app: string): Promise<void> => {
    writeFileSync(site.config, text.replace(/ {2}app:\n[\s\S]*/, `  app:\n    slowStart: 0s\n${app}`));
    const { code, stderr } = await runFlotilla(t, ["reload", "-c", site.config], { cwd: site.folder });
    assert.deepEqual([code, stderr], [0, ""]);
  };
  await unwell(a, site);
  await answeredBy(site.port, "plain-b");

  c.healthStatus = 500;
  await reload(serversOf(a, b, c) + check);
  assert.ok(!(await answerers(site.port)).includes("plain-a"), "the verdict was forgotten");
  await site.running.line(/plain-c is down/);

  // Another page: the server is as well as that says.
  await reload(serversOf(a, b, c) + check.replace("/healthz", "/other"));
  await answeredBy(site.port, "plain-a", "plain-b", "plain-c");

  const from = site.running.output.length;
  await reload(serversOf(b, c) + check);
  await site.running.line(/plain-c is down/, from);
  const checks = a.checks.length;
  await until(
    "others are checked on",
    (
      (from) => () =>
        b.checks.length > from + 5
    )(b.checks.length),
  );
  assert.equal(a.checks.length, checks);

  await reload(serversOf(a, b, c));
  await answeredBy(site.port, "plain-a", "plain-b", "plain-c");
});
