/** Sessions on two of three real app servers: killed, restarted and asked at the wrong place, none is lost. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { clusterStatus, type ServerStatus } from "../../src/admin/cluster-status.ts";
import { loadOrThrow } from "../../src/config/load.ts";
import type { ClusterFile } from "../../src/config/model.ts";
import { SessionIds } from "../../src/session/id.ts";
import { cartApp, cartFile, slotsInAll } from "../harness/cart-site.ts";
import { freePorts } from "../harness/free-ports.ts";
import { startFlotilla, temporaryFolder, until } from "../harness/process.ts";

const secret = "0123456789abcdef0123456789abcdef";
/** In this process: a command's own start takes seconds where many tests run. */
const statusTimeoutMs = 5_000;

/** Three app servers on addresses of their own, as three machines have them; each may be asked on an HTTP port of its own. */
class Site {
  readonly #file: ClusterFile;
  readonly httpPort: number;

  private constructor(file: ClusterFile, httpPort: number) {
    this.#file = file;
    this.httpPort = httpPort;
  }

  static async start(t: TestContext): Promise<Site> {
    const ports = await freePorts(5);
    const text = cartFile(ports, [`run: exec node ${cartApp}`, "timeouts: { drain: 10s }"]);
    const folder = temporaryFolder(t, { "flotilla.yaml": text });
    const site = new Site(loadOrThrow(join(folder, "flotilla.yaml")), ports[0]!);
    startFlotilla(t, ["start", "--all"], { cwd: folder });
    await site.settled();
    return site;
  }

  async appServers(): Promise<ServerStatus[]> {
    const servers = await clusterStatus(this.#file, statusTimeoutMs);
    return servers.filter(({ cluster }) => cluster === "app");
  }

  /** Every slot is owned, and has a second copy. */
  async settled(): Promise<void> {
    await until("every session slot has two copies", async () => {
      const servers = await this.appServers();
      const slots = servers.reduce((sum, server) => sum + (server.slots ?? 0), 0);
      return slots === slotsInAll && servers.every((server) => server.singleCopySlots === 0);
    });
  }

  async serverOf(letter: string): Promise<ServerStatus> {
    return (await this.appServers()).find((server) => server.letter === letter)!;
  }

  /** Without a warning; the supervisor starts it again. */
  async kill(letter: string): Promise<void> {
    process.kill((await this.serverOf(letter)).pid!, "SIGKILL");
  }

  /** Drains and ends; the supervisor starts it again. */
  async restart(letter: string): Promise<void> {
    const { pid } = await this.serverOf(letter);
    process.kill(pid!, "SIGTERM");
    await until(`server ${letter} runs again`, async () => {
      const server = await this.serverOf(letter);
      return server.pid !== pid && server.state === "up";
    });
  }
}

class Visitor {
  readonly #origin: string;
  cookie = "";
  servedBy = "";

  constructor(site: Site) {
    this.#origin = `http://127.0.0.1:${site.httpPort}`;
  }

  get owner(): string {
    return this.cookie[4]!;
  }

  get backup(): string {
    return this.cookie[5]!;
  }

  async ask(method: string, path: string): Promise<{ status: number; body: string }> {
    const response = await fetch(this.#origin + path, { method, headers: { cookie: this.cookie } });
    const given = response.headers.getSetCookie().at(-1);
    if (given !== undefined) this.cookie = given.split(";")[0]!;
    this.servedBy = response.headers.get("x-served-by") ?? "";
    return { status: response.status, body: await response.text() };
  }

  async count(): Promise<number> {
    const { status, body } = await this.ask("GET", "/");
    assert.equal(status, 200, body);
    return Number(body);
  }

  /** @returns the count; a change whose outcome nobody knows is none of this visitor's. */
  async add(): Promise<number> {
    const { status, body } = await this.ask("POST", "/");
    assert.equal(status, 200, body);
    return Number(body);
  }
}

test("three app servers keep every session twice", async (t) => {
  const site = await Site.start(t);
  const visitor = new Visitor(site);
  assert.equal(await visitor.add(), 1);
  assert.match(visitor.cookie, /^sid=[abc][abc]/);

  await t.test("the next request after its owner's death sees the last write, and writes", async () => {
    const before = visitor.cookie;
    await site.kill(visitor.owner);
    const killedAt = performance.now();
    assert.equal(await visitor.count(), 1);
    assert.equal(await visitor.add(), 2);
    assert.ok(performance.now() - killedAt < 2_000);
    assert.notEqual(visitor.owner, before[4], "the id is signed anew with the letter of who keeps it now");
    assert.equal(visitor.cookie.slice(7, 31), before.slice(7, 31), "and is the same session's");
    await site.settled();
  });

  await t.test("its backup's death is not noticed", async () => {
    await visitor.count();
    await site.kill(visitor.backup);
    assert.equal(await visitor.count(), 2);
    assert.equal(await visitor.add(), 3);
    await site.settled();
  });

  await t.test("a server that does not keep it answers as well, and the id is put right", async () => {
    await visitor.count();
    const { owner, backup } = visitor;
    const [other] = ["a", "b", "c"].filter((letter) => letter !== owner && letter !== backup);
    const ids = new SessionIds(Buffer.from(secret), null, "app");
    // It may be the one that died a moment ago: the web server has to have found it again.
    const stranger = new Visitor(site);
    await until(`app-${other} is asked again`, async () => {
      stranger.cookie = "";
      await stranger.count();
      return stranger.servedBy.startsWith(`app-${other}/`);
    });
    visitor.cookie = `sid=${ids.reissue(ids.verify(visitor.cookie.slice(4))!, other!, "-", 0).text}`;
    assert.equal(await visitor.add(), 4);
    assert.match(visitor.servedBy, new RegExp(`^app-${other}/`));
    // Those that keep it, which may have changed places since the one that died is back.
    assert.notEqual(visitor.backup, "-");
    assert.equal(await visitor.count(), 4);
    assert.match(visitor.servedBy, new RegExp(`^app-${visitor.owner}/`));
  });

  await t.test("destroyed stays destroyed when its owner dies", async () => {
    const leaver = new Visitor(site);
    await leaver.add();
    const { cookie, owner } = leaver;
    assert.equal((await leaver.ask("POST", "/logout")).status, 200);
    await site.kill(owner);
    leaver.cookie = cookie;
    assert.equal(await leaver.count(), 0);
    await site.settled();
  });

  await t.test("one server after the other is restarted", async () => {
    for (const letter of ["a", "b", "c"]) {
      await site.restart(letter);
      assert.equal(await visitor.count(), 4);
      await site.settled();
    }
    assert.equal(await visitor.add(), 5);
  });
});
