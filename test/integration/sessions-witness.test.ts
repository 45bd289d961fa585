/** Two app servers on addresses of their own, and a witness: any one of the three may be gone. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { clusterStatus, type ServerStatus } from "../../src/admin/cluster-status.ts";
import { loadOrThrow } from "../../src/config/load.ts";
import type { ClusterFile } from "../../src/config/model.ts";
import { cartApp, cartFile } from "../harness/cart-site.ts";
import { freePorts } from "../harness/free-ports.ts";
import {
  runFlotilla,
  start,
  startFlotilla,
  type TestProcess,
  temporaryFolder,
  until,
} from "../harness/process.ts";

/** In this process: a command's own start takes seconds where many tests run. */
const statusTimeoutMs = 5_000;

class Site {
  readonly #t: TestContext;
  readonly #httpPort: number;
  readonly folder: string;
  readonly #file: ClusterFile;
  readonly processes: Map<string, TestProcess> = new Map();
  cookie = "";

  constructor(t: TestContext, [witness, ...ports]: readonly number[]) {
    this.#t = t;
    this.#httpPort = ports[0]!;
    const text = cartFile(ports, [
      `witness: { app-w: { address: 127.0.0.4, port: ${witness} } }`,
      "timeouts: { drain: 5s }",
    ]);
    this.folder = temporaryFolder(t, { "flotilla.yaml": text });
    this.#file = loadOrThrow(join(this.folder, "flotilla.yaml"));
  }

  /** Nobody starts it again when it is killed. */
  run(name: string): void {
    const cwd = this.folder;
    this.processes.set(
      name,
      name === "app-a" || name === "app-b"
        ? start(this.#t, process.execPath, [cartApp], { cwd, env: { FLOTILLA_SERVER: name } })
        : startFlotilla(this.#t, ["start", name], { cwd }),
    );
  }

  async kill(name: string): Promise<void> {
    await this.processes.get(name)!.kill();
  }

  async status(): Promise<Map<string, ServerStatus>> {
    const servers = await clusterStatus(this.#file, statusTimeoutMs);
    return new Map(servers.map((server) => [server.name, server]));
  }

  async statusText(): Promise<string> {
    return (await runFlotilla(this.#t, ["status"], { cwd: this.folder })).stdout;
  }

  async hasTwoCopies(): Promise<void> {
    await until("every slot has two copies", async () => {
      const apps = [...(await this.status()).values()].filter(({ slots }) => slots !== undefined);
      const slots = apps.reduce((sum, server) => sum + server.slots!, 0);
      return slots === 4_096 && apps.every(({ singleCopySlots }) => singleCopySlots === 0);
    });
  }

  /** @returns the count, once the site answers. */
  async ask(method: string): Promise<number> {
    let count = -1;
    await until(`${method} is answered`, async () => {
      const url = `http://127.0.0.1:${this.#httpPort}/`;
      const response = await fetch(url, { method, headers: { cookie: this.cookie } }).catch(() => null);
      const given = response?.headers.getSetCookie().at(-1);
      if (given !== undefined) this.cookie = given.split(";")[0]!;
      count = Number(await response?.text());
      return response?.status === 200;
    });
    return count;
  }
}

test("with a witness, sessions live on when any one of three machines is gone", async (t) => {
  const site = new Site(t, await freePorts(5));
  for (const name of ["app-w", "app-a", "app-b", "web-a"]) site.run(name);
  await site.hasTwoCopies();
  const witness = (await site.status()).get("app-w")!;
  assert.deepEqual([witness.state, witness.cluster, witness.slots], ["up", "app", undefined]);
  assert.ok(existsSync(join(site.folder, ".flotilla", "register", "app%40app-w.vote")));
  assert.equal(await site.ask("POST"), 1);

  await t.test("an app server is killed", async () => {
    await site.kill("app-a");
    assert.equal(await site.ask("POST"), 2);
    await until("app-b has everything, alone", async () => {
      const { slots, singleCopySlots, copyingTo } = (await site.status()).get("app-b")!;
      return slots === 4_096 && singleCopySlots === 4_096 && copyingTo?.length === 0;
    });
    assert.equal((await site.status()).get("app-b")!.singleCopySessions, 1);
    assert.match(
      await site.statusText(),
      /^1 session of app-b \(4096 slots\) has one copy; no other server can take a second one now$/m,
    );
    site.run("app-a");
    await site.hasTwoCopies();
    const text = await site.statusText();
    assert.match(text, /^All sessions have two copies\.$/m);
    assert.match(
      text,
      /^SERVER .* ONE COPY {2}REGISTER\n(.*\n)*app-b .* 0 {2}seen\napp-w +app +- +up .* - {2}-$/m,
    );
  });

  await t.test("the witness is killed, and comes back", async () => {
    await site.kill("app-w");
    assert.equal(await site.ask("POST"), 3);
    // The register can still be changed: the slots are handed over.
    const { code, stderr } = await runFlotilla(t, ["stop", "app-b"], { cwd: site.folder });
    assert.equal(code, 0, stderr);
    assert.equal(await site.ask("POST"), 4);
    site.run("app-w");
    site.run("app-b");
    await site.hasTwoCopies();
  });

  await t.test("a stop of all ends the witness last, and a start of all has the sessions", async () => {
    const { code, stdout, stderr } = await runFlotilla(t, ["stop"], { cwd: site.folder });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^web-a .*\napp-[ab] .*\napp-[ab] .*\napp-w \(process \d+\) stopped\n$/);
    for (const name of ["web-a", "app-a", "app-b"]) site.run(name);
    const supervisor = startFlotilla(t, ["start", "app-w"], { cwd: site.folder });
    await supervisor.line(/up, votes for app/);
    assert.equal(await site.ask("GET"), 4);
  });
});
