/** Certificates of a real web server: what is wrong is refused at the start, what is new is taken up while it runs. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { testSecret } from "../harness/cluster-folder.ts";
import { freePorts } from "../harness/free-ports.ts";
import { runFlotilla, startFlotilla, temporaryFolder, until } from "../harness/process.ts";
import { ok, RawClient, RawOrigin } from "../harness/raw.ts";
import { namesFor, secureClient, tlsFolder } from "../harness/tls.ts";

/** A folder with a web server of two workers, whose certificate is live/cert.pem. */
async function webFolder(t: TestContext, originPort: number): Promise<{ folder: string; port: number }> {
  const [link, port] = await freePorts(2);
  const folder = temporaryFolder(t, {
    "flotilla.yaml": `secret: ${testSecret}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: ${link} } }
    listen: [{ https: 127.0.0.1:${port}, tls: { cert: live/cert.pem, key: live/key.pem } }]
    workers: 2
    routes: [{ to: app }]
    log: { access: off }
  app:
    servers: { app-a: { http: "http://127.0.0.1:${originPort}" } }
`,
  });
  for (const name of ["b", "b-renewed"]) {
    mkdirSync(join(folder, name));
    copyFileSync(join(tlsFolder, `${name}.pem`), join(folder, name, "cert.pem"));
    copyFileSync(join(tlsFolder, `${name}.key`), join(folder, name, "key.pem"));
  }
  symlinkSync("b", join(folder, "live"));
  return { folder, port: port! };
}

test("A45 check and start refuse a file that is absent, empty, or another's, and say where it is named", async (t) => {
  const { folder } = await webFolder(t, 1);
  const wrong = {
    cert: [() => writeFileSync(join(folder, "b", "cert.pem"), ""), /:5:\d+: error: .*cert\.pem" is empty/],
    key: [
      () => copyFileSync(join(tlsFolder, "a.key"), join(folder, "b", "key.pem")),
      /:5:\d+: error: .* is not that of the certificate/,
    ],
    both: [
      () => renameSync(join(folder, "b"), join(folder, "away")),
      /:5:\d+: error: .*cert\.pem": there is no such file\n[\s\S]*:5:\d+: error: .*key\.pem": there is no such file/,
    ],
  } as const;
  for (const [name, [spoil, expected]] of Object.entries(wrong)) {
    spoil();
    for (const command of [["check"], ["start", "web-a"]]) {
      const { code, stdout, stderr } = await runFlotilla(t, command, { cwd: folder });
      assert.equal(code, 1, name);
      assert.match(stdout + stderr, expected);
    }
    if (name !== "cert") continue;
    copyFileSync(join(tlsFolder, "b.pem"), join(folder, "b", "cert.pem"));
  }
});

test("a link that turns to renewed files: new connections get them, no request fails", async (t) => {
  const origin = await RawOrigin.start(t, () => ok("served"));
  const { folder, port } = await webFolder(t, origin.port);
  const running = startFlotilla(t, ["start", "web-a"], { cwd: folder });
  await running.line(/up at https:/);
  const served = async (client: RawClient): Promise<void> => {
    client.send("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
    assert.equal((await client.answer()).body, "served");
  };
  const kept = new RawClient(await secureClient(t, port));
  await served(kept);
  symlinkSync("b-renewed", join(folder, "next"));
  renameSync(join(folder, "next"), join(folder, "live"));
  const renewed = "DNS:b.example, DNS:new.example";
  await until("both workers have said so", async () => {
    await served(kept);
    await served(new RawClient(await secureClient(t, port)));
    return running.output.split("new connections get the changed certificate").length - 1 === 2;
  });
  for (let connections = 0; connections < 10; connections++)
    assert.equal(await namesFor(t, port, "b.example"), renewed);
  await served(kept);
});
