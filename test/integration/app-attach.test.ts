/** Programs that know nothing of Flotilla and call listen(): which server is attached, what it sees, and what goes wrong. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ask, attachedProgram, bodyOf, repository } from "../harness/attached-program.ts";
import { clusterFolder } from "../harness/cluster-folder.ts";
import { freePorts } from "../harness/free-ports.ts";
import { startFlotilla, temporaryFolder } from "../harness/process.ts";

const imports = `const http = require("node:http"); const { PORT, OTHER } = process.env;`;
const hello = `(req, res) => res.end("hello " + req.url + " " + req.socket.remoteAddress)`;

async function isClosed(port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/`).then(
    () => false,
    () => true,
  );
}

for (const [name, text, expected] of [
  ["http, ES module", `http.createServer(${hello}).listen(PORT);`, "hello /x 192.0.2.9"],
  ["listen(port, host)", `http.createServer(${hello}).listen(+PORT, "127.0.0.1");`, "hello /x 192.0.2.9"],
  ["a hard-coded port", `http.createServer(${hello}).listen({ port: OTHER });`, "hello /x 192.0.2.9"],
  ["listen(0)", `http.createServer(${hello}).listen(0);`, "hello /x 192.0.2.9"],
  ["a path", `http.createServer(${hello}).listen("./a.sock");`, "hello /x 192.0.2.9"],
  ["https", `require("node:https").createServer({}, ${hello}).listen(PORT);`, "hello /x 192.0.2.9"],
  [
    "Express",
    `const app = require("express")(); app.get("/x", (q, r) => r.send(q.ip)); app.listen(PORT);`,
    "192.0.2.9",
  ],
  [
    "Fastify",
    `const app = require("fastify")(); app.get("/x", (q) => q.ip); await app.listen({ port: OTHER });`,
    "192.0.2.9",
  ],
  ["Koa", `new (require("koa").default)().use((c) => { c.body = c.ip; }).listen(PORT);`, "192.0.2.9"],
] as const) {
  test(`attached: ${name}`, async (t) => {
    const program = await attachedProgram(t, `${imports} ${text}`);
    assert.equal(bodyOf(await ask(await program.link(), "/x")), expected);
    assert.equal(await isClosed(program.other), true);
    program.process.signal("SIGTERM");
    assert.deepEqual(await program.process.exit, { code: 0, signal: null });
  });
}

test("the server that listens on PORT is attached, and one that listened before on another port listens there", async (t) => {
  const program = await attachedProgram(
    t,
    `${imports}
const metrics = http.createServer((req, res) => res.end("metrics"));
metrics.on("listening", () => console.log("metrics listening", metrics.address().port === +OTHER));
metrics.listen(OTHER, "127.0.0.1", () => console.log("metrics callback"));
const main = http.createServer(${hello});
main.on("connection", () => console.log("connection"));
setTimeout(() => {
  main.listen(PORT, () => console.log("callback", main.listening, main.address().port === +PORT));
  console.log("at once", main.listening, main.address().port === +PORT);
  try { main.listen(PORT); } catch (error) { console.log(error.code); }
}, 50);`,
    { ending: "cjs" },
  );
  const link = await program.link();
  assert.equal(bodyOf(await ask(link, "/x")), "hello /x 192.0.2.9");
  assert.equal(await (await fetch(`http://127.0.0.1:${program.other}/`)).text(), "metrics");
  const own = program.process.stdout.split("\n").filter((line) => line !== "");
  assert.deepEqual(own.toSorted(), [
    "ERR_SERVER_ALREADY_LISTEN",
    "at once true true",
    "callback true true",
    "connection",
    "metrics callback",
    "metrics listening true",
  ]);
});

test("alone, a server of a fixed port is attached: it listens at once, nobody listens there; close() closes", async (t) => {
  const program = await attachedProgram(
    t,
    `${imports}
const server = http.createServer((req, res) => { res.end("last"); server.close(() => console.log("closed", server.listening)); });
console.log("at once", server.listen(OTHER).listening, server.address().port === +OTHER);
server.on("listening", () => console.log("listening", process.env.NODE_OPTIONS));`,
  );
  const link = await program.link();
  assert.match(program.process.output, /at once true true\n.*listening --no-deprecation\n/s);
  assert.equal(await isClosed(program.other), true);
  assert.equal(bodyOf(await ask(link, "/")), "last");
  await program.process.line(/closed false/);
});

test("a program that imports flotilla/app serves itself: its other servers listen as they ask to", async (t) => {
  const program = await attachedProgram(
    t,
    `${imports}
const { serve } = await import(${JSON.stringify(join(repository, "src/app-tier/index.ts"))});
http.createServer((req, res) => res.end("metrics")).listen(OTHER, "127.0.0.1");
await serve((req, res) => res.end("served"));`,
  );
  assert.equal(bodyOf(await ask(await program.link(), "/")), "served");
  assert.equal(await (await fetch(`http://127.0.0.1:${program.other}/`)).text(), "metrics");
});

test("session() of flotilla/session keeps the cluster's sessions", async (t) => {
  const program = await attachedProgram(
    t,
    `${imports}
const { session } = await import(${JSON.stringify(join(repository, "src/session/index.ts"))});
const app = require("express")();
app.use(session());
app.get("/", (req, res) => { req.session.n = (req.session.n ?? 0) + 1; res.send(String(req.session.n)); });
app.listen(PORT);`,
  );
  const link = await program.link();
  const first = await ask(link, "/");
  const cookie = /set-cookie: (sid=a[^;]+)/i.exec(first)?.[1];
  assert.ok(cookie, first);
  assert.equal(bodyOf(await ask(link, "/", ["Cookie", cookie])), "2");
  program.process.signal("SIGTERM");
  assert.deepEqual(await program.process.exit, { code: 0, signal: null });
});

for (const [name, handler] of [
  [
    "closes its server and exits in the callback",
    "server.close(() => { console.log('closed'); process.exit(0); })",
  ],
  ["closes its server and leaves the rest to others", "server.close(() => console.log('closed'))"],
] as const) {
  test(`a program that ${name} on TERM loses no sessions`, async (t) => {
    const program = await attachedProgram(
      t,
      `${imports}
process.on("SIGTERM", () => ${handler});
setInterval(() => {}, 10_000);
const { session } = await import(${JSON.stringify(join(repository, "src/session/index.ts"))});
const app = require("express")();
app.use(session());
app.get("/", (req, res) => { req.session.n = (req.session.n ?? 0) + 1; res.send(String(req.session.n)); });
const server = app.listen(PORT);`,
    );
    const first = await ask(await program.link(), "/");
    const cookie = /set-cookie: (sid=a[^;]+)/i.exec(first)![1]!;
    program.process.signal("SIGTERM");
    assert.deepEqual(await program.process.exit, { code: 0, signal: null });
    assert.match(program.process.output, /^closed$/m);
    assert.equal(bodyOf(await ask(await program.again().link(), "/", ["Cookie", cookie])), "2");
  });
}

test("the copy of Flotilla that the program itself has is the one that attaches it: its sessions live there", async (t) => {
  const folder = temporaryFolder(t);
  const tier = join(folder, "flotilla", "dist", "app-tier");
  mkdirSync(tier, { recursive: true });
  const exports = { "./app": "./dist/app-tier/index.js" };
  writeFileSync(join(folder, "flotilla", "package.json"), JSON.stringify({ type: "module", exports }));
  writeFileSync(join(tier, "index.js"), "");
  writeFileSync(join(tier, "attach.js"), "export function listen() { console.log('by its own copy'); }");
  const { process } = await attachedProgram(t, `${imports} http.createServer().listen(PORT);`, {
    env: { NODE_PATH: folder },
  });
  await process.line(/^by its own copy/);
});

test("express-session works as it does alone", async (t) => {
  const program = await attachedProgram(
    t,
    `${imports}
const app = require("express")();
app.use(require("express-session")({ secret: "s", resave: false, saveUninitialized: false }));
app.get("/", (req, res) => { req.session.n = (req.session.n ?? 0) + 1; res.send(String(req.session.n)); });
app.listen(PORT);`,
  );
  const link = await program.link();
  const cookie = /set-cookie: (connect\.sid=[^;]+)/i.exec(await ask(link, "/"))![1]!;
  assert.equal(bodyOf(await ask(link, "/", ["Cookie", cookie])), "2");
  assert.doesNotMatch(program.process.output, /"level":[45]0/);
});

test("what the program itself starts is not the server: its processes and threads listen as they ask to", async (t) => {
  const helper = `require("node:http").createServer((q, r) => r.end(process.argv[2])).listen(0, "127.0.0.1", function () {
    console.log(process.argv[2] + " on " + this.address().port); });`;
  const program = await attachedProgram(
    t,
    `${imports}
const worker = new (require("node:worker_threads").Worker)("./helper.cjs", { argv: ["thread"] });
http.createServer(${hello}).listen(PORT, () => {
  const child = require("node:child_process").spawn(process.execPath, ["helper.cjs", "child"], { stdio: "inherit" });
  process.on("exit", () => child.kill());
});`,
    { files: { "helper.cjs": helper } },
  );
  assert.equal(bodyOf(await ask(await program.link(), "/x")), "hello /x 192.0.2.9");
  for (const name of ["thread", "child"]) {
    const port = /\d+$/.exec(await program.process.line(new RegExp(`^${name} on`)))![0];
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), name);
  }
});

test("of two programs of one run:, the first one is the server, and the other listens as it asks to", async (t) => {
  const [other] = (await freePorts(1)) as [number];
  const server = `require("node:http").createServer(${hello}).listen(process.env.PORT);`;
  const metrics = `require("node:http").createServer((q, r) => r.end("metrics")).listen(${other}, "127.0.0.1", () => console.log("metrics up"));`;
  const files = { "server.cjs": server, "metrics.cjs": metrics };
  const { folder } = await clusterFolder(t, { run: "node server.cjs & node metrics.cjs; wait", files });
  const running = startFlotilla(t, ["start", "app-a"], { cwd: folder });
  await running.line(/up at cluster port/);
  await running.line(/metrics up/);
  assert.equal(await (await fetch(`http://127.0.0.1:${other}/`)).text(), "metrics");
});

test("a shell script, npm and npx below run: one server; NODE_OPTIONS of the user reach it", async (t) => {
  const files = {
    "run.sh": `node -e 'console.log("built", typeof process.env.PORT)' && npm start --silent`,
    "package.json": JSON.stringify({ type: "module", scripts: { start: "npx --no -- express-site" } }),
    "server.js": `import http from "node:http"; http.createServer(${hello}).listen(process.env.PORT ?? 3000);
      console.log("memory", process.execArgv.length, process.env.NODE_OPTIONS);`,
  };
  const { folder, appPorts } = await clusterFolder(t, { run: "sh run.sh", files });
  execFileSync(
    "sh",
    [
      "-c",
      `mkdir -p node_modules/.bin && printf '#!/usr/bin/env node\\nimport("../../server.js")' > node_modules/.bin/express-site && chmod +x node_modules/.bin/express-site`,
    ],
    { cwd: folder },
  );
  const running = startFlotilla(t, ["start", "app-a"], {
    cwd: folder,
    env: { NODE_OPTIONS: "--no-deprecation" },
  });
  await running.line(/built string/);
  await running.line(/memory 0 --no-deprecation/);
  await running.line(new RegExp(`up at cluster port 127.0.0.1:${appPorts[0]}`));
});

for (const [name, text, message] of [
  [
    "workers of node:cluster",
    `const cluster = require("node:cluster");
if (cluster.isPrimary) { cluster.fork().on("exit", (code) => process.exit(code)); } else http.createServer().listen(PORT);`,
    /^this program starts workers by node:cluster.*`processes: N`.*`attach: false`/,
  ],
  [
    "a server on PORT that comes when another one has been attached",
    `http.createServer().listen(OTHER).on("listening", () => http.createServer().listen(PORT));`,
    /FlotillaError: a server wants PORT \(\d+\), but 1 s passed since the one for \d+ listened/,
  ],
  [
    "a further server whose port is in use",
    `const net = require("node:net").createServer().listen(OTHER, "127.0.0.1", () => {
  http.createServer().listen(PORT, () => http.createServer().listen(OTHER, "127.0.0.1"));
});`,
    /the program's further http server can't listen on \d+: the port is in use\. Each server/,
  ],
  [
    "http2 on PORT",
    `require("node:http2").createServer().listen({ port: PORT });`,
    /^the program listens on PORT with a server that is none of node:http/,
  ],
  [
    "an attached server that closes and listens again",
    `const server = http.createServer().listen(PORT, () => server.close(() => server.listen(PORT)));`,
    /FlotillaError: this server was attached to the cluster port and has closed, and listens again/,
  ],
  ["a throw before listen()", `throw new Error("no database");`, /Error: no database/],
  [
    "a file of the cluster that can't be read",
    `process.env.FLOTILLA_CONFIG = "taken.yaml"; http.createServer().listen(PORT);`,
    /^taken\.yaml:1:1: error: cannot read/,
  ],
] as const) {
  test(`what ends with words and code 1: ${name}`, async (t) => {
    const { process } = await attachedProgram(t, `${imports} ${text}`);
    await process.line(message);
    assert.equal((await process.exit).code, 1, process.output);
  });
}
