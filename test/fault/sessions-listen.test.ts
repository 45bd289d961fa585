/**
 * App servers as web servers (R74): three machines with one and the same file, an HTTP port on each, and a balancer of somebody else
 * that sends each request to the next one.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { start, temporaryFolder } from "../harness/process.ts";
import { Network, whyNoNetwork } from "./network.ts";

const why = whyNoNetwork();
const machines = ["a", "b", "c"];
const application = join(import.meta.dirname, "..", "integration", "fixtures", "cart.ts");
const requests = 30;

/** Runs on a machine of its own: the visitor, and the balancer in between. Prints the counts that it was told. */
const visitor = `
const addresses = process.argv.slice(1);
let cookie = "";
const ask = async (at, method) => {
  for (let tries = 0; ; tries++) {
    try {
      const response = await fetch("http://" + at + ":8080/", { method, headers: { cookie } });
      const given = response.headers.getSetCookie().at(-1);
      if (given !== undefined) cookie = given.split(";")[0];
      return response.status + " " + (await response.text());
    } catch (error) {
      if (tries === 200 || cookie !== "") throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
};
for (const at of addresses) await ask(at, "GET");
for (let i = 0; i < ${requests}; i++) console.log(await ask(addresses[i % 3], "POST"));
`;

test("every app server that listens on HTTP knows every session (R25, R74)", {
  skip: why ?? false,
}, async (t) => {
  const network = Network.make(Network.newOwner(), [...machines, "visitor"]);
  t.after(() => network.remove());
  const file = `secret: 0123456789abcdef0123456789abcdef
clusters:
  app:
    servers:
${machines.map((name) => `      app-${name}: { address: ${network.addressOf(name)}, port: 7000 }\n`).join("")}
    listen: [{ http: 8080 }]
    sessions: { durability: backup }
`;
  const servers = machines.map((name) => {
    const folder = temporaryFolder(t, { "flotilla.yaml": file });
    const [program, ...args] = network.commandOn(name, [process.execPath, application]);
    return start(t, program!, args, { cwd: folder, env: { FLOTILLA_SERVER: `app-${name}` } });
  });
  await Promise.all(servers.map((server) => server.line(/up at cluster port .* and http:\/\/\[::\]:8080/)));
  const addresses = machines.map((name) => network.addressOf(name));
  const command = [process.execPath, "--input-type=module", "-e", visitor, ...addresses];
  const [program, ...args] = network.commandOn("visitor", command);
  const visiting = start(t, program!, args);
  assert.equal((await visiting.exit).code, 0, visiting.output);
  assert.deepEqual(
    visiting.stdout.trim().split("\n"),
    Array.from({ length: requests }, (_, i) => `200 ${i + 1}`),
  );
});
