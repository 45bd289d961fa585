/** A database that the file names, or the application, over TLS: which certificate is believed, on real connections. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { checkClusterText } from "../../src/config/load.ts";
import type { DatabaseStoreSettings } from "../../src/config/model.ts";
import { formatProblem } from "../../src/config/problems.ts";
import { type PostgresStoreOptions, postgresStore } from "../../src/session/stores/postgres/index.ts";
import { StoreOfFile } from "../../src/session/stores/store-of-file.ts";
import { failed, keyOf, newborn, opened, rowOf, write } from "../harness/engine-rows.ts";
import { Mariadb, whyNoMariadb } from "../harness/mariadb.ts";
import { owned } from "../harness/other-user.ts";
import { Postgres, whyNoPostgres } from "../harness/postgres.ts";
import { temporaryFolder } from "../harness/process.ts";
import { Redis, whyNoRedis } from "../harness/redis.ts";
import { copyCertificate, tlsFile, tlsFolder } from "../harness/tls.ts";

/** Of 127.0.0.1 and shared.example, and its own authority. */
const certificate = "b";

async function startPostgres(t: TestContext): Promise<string> {
  const server = await Postgres.startFor(t);
  await server.encrypt(certificate);
  return server.url();
}

async function startMariadb(t: TestContext): Promise<string> {
  const { certPath, keyPath } = copyCertificate(certificate, owned(temporaryFolder(t), "mysql"), "mysql");
  const server = await Mariadb.startFor(t, { settings: [`--ssl-cert=${certPath}`, `--ssl-key=${keyPath}`] });
  return server.url();
}

async function startRedis(t: TestContext): Promise<string> {
  const { certPath, keyPath } = copyCertificate(certificate, temporaryFolder(t), "redis");
  const { port } = await Redis.startFor(t, {
    ...{ "tls-auth-clients": "no", "tls-cert-file": certPath, "tls-key-file": keyPath },
  });
  return `rediss://127.0.0.1:${port}`;
}

const kinds = [
  { key: "postgres", name: "PostgreSQL", skip: whyNoPostgres() ?? false, start: startPostgres },
  { key: "mysql", name: "MariaDB", skip: whyNoMariadb() ?? false, start: startMariadb },
  { key: "redis", name: "Redis", skip: whyNoRedis() ?? false, start: startRedis },
] as const;

/** @param tls of the file: "{ ca: ... }". */
function storeOfFile(key: string, url: string, tls: string): StoreOfFile {
  const text = `secret: 0123456789abcdef0123456789abcdef
clusters:
  app:
    servers: { app-a: { address: 127.0.0.1, port: 6800 } }
    sessions: { store: { ${key}: "${url}"${tls} } }
`;
  const { file, problems } = checkClusterText(text, "flotilla.yaml");
  assert.ok(file !== null, problems.map((problem) => formatProblem(problem)).join("\n"));
  return new StoreOfFile(file.clusters.get("app")!.sessions!.store as DatabaseStoreSettings);
}

const trusting = (ca: string, more: string = ""): string => `, tls: { ca: ${join(tlsFolder, ca)}${more} }`;

for (const { key, name, skip, start } of kinds)
  test(`${name} of the file: with the authority that it names, and for the name that it says, and no other`, {
    skip,
  }, async (t) => {
    const url = await start(t);
    for (const [n, tls] of [trusting("b.pem"), trusting("b.pem", ", serverName: shared.example")].entries()) {
      const engine = await opened(t, storeOfFile(key, url, tls));
      assert.equal(await engine.insert(keyOf(n), write({ n }), newborn), true);
      assert.equal((await rowOf(engine, keyOf(n))).data, JSON.stringify({ n }));
    }
    for (const tls of [
      trusting("ca.pem"),
      trusting("b.pem", ", serverName: other.example"),
      ", tls: { serverName: shared.example }",
    ]) {
      const error = await failed(opened(t, storeOfFile(key, url, tls)));
      assert.deepEqual(
        [error.outcome, /certificate|altnames/.test(error.message)],
        ["nothing", true],
        error.message,
      );
    }
  });

test("postgresStore({ tls }): what it names is checked; an address that asks for less is taken at its word", {
  skip: whyNoPostgres() ?? false,
}, async (t) => {
  const url = await startPostgres(t);
  const tls = { ca: tlsFile("b.pem") };
  const works: PostgresStoreOptions[] = [
    { url, tls },
    { url, tls: () => Promise.resolve({ ...tls, servername: "shared.example" }) },
    { url: `${url}?sslmode=verify-ca`, tls: { ...tls, servername: "other.example" } },
    { url: `${url}?sslmode=require` },
  ];
  for (const [n, options] of works.entries()) {
    const engine = await opened(t, postgresStore(options));
    assert.equal(await engine.insert(keyOf(n), write({ n }), newborn), true);
  }
  const wrong: PostgresStoreOptions[] = [
    { url, tls: {} },
    { url, tls: { ca: tlsFile("ca.pem") } },
    { url: `${url}?sslmode=require`, tls: { ca: tlsFile("ca.pem") } },
    { url, tls: { ...tls, servername: "other.example" } },
    { url: `${url}?sslmode=verify-full` },
  ];
  for (const options of wrong) {
    const error = await failed(opened(t, postgresStore(options)));
    assert.equal(error.outcome, "nothing");
    assert.match(error.message, /can't be trusted/);
  }
});
