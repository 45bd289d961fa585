/** R54: a TLS session resumes on whichever web server a browser meets; what travels inside is no concern of it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { testSecret } from "../harness/cluster-folder.ts";
import { freePorts } from "../harness/free-ports.ts";
import { startFlotilla, temporaryFolder } from "../harness/process.ts";
import { certificateFiles, secureClient } from "../harness/tls.ts";

const versions = ["TLSv1.2", "TLSv1.3"] as const;

/** A web server with two certificates, in a process of its own. @returns its port. */
async function webServer(t: TestContext, secrets: string): Promise<number> {
  const [link, https, app] = await freePorts(3);
  const tls = ["a", "b"].map((name) => {
    const { certPath, keyPath } = certificateFiles(name);
    return `{ cert: ${certPath}, key: ${keyPath} }`;
  });
  const folder = temporaryFolder(t, {
    "flotilla.yaml": `${secrets}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: ${link} } }
    listen: [{ https: 127.0.0.1:${https}, tls: [${tls.join(", ")}] }]
    routes: [{ to: app }]
    log: { access: off }
  app:
    servers: { app-a: { http: "http://127.0.0.1:${app}" } }
`,
  });
  const server = startFlotilla(t, ["start", "web-a"], { cwd: folder });
  await server.line(/https:\/\//);
  return https!;
}

/** One request. @returns whether the session was resumed, and what resumes the next one. */
async function visit(
  t: TestContext,
  port: number,
  maxVersion: (typeof versions)[number],
  session?: Buffer,
): Promise<{ resumed: boolean; session: Buffer }> {
  const options = { maxVersion, servername: "b.example", ...(session === undefined ? {} : { session }) };
  const client = await secureClient(t, port, options);
  const resumed = client.isSessionReused();
  // TLS 1.2 has brought its ticket by now, TLS 1.3 brings it behind the handshake.
  let kept = client.getSession()!;
  client.on("session", (session) => {
    kept = session;
  });
  client.write("GET / HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n");
  const [bytes] = (await once(client, "data")) as [Buffer];
  assert.match(String(bytes), /^HTTP\/1\.1 50\d /);
  client.destroy();
  // Browsers use a ticket of TLS 1.3 once: whoever resumed with the last one needs another.
  assert.notDeepEqual(kept, session);
  return { resumed, session: kept };
}

test("R54 sessions resume in another process of the same secret, in none of another one", async (t) => {
  const [first, second, changed, strange] = await Promise.all([
    webServer(t, `secret: ${testSecret}`),
    webServer(t, `secret: ${testSecret}`),
    webServer(t, `secret: ${"n".repeat(32)}\npreviousSecret: ${testSecret}`),
    webServer(t, `secret: ${"x".repeat(32)}`),
  ]);
  for (const version of versions) {
    const begun = await visit(t, first, version);
    assert.equal(begun.resumed, false, version);
    const again = await visit(t, second, version, begun.session);
    assert.equal(again.resumed, true, version);
    assert.equal((await visit(t, first, version, again.session)).resumed, true, version);
    // While the secret is being changed.
    assert.equal((await visit(t, changed, version, begun.session)).resumed, true, version);
    assert.equal((await visit(t, strange, version, begun.session)).resumed, false, version);
  }
});
