/** Client certificates: who is let in, what the application is told, and that nobody else can say it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import type { ClientCertificateSettings, TlsSettings } from "../../src/config/model.ts";
import { exchange, ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { secureClient, tlsFile, tlsFolder, tlsSettings } from "../harness/tls.ts";
import { type WebSite, type WebSiteOptions, webSite } from "../harness/web-site.ts";

const alice = { cert: tlsFile("alice.pem"), key: tlsFile("alice.key") };
const ended = { cert: tlsFile("ended.pem"), key: tlsFile("ended.key") };
/** Signed by itself, under Alice's name. */
const stranger = { cert: tlsFile("stranger.pem"), key: tlsFile("stranger.key") };
const request = "GET / HTTP/1.1\r\nHost: a.example\r\n";
const forged =
  "X-Client-Cert-Verified: SUCCESS\r\nx-client-cert-subject: CN=root\r\nX-CLIENT-CERT-Other: 1\r\n";
const versions = ["TLSv1.2", "TLSv1.3"] as const;

function asking(mode: ClientCertificateSettings["mode"]): TlsSettings {
  const clientCertificates = { mode, caPath: join(tlsFolder, "client-ca.pem"), caShown: "client-ca.pem" };
  return { ...tlsSettings("a", "b"), clientCertificates };
}

async function site(t: TestContext, options: WebSiteOptions): Promise<{ web: WebSite; origin: RawOrigin }> {
  const origin = await RawOrigin.start(t, () => ok("in"));
  return { web: await webSite(t, [origin.port], options), origin };
}

/** What an app server is told by one request. */
async function told(
  t: TestContext,
  { web, origin }: { web: WebSite; origin: RawOrigin },
  options: ConnectionOptions,
): Promise<string[]> {
  const from = origin.received.length;
  const client = new RawClient(await secureClient(t, web.port, options));
  client.send(`${request}${forged}\r\n`);
  assert.equal((await client.answer()).body, "in");
  return origin.received
    .slice(from)
    .split("\r\n")
    .filter((line) => /^x-client-cert/i.test(line));
}

/** Whether an answer comes. TLS 1.3 clients learn of a refusal only behind their own handshake. */
async function letIn(t: TestContext, web: WebSite, options: ConnectionOptions): Promise<boolean> {
  let socket: TLSSocket;
  try {
    socket = await secureClient(t, web.port, options);
  } catch {
    return false;
  }
  const client = new RawClient(socket);
  client.send(`${request}\r\n`);
  return (await client.read(/\r\n\r\n/)) !== "";
}

const ofAlice = [
  "X-Client-Cert-Verified: SUCCESS",
  'X-Client-Cert-Subject: CN=Alice,O=Gr\\C3\\B6\\C3\\9Fe\\+Weite \\"AG\\"\\, Ltd.',
  /^X-Client-Cert-Fingerprint: [0-9a-f]{64}$/,
] as const;

function assertAlice(lines: readonly string[]): void {
  assert.deepEqual(lines.slice(0, 2), ofAlice.slice(0, 2));
  assert.match(lines[2]!, ofAlice[2]);
  assert.equal(lines.length, 3);
}

test("required: whoever has a good one is let in and named, whichever certificate of ours was chosen", async (t) => {
  const here = await site(t, { tls: asking("required") });
  for (const maxVersion of versions)
    for (const servername of ["a.example", "b.example"])
      assertAlice(await told(t, here, { ...alice, maxVersion, servername }));
});

test("required: none, a stranger's and one that has ended are refused in the handshake", async (t) => {
  const { web, origin } = await site(t, { tls: asking("required") });
  for (const maxVersion of versions)
    for (const shown of [{}, stranger, ended])
      assert.equal(await letIn(t, web, { ...shown, maxVersion }), false);
  assert.equal(origin.received, "");
  const none = await secureClient(t, web.port, { maxVersion: "TLSv1.3" });
  const [error] = await new Promise<[Error]>((resolve) => none.once("error", (failed) => resolve([failed])));
  assert.match(String(error), /certificate required/);
});

test("optional: none is NONE, a good one is named, a wrong one is refused", async (t) => {
  const here = await site(t, { tls: asking("optional") });
  for (const maxVersion of versions) {
    assert.deepEqual(await told(t, here, { maxVersion }), ["X-Client-Cert-Verified: NONE"]);
    assertAlice(await told(t, here, { ...alice, maxVersion }));
    for (const shown of [stranger, ended])
      assert.equal(await letIn(t, here.web, { ...shown, maxVersion }), false);
  }
});

test("A17 without client certificates nobody says who he is: over TLS, over HTTP, from a trusted network, in a trailer", async (t) => {
  const secure = await site(t, { tls: tlsSettings("a"), trusted: ["127.0.0.0/8"] });
  assert.deepEqual(await told(t, secure, {}), []);
  const plain = await site(t, {});
  await exchange(
    plain.web.port,
    `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${forged}X_Client_Cert_Subject: CN=root\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${forged}\r\n`,
  );
  assert.doesNotMatch(plain.origin.received, /client.cert/i);
});

test("A46 a session is resumed only where its client has proven the same", async (t) => {
  const sites = {
    unasked: await site(t, { tls: tlsSettings("a") }),
    optional: await site(t, { tls: asking("optional") }),
    required: await site(t, { tls: asking("required") }),
  };
  /** A session of a connection that was used. */
  const sessionOf = async (web: WebSite, options: ConnectionOptions): Promise<Buffer> => {
    const socket = await secureClient(t, web.port, options);
    let session = socket.getSession()!;
    socket.on("session", (newer) => {
      session = newer;
    });
    socket.write(`${request}\r\n`);
    await once(socket, "data");
    return session;
  };
  for (const maxVersion of versions) {
    for (const { web } of [sites.unasked, sites.optional]) {
      const session = await sessionOf(web, { maxVersion });
      assert.equal(await letIn(t, web, { maxVersion, session }), true);
      assert.equal(await letIn(t, sites.required.web, { maxVersion, session }), false);
    }
    // Who is resumed is still known.
    const session = await sessionOf(sites.required.web, { ...alice, maxVersion });
    assertAlice(await told(t, sites.required, { maxVersion, session }));
    const fresh = await secureClient(t, sites.required.web.port, { maxVersion, session });
    assert.equal(fresh.isSessionReused(), true);
  }
});
