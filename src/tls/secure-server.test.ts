/** Which certificate a browser gets, and that changed files reach new connections alone. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, renameSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { pino } from "pino";
import { temporaryFolder } from "../../test/harness/process.ts";
import { certificateFiles, namesFor, secureClient, tlsFile, tlsFolder } from "../../test/harness/tls.ts";
import type { CertificateFiles, ClientCertificateSettings } from "../config/model.ts";
import { FlotillaError } from "../support/errors.ts";
import { SecureServer } from "./secure-server.ts";

interface Listening {
  readonly port: number;
  readonly server: SecureServer;
  /** Lines for the operator so far. */
  readonly told: string[];
}

/** Sends back what it gets. */
async function listening(
  t: TestContext,
  certificates: readonly CertificateFiles[],
  clientCertificates: ClientCertificateSettings | null = null,
): Promise<Listening> {
  const told: string[] = [];
  const options = {
    secret: Buffer.alloc(32, 7),
    previousSecret: null,
    clusterName: "web",
    protocols: ["http/1.1"],
    handshakeTimeoutMs: 10_000,
    log: pino({ base: null }, { write: (line: string) => void told.push(JSON.parse(line).msg) }),
  };
  const server = new SecureServer({ certificates, clientCertificates }, options, (socket) =>
    socket.pipe(socket),
  );
  const port = createServer((socket) => server.accept(socket)).listen(0, "127.0.0.1");
  t.after(() => {
    server.close();
    port.close();
  });
  await once(port, "listening");
  return { port: (port.address() as AddressInfo).port, server, told };
}

const a = "DNS:a.example, DNS:*.a.example";
const b = "DNS:B.example, DNS:shared.example, IP Address:127.0.0.1";

test("the certificate that names the host, exactly or by its star; the first one for all others", async (t) => {
  const { port } = await listening(t, [certificateFiles("a"), certificateFiles("b")]);
  const expected = {
    "a.example": a,
    "A.EXAMPLE": a,
    "www.a.example": a,
    "b.example": b,
    "shared.example": b,
    // Of no certificate: a star is one label, and the common name does not count beside other names.
    "two.labels.a.example": a,
    "ignored.example": a,
    "www.b.example": a,
    "": a,
  };
  for (const [name, names] of Object.entries(expected))
    assert.equal(await namesFor(t, port, name), names, name);
});

test("the chain is sent: who knows the root alone trusts the site", async (t) => {
  const { port } = await listening(t, [certificateFiles("b"), certificateFiles("a")]);
  const client = await secureClient(t, port, {
    servername: "www.a.example",
    ca: [tlsFile("ca.pem")],
    rejectUnauthorized: true,
  });
  assert.equal(client.authorized, true);
});

test("changed files: new connections get them, running ones stay", async (t) => {
  const folder = temporaryFolder(t);
  for (const file of ["a.pem", "a.key", "b.pem", "b.key"])
    copyFileSync(join(tlsFolder, file), join(folder, file));
  const files = [certificateFiles("a", folder), certificateFiles("b", folder)];
  const { port, server, told } = await listening(t, files);
  const running = await secureClient(t, port, { servername: "b.example" });
  const replace = (name: string, by: string): void => {
    for (const end of ["pem", "key"]) {
      copyFileSync(join(tlsFolder, `${by}.${end}`), join(folder, "new"));
      renameSync(join(folder, "new"), join(folder, `${name}.${end}`));
    }
  };
  const look = async (): Promise<string[]> => {
    told.length = 0;
    for (let times = 0; times < 3; times++) await server.look();
    return told;
  };

  replace("b", "b-renewed");
  assert.deepEqual(await look(), ["new connections get the changed certificate in b.pem"]);
  assert.equal(await namesFor(t, port, "new.example"), "DNS:b.example, DNS:new.example");
  assert.equal(await namesFor(t, port, "shared.example"), a);
  running.write("still here");
  assert.equal(String((await once(running, "data"))[0]), "still here");

  // The default one too.
  replace("a", "b");
  await look();
  assert.equal(await namesFor(t, port, ""), b);

  writeFileSync(join(folder, "b.key"), tlsFile("a.key"));
  const kept = "what was read before stays in use until that is mended";
  const reason = "the key in b.key is not that of the certificate";
  assert.deepEqual(await look(), [`the changed certificate can't be used: ${reason}; ${kept}`]);
  assert.deepEqual(await look(), []);
  assert.equal(await namesFor(t, port, "new.example"), "DNS:b.example, DNS:new.example");
  replace("b", "b-renewed");
  assert.deepEqual(await look(), [
    "new connections get the changed certificate in b.pem, which is whole again",
  ]);
});

test("other authorities of clients: they hold for new connections, tickets of before are void, running connections stay", async (t) => {
  const folder = temporaryFolder(t);
  const caPath = join(folder, "client-ca.pem");
  copyFileSync(join(tlsFolder, "client-ca.pem"), caPath);
  const clients = { mode: "required", caPath, caShown: "client-ca.pem" } as const;
  const { port, server, told } = await listening(t, [certificateFiles("a")], clients);
  const maxVersion = "TLSv1.2";
  const shown = (name: string) =>
    ({ cert: tlsFile(`${name}.pem`), key: tlsFile(`${name}.key`), maxVersion }) as const;
  const running = await secureClient(t, port, shown("alice"));
  const session = running.getSession()!;
  assert.equal((await secureClient(t, port, { maxVersion, session })).isSessionReused(), true);

  writeFileSync(caPath, tlsFile("stranger.pem"));
  for (let times = 0; times < 3; times++) await server.look();
  assert.deepEqual(told, [
    "clients of new connections are checked by the changed authorities in client-ca.pem",
  ]);
  const isEchoed = async (connecting: Promise<TLSSocket>): Promise<boolean> => {
    const client = await connecting.catch(() => null);
    if (client === null) return false;
    client.write("anybody?");
    return await new Promise((resolve) => {
      client.once("data", () => resolve(true));
      client.once("close", () => resolve(false));
    });
  };
  assert.equal(await isEchoed(secureClient(t, port, { maxVersion, session })), false);
  assert.equal(await isEchoed(secureClient(t, port, shown("alice"))), false);
  assert.equal(await isEchoed(secureClient(t, port, shown("stranger"))), true);
  assert.equal(await isEchoed(Promise.resolve(running)), true);
});

test("A45 a file that has gone since the check", async () => {
  const none = certificateFiles("none");
  const options = { secret: Buffer.alloc(32), previousSecret: null, clusterName: "web", protocols: [] };
  assert.throws(
    () =>
      new SecureServer(
        { certificates: [none], clientCertificates: null },
        { ...options, handshakeTimeoutMs: 1_000, log: pino({ enabled: false }) },
        () => {},
      ),
    (thrown) =>
      thrown instanceof FlotillaError &&
      thrown.code === "FLOTILLA_CERTIFICATE" &&
      thrown.message === "cannot read none.pem: there is no such file",
  );
});

test("TLS 1.2 and 1.3 with forward secrecy, in the client's order; nothing older", async (t) => {
  const { port } = await listening(t, [certificateFiles("a")]);
  const ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256";
  const old = await secureClient(t, port, { maxVersion: "TLSv1.2", ciphers });
  assert.deepEqual([old.getProtocol(), old.getCipher().name], ["TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"]);
  assert.equal((await secureClient(t, port)).getProtocol(), "TLSv1.3");
  for (const options of [
    { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" },
    { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA:AES128-SHA:AES128-GCM-SHA256:@SECLEVEL=0" },
  ] as const)
    await assert.rejects(secureClient(t, port, options), /alert|handshake failure/);
});
