/** What a checked file is: values in the units of the code, letters, processes, defaults, and nothing that can be changed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { FlotillaError } from "../support/errors.ts";
import { http, session, upstream } from "../support/limits.ts";
import { checkClusterText, type LoadOptions, loadClusterFile, loadOrThrow } from "./load.ts";
import { isLocalAddress, thisMachine } from "./local.ts";
import type { ClusterFile } from "./model.ts";
import { formatProblem } from "./problems.ts";

const folder = mkdtempSync(join(tmpdir(), "flotilla-config-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "flotilla.yaml");
const secret = "s".repeat(32);
const options: LoadOptions = { env: { SECRET: secret }, machine: { owns: () => false, anyAddress: "::" } };

function loadText(text: string, more: LoadOptions = {}): ClusterFile {
  const { file, problems } = checkClusterText(text, path, { ...options, ...more });
  assert.ok(file, problems.map(formatProblem).join("\n"));
  return file;
}

function errorsOf(text: string, more: LoadOptions = {}): string[] {
  const { problems } = checkClusterText(text, path, { ...options, ...more });
  return problems.filter(({ severity }) => severity !== "note").map(({ message }) => message);
}

function app(servers: string, more = ""): string {
  return `secret: \${env:SECRET}\nclusters:\n  app:\n    servers:\n${servers}\n    listen: [{ http: 8080 }]\n${more}`;
}

function letters(...written: (string | null)[]): string {
  const servers = written.map((letter, i) => {
    const more = letter === null ? "" : `, letter: ${letter}`;
    return `      app-${i}: { address: 10.0.0.${i + 1}${more} }`;
  });
  return loadText(app(servers.join("\n")))
    .clusters.get("app")!
    .servers.map(({ letter }) => letter)
    .join("");
}

test("data: may be missing, and must not be a file nor stand below one", () => {
  const file = app("      app-a: { address: 10.0.0.1 }");
  writeFileSync(join(folder, "not-a-folder"), "");
  assert.deepEqual(errorsOf(`data: missing/too\n${file}`), []);
  for (const data of ["not-a-folder", "not-a-folder/below/it"]) {
    const { file: none, problems } = checkClusterText(`data: ${data}\n${file}`, path, options);
    assert.equal(none, null);
    assert.match(
      formatProblem(problems[0]!),
      /:1:7: error: data: ".*\/not-a-folder" is a file; what servers keep/,
    );
  }
});

describe("the checked file", () => {
  test("defaults are those of the limits, in milliseconds and bytes", () => {
    const cluster = loadText(app("      app-a: { address: 10.0.0.1 }")).clusters.get("app")!;
    assert.equal(cluster.timeouts.requestTimeoutMs, upstream.requestTimeoutMs);
    assert.equal(cluster.timeouts.headTimeoutMs, http.headTimeoutMs);
    assert.equal(cluster.limits.headBytesMax, http.headBytesMax);
    assert.equal(cluster.limits.bodyBytesMax, Number.POSITIVE_INFINITY);
    assert.equal(cluster.sessions, null);
    assert.equal(cluster.accessLog.path, join(folder, ".flotilla/log/{server}.access.log"));
    assert.equal(cluster.servers[0]!.port, 6800);
  });

  test("written values win, in their units", () => {
    const text = [
      app(
        "      app-a: { address: APP.Internal }",
        "    sessions: { cookie: { name: shop }, idleTimeout: 1h, memory: 1GB }\n    timeouts: { appKeepAlive: 20s, drain: 1m }",
      ),
      "  web:",
      "    servers: { web-a: { address: 10.0.0.9 } }",
      "    listen: [{ http: 80 }]",
      "    routes: [{ to: app }]",
      "    limits: { head: 32KiB, body: 1.5MB }",
      "    timeouts: { request: 2m, connect: 250ms }",
      '    log: { access: "-", format: json }',
    ];
    const { clusters } = loadText(text.join("\n"));
    const web = clusters.get("web")!;
    assert.equal(web.limits.headBytesMax, 32_768);
    assert.equal(web.limits.bodyBytesMax, 1_500_000);
    assert.equal(web.timeouts.requestTimeoutMs, 120_000);
    assert.equal(web.timeouts.connectTimeoutMs, 250);
    assert.deepEqual(web.accessLog, { path: "-", format: "json" });
    const shop = clusters.get("app")!;
    assert.deepEqual(shop.sessions, {
      store: { kind: "cluster" },
      durability: "backup",
      save: "on-change",
      cookieName: "shop",
      idleTimeoutMs: 3_600_000,
      absoluteTimeoutMs: Number.POSITIVE_INFINITY,
      load: "cached",
      memoryBytesMax: 1_000_000_000,
      diskBytesMax: session.diskBytesMax,
    });
    assert.deepEqual([shop.timeouts.appKeepAliveTimeoutMs, shop.timeouts.drainTimeoutMs], [20_000, 60_000]);
    assert.equal(shop.servers[0]!.address, "app.internal");
  });

  test("R31: sessions: at the top is for all clusters that keep sessions; a cluster's own keys come first, one by one", () => {
    const { clusters } = loadText(
      [
        `secret: ${secret}`,
        "sessions: { save: always, idleTimeout: 1h, absoluteTimeout: 12h, cookie: { name: all } }",
        "clusters:",
        "  one: { servers: { one-a: { address: 10.0.0.1 } } }",
        "  two:",
        "    servers: { two-a: { address: 10.0.0.2 } }",
        "    sessions: { save: on-change, absoluteTimeout: unlimited }",
        "  theirs: { servers: { theirs-a: { address: 10.0.0.3 } }, affinity: cookie }",
        "  proxied: { servers: { proxied-a: { address: 10.0.0.4 } }, run: ./x, attach: false }",
        '  plain: { servers: { plain-a: { http: "http://10.0.0.5" } } }',
        "  web: { servers: { web-a: { address: 10.0.0.6 } }, listen: [{ http: 80 }], routes: [{ to: one }] }",
      ].join("\n"),
    );
    const told = [...clusters.values()].map(({ name, sessions }) => [
      name,
      ...(sessions === null
        ? ["none"]
        : [sessions.save, sessions.idleTimeoutMs, sessions.absoluteTimeoutMs, sessions.cookieName]),
    ]);
    assert.deepEqual(told, [
      ["one", "always", 3_600_000, 43_200_000, "all"],
      ["two", "on-change", 3_600_000, Number.POSITIVE_INFINITY, "all"],
      ["theirs", "none"],
      ["proxied", "none"],
      ["plain", "none"],
      ["web", "none"],
    ]);
  });

  test("R20: letters go by place; explicit ones first; an entry whose letter is taken gets the first free one", () => {
    assert.equal(letters(null, null, null), "abc");
    assert.equal(letters(null, "Z", null), "aZc");
    assert.equal(letters("b", null, null), "bac");
    assert.equal(letters(null, "a"), "ba");
    assert.equal(letters(...Array.from({ length: 62 }, () => null)).length, 62);
  });

  test("processes are servers of their own, on consecutive ports, with one letter", () => {
    const file = loadText(
      `secret: ${secret}\nclusters: { app: { servers: { app-a: { address: 10.0.0.1, processes: 3 }, app-b: { address: 10.0.0.2 } } } }`,
    );
    const told = [...file.servers.values()].map((s) => [s.name, s.entry, s.port, s.letter, s.processIndex]);
    assert.deepEqual(told, [
      ["app-a.1", "app-a", 6800, "a", 1],
      ["app-a.2", "app-a", 6801, "a", 2],
      ["app-a.3", "app-a", 6802, "a", 3],
      ["app-b", "app-b", 6800, "b", 0],
    ]);
    assert.equal(file.clusters.get("app")!.servers[0], file.servers.get("app-a.1"));
  });

  test("plain HTTP servers have the address, port and authority of their URL", () => {
    const file = loadText(
      app('      php-a: { http: "http://[FD00::1]:81/" }\n      php-b: { http: "http://php.internal" }'),
    );
    const told = file.clusters.get("app")!.servers.map((s) => [s.kind, s.address, s.port, s.authority]);
    assert.deepEqual(told, [
      ["http", "fd00::1", 81, "[fd00::1]:81"],
      ["http", "php.internal", 80, "php.internal"],
    ]);
  });

  test("nothing in it can be changed", () => {
    const file = loadText(app("      app-a: { address: 10.0.0.1 }")) as unknown as {
      folder: string;
      clusters: Map<string, { servers: unknown[]; timeouts: { headTimeoutMs: number } }>;
    };
    assert.throws(() => file.clusters.set("x", file.clusters.get("app")!), TypeError);
    assert.throws(() => file.clusters.clear(), TypeError);
    assert.throws(() => file.clusters.get("app")!.servers.push({}), TypeError);
    assert.throws(() => {
      file.clusters.get("app")!.timeouts.headTimeoutMs = 1;
    }, TypeError);
    assert.throws(() => {
      file.folder = "/";
    }, TypeError);
  });

  test("all servers of equal shape: property order is the same for each kind", () => {
    const { servers } = loadText(
      app('      a: { address: 10.0.0.1, processes: 1 }\n      b: { http: "http://10.0.0.2:80" }'),
    );
    const [first, second] = [...servers.values()].map((server) => Object.keys(server).join());
    assert.equal(first, second);
  });
});

describe("files that cannot be read", () => {
  test("no file, a folder, not text, too large: one clear line at 1:1", () => {
    const trouble = (name: string): string => formatProblem(loadClusterFile(join(folder, name)).problems[0]!);
    writeFileSync(join(folder, "binary.yaml"), Buffer.from([0x61, 0, 0x62]));
    writeFileSync(join(folder, "latin1.yaml"), Buffer.from([0x61, 0xe9, 0x62]));
    writeFileSync(join(folder, "large.yaml"), Buffer.alloc(1_048_577, 0x61));
    assert.match(trouble("none.yaml"), /none\.yaml:1:1: error: cannot read the file: there is no such file$/);
    assert.match(trouble("."), /it is not a file$/);
    assert.match(trouble("binary.yaml"), /it is not a text file$/);
    execFileSync("mkfifo", [join(folder, "pipe.yaml")]);
    assert.match(trouble("pipe.yaml"), /it is not a file$/);
    assert.match(formatProblem(loadClusterFile("/dev/zero").problems[0]!), /it is not a file$/);
    assert.match(trouble("latin1.yaml"), /it is not UTF-8 text$/);
    assert.match(trouble("large.yaml"), /it is larger than 1MiB$/);
    assert.match(trouble("none.yaml/x"), /there is no such file$|a part of its path is not a folder$/);
  });

  test("no permission", () => {
    writeFileSync(join(folder, "locked.yaml"), "");
    chmodSync(join(folder, "locked.yaml"), 0);
    // Root may read everything: for this one question it is nobody.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    const { problems } = loadClusterFile(join(folder, "locked.yaml"));
    if (isRoot) process.seteuid?.(0);
    assert.match(problems[0]!.message, /no permission to read it$/);
  });

  test("loadOrThrow holds every problem in one message", () => {
    writeFileSync(join(folder, "wrong.yaml"), "secret: short\nclusterz: {}\n");
    assert.throws(
      () => loadOrThrow(join(folder, "wrong.yaml")),
      (thrown: unknown) =>
        thrown instanceof FlotillaError &&
        thrown.code === "FLOTILLA_CONFIG_INVALID" &&
        /wrong\.yaml:1:9: error: .*\n.*wrong\.yaml:2:1: error: /.test(thrown.message),
    );
  });
});

describe("substitution", () => {
  const secretText = (text: string, more: LoadOptions = {}): string =>
    loadText(
      `secret: ${text}\nclusters: { app: { servers: { a: { address: 10.0.0.1 } } } }`,
      more,
    ).secret.toString();

  test("a file loses one newline at its end, no more", () => {
    writeFileSync(join(folder, "key"), `  ${secret}\n\n`);
    assert.equal(secretText(`\${file:key}`), `  ${secret}\n`);
    assert.equal(secretText(`x\${file:key}y\${env:SECRET}`), `x  ${secret}\ny${secret}`);
  });

  test("what a file or variable holds is not substituted again", () => {
    const nested = `\${env:SECRET}${"x".repeat(32)}`;
    assert.equal(secretText(`\${env:NESTED}`, { env: { NESTED: nested } }), nested);
  });

  test("A40: names of Object.prototype are no variables", () => {
    assert.deepEqual(
      errorsOf(`secret: \${env:__proto__}\nclusters: {a: {servers: {b: {address: 10.0.0.1}}}}`)[0],
      'the environment variable "__proto__" is not set',
    );
  });

  test("a command line keeps the shell's own variables", () => {
    const file = loadText(
      app("      a: { address: 10.0.0.1 }", `    run: 'N=\${env:N} node \${HOME:-x}.js'`),
      {
        env: { SECRET: secret, N: "5" },
      },
    );
    assert.equal(file.clusters.get("app")!.run, `N=5 node \${HOME:-x}.js`);
  });

  test("numbers and durations may come from outside", () => {
    const text = app(
      `      a: { address: "\${env:A}", port: "\${env:P}" }`,
      `    timeouts: { drain: "\${env:T}s" }`,
    );
    const env = { SECRET: secret, A: "10.9.8.7", P: "7000", T: "3" };
    const file = loadText(text, { env });
    assert.equal(file.servers.get("a")!.authority, "10.9.8.7:7000");
    assert.equal(file.clusters.get("app")!.timeouts.drainTimeoutMs, 3_000);
    const told = errorsOf(text, { env: { ...env, P: "a-password" } }).join();
    assert.match(told, /port: found "\$\{env:P\}"/);
    assert.doesNotMatch(told, /a-password/);
  });
});

describe("this machine", () => {
  test("an address is local when it can be bound", async () => {
    assert.equal(await isLocalAddress("127.0.0.1"), true);
    assert.equal(await isLocalAddress("127.0.0.3"), true);
    assert.equal(await isLocalAddress("localhost"), true);
    // TEST-NET-3 of RFC 5737 belongs to nobody.
    assert.equal(await isLocalAddress("203.0.113.77"), false);
    assert.equal(thisMachine().owns("127.0.0.2"), true);
    assert.equal(thisMachine().owns("203.0.113.77"), false);
  });

  test("certificates are asked for where their web server runs, or where no server of the file does", () => {
    const text = [
      `secret: ${secret}`,
      "clusters:",
      "  web:",
      "    servers: { web-a: { address: 10.0.0.1 } }",
      "    listen: [{ https: 443, tls: { cert: none.pem, key: none.key } }]",
      "    routes: [{ to: app }]",
      "  app: { servers: { app-a: { address: 10.0.0.2 } } }",
    ].join("\n");
    const on = (own: string): number =>
      errorsOf(text, { machine: { owns: (address) => address === own, anyAddress: "::" } }).length;
    assert.equal(on("10.0.0.1"), 2);
    assert.equal(on("10.0.0.2"), 0);
    assert.equal(on("10.0.0.3"), 2);
  });
});
