/** Bad starts, each with the words that a person needs, and none with a stack trace. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { supervise as limits } from "../../src/support/limits.ts";
import { appServer, type ClusterFolder, clusterFolder, testSecret } from "../harness/cluster-folder.ts";
import { processesIn, runFlotilla, startFlotilla } from "../harness/process.ts";

/** Starts in vain. @returns what was said. */
async function refused(t: TestContext, cluster: ClusterFolder, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await runFlotilla(t, ["start", ...words], { cwd: cluster.folder });
  assert.equal(code, 1, stderr);
  assert.equal(stdout, "");
  assert.doesNotMatch(stderr, /\n {4}at /);
  return stderr;
}

async function occupy(t: TestContext, port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  t.after(() => server.close());
}

test("the file is missing, or wrong: every problem with its place", async (t) => {
  const cluster = await clusterFolder(t);
  assert.match(
    await refused(t, cluster, "app-a", "-c", "none.yaml"),
    /^none\.yaml:1:1: error: cannot read the file: there is no such file\n$/,
  );
  writeFileSync(join(cluster.folder, "wrong.yaml"), "secret: short\nclusters: {}\n");
  assert.match(await refused(t, cluster, "--all", "-c", "wrong.yaml"), /^wrong\.yaml:1:9: error: /);
});

test("an unknown server: the nearest name and all names", async (t) => {
  const cluster = await clusterFolder(t, { apps: 2, web: true });
  assert.equal(
    await refused(t, cluster, "app-x"),
    'flotilla: there is no server "app-x" in flotilla.yaml (did you mean "app-a"?); its servers: web-a, app-a, app-b ' +
      "[FLOTILLA_SERVER_UNKNOWN]\n",
  );
});

test("a server of another machine", async (t) => {
  const cluster = await clusterFolder(t);
  const text = `secret: ${testSecret}
clusters:
  app:
    servers:
      far-a: { address: 192.0.2.10, port: 6800 }
      far-b: { address: 192.0.2.11, port: 6800 }
    run: "true"
`;
  writeFileSync(join(cluster.folder, "flotilla.yaml"), text);
  assert.match(
    await refused(t, cluster, "far-a"),
    /^flotilla: far-a \(192\.0\.2\.10\): the address is not of this machine/m,
  );
  assert.match(
    await refused(t, cluster, "--all"),
    /no server of flotilla\.yaml is of this machine: far-a \(192\.0\.2\.10\) and far-b/,
  );
});

test("no run: how to start the program by hand", async (t) => {
  const cluster = await clusterFolder(t, { run: null });
  const words = await refused(t, cluster, "app-a");
  assert.match(words, /start your program yourself with FLOTILLA_SERVER=app-a FLOTILLA_CONFIG=\//);
  assert.ok(words.includes(cluster.config));
});

test("a used port: for browsers, and the cluster port", async (t) => {
  const cluster = await clusterFolder(t, { web: true });
  const inUse = (port: number) =>
    new RegExp(`127\\.0\\.0\\.1:${port} is in use.* \\[FLOTILLA_PORT_IN_USE\\]\n$`);
  await occupy(t, cluster.httpPort);
  assert.match(await refused(t, cluster, "web-a"), inUse(cluster.httpPort));
  await occupy(t, cluster.webPort);
  assert.match(await refused(t, cluster, "web-a"), inUse(cluster.webPort));
});

test("it runs already: where, and how to end it", async (t) => {
  const cluster = await clusterFolder(t);
  const running = startFlotilla(t, ["start", "--all"], { cwd: cluster.folder });
  await running.line(/app-a is up/);
  const words = await refused(t, cluster, "--all");
  assert.match(
    words,
    /app-a of flotilla\.yaml runs already, .*process \d+; .*flotilla stop \[FLOTILLA_ALREADY_RUNNING\]/,
  );
});

test("two starts at the same moment: one runs, the other is told", async (t) => {
  const cluster = await clusterFolder(t, { apps: 2 });
  const both = [1, 2].map(() => startFlotilla(t, ["start", "--all"], { cwd: cluster.folder }));
  const loser = await Promise.race(both.map((running) => running.exit.then(() => running)));
  const winner = both.find((running) => running !== loser)!;
  assert.equal((await loser.exit).code, 1);
  assert.match(loser.stderr, /app-a and app-b .* run already, .*\[FLOTILLA_ALREADY_RUNNING\]/);
  await winner.line(/app-a is up/);
  await winner.line(/app-b is up/);
});

test("a data folder that can't be one", async (t) => {
  const cluster = await clusterFolder(t);
  writeFileSync(join(cluster.folder, ".flotilla"), "");
  assert.match(await refused(t, cluster, "--all"), /: error: data: ".*\.flotilla" is a file/);
});

test("run: the folder of the file, the environment, the same Node", async (t) => {
  const script =
    'echo "$FLOTILLA_SERVER $FLOTILLA_CONFIG $PWD [$FLOTILLA_RUN]"; node -p "[process.execPath]"; sleep 60';
  const cluster = await clusterFolder(t, { run: script });
  const running = startFlotilla(t, ["start", "app-a", "-c", cluster.config], { cwd: "/" });
  const line = JSON.parse(await running.line(/"app-a .*flotilla\.yaml/));
  assert.equal(line.server, "app-a");
  assert.equal(line.msg, `app-a ${cluster.config} ${cluster.folder} []`);
  await running.line(new RegExp(`'${process.execPath}'`));
});

test("processes: N starts N members; PORT for plain HTTP servers", async (t) => {
  const cluster = await clusterFolder(t, { apps: 1, run: "echo $FLOTILLA_SERVER here; sleep 60" });
  const port = cluster.appPorts[0]!;
  const text = `secret: ${testSecret}
clusters:
  app:
    servers: { app-a: { address: 127.0.0.1, port: ${port}, processes: 2 } }
    run: echo $FLOTILLA_SERVER here; sleep 60
`;
  writeFileSync(cluster.config, text);
  const running = startFlotilla(t, ["start", "app-a"], { cwd: cluster.folder });
  await running.line(/app-a\.1 here/);
  await running.line(/app-a\.2 here/);
});

test("one INT drains, two cut what is open, three end at once", async (t) => {
  const cluster = await clusterFolder(t, { run: `DRAIN_MS=100000 exec ${appServer}` });
  const once = startFlotilla(t, ["start", "app-a"], { cwd: cluster.folder });
  await once.line(/app-a is up/);
  once.signal("SIGINT");
  await once.line(/SIGINT: stopping app-a/);
  // Its drain takes longer than `timeouts: { drain: 1s }` allows.
  assert.deepEqual(await once.exit, { code: 0, signal: null });
  assert.match(once.output, /app-a did not end within 2 s and is killed/);
  assert.deepEqual(
    processesIn(cluster.folder).filter((pid) => pid !== once.pid),
    [],
  );

  const thrice = startFlotilla(t, ["start", "app-a"], { cwd: cluster.folder });
  await thrice.line(/app-a is up/);
  thrice.signal("SIGINT");
  await thrice.line(/SIGINT: stopping app-a/);
  // Sooner it would be an echo of the first.
  await sleep(limits.signalEchoMs);
  thrice.signal("SIGINT");
  await thrice.line(/SIGINT again: cutting requests/);
  await sleep(limits.signalEchoMs);
  const thirdAt = performance.now();
  thrice.signal("SIGINT");
  assert.deepEqual(await thrice.exit, { code: 130, signal: null });
  assert.ok(performance.now() - thirdAt < 900);
});
