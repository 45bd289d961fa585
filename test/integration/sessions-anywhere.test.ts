/**
 * Three real app servers with HTTP ports of their own, and visitors whose requests go to any of them, as behind a balancer that
 * knows nothing of sessions (R25, R32).
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { SessionIds } from "../../src/session/id.ts";
import { seededRandom } from "../../src/support/clock.ts";
import { freePorts } from "../harness/free-ports.ts";
import { start, statusOf, type TestProcess, temporaryFolder, until } from "../harness/process.ts";

const fixture = join(import.meta.dirname, "fixtures", "anywhere.ts");
const secret = "0123456789abcdef0123456789abcdef";
const slotsInAll = 4_096;
const random = seededRandom(74);

interface Answer {
  readonly status: number;
  readonly body: string;
}

class Site {
  readonly #ports: readonly number[];
  readonly processes: readonly TestProcess[];

  private constructor(ports: readonly number[], processes: readonly TestProcess[]) {
    this.#ports = ports;
    this.processes = processes;
  }

  static async start(t: TestContext): Promise<Site> {
    const ports = await freePorts(6);
    const httpPorts = ports.slice(3);
    const servers = [2, 3, 4].map((n, i) => `app-${"abc"[i]}: { address: 127.0.0.${n}, port: ${ports[i]} }`);
    const folder = temporaryFolder(t, {
      "flotilla.yaml": `secret: ${secret}
clusters:
  app:
    servers:
      ${servers.join("\n      ")}
    sessions: { durability: backup }
`,
    });
    const processes = httpPorts.map((port, i) =>
      start(t, process.execPath, [fixture], {
        cwd: folder,
        env: { FLOTILLA_SERVER: `app-${"abc"[i]}`, HTTP_PORT: String(port) },
      }),
    );
    const site = new Site(httpPorts, processes);
    await until("every session slot has two copies", async () => {
      const all = await statusOf(folder);
      const slots = all.reduce((sum, server) => sum + (server.slots ?? 0), 0);
      return slots === slotsInAll && all.every((server) => server.singleCopySlots === 0);
    });
    return site;
  }

  get size(): number {
    return this.#ports.length;
  }

  /** Number of the server whose letter this is. */
  numberOf(letter: string): number {
    return "abc".indexOf(letter);
  }

  fetch(server: number, path: string, cookie: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#ports[server]}${path}`, { headers: { cookie } });
  }

  /** A slow request has arrived there. */
  async slowAt(server: number): Promise<void> {
    await until(
      "the slow request waits",
      async () => (await (await this.fetch(server, "/slow", "")).text()) === "1",
    );
  }
}

class Visitor {
  readonly #site: Site;
  cookie = "";

  constructor(site: Site) {
    this.#site = site;
  }

  get owner(): number {
    return this.#site.numberOf(this.cookie[4]!);
  }

  /** @param server any, when not given. */
  async ask(path: string, server: number = Math.floor(random() * this.#site.size)): Promise<Answer> {
    const response = await this.#site.fetch(server, path, this.cookie);
    const given = response.headers.getSetCookie().at(-1);
    if (given !== undefined) this.cookie = given.split(";")[0]!;
    return { status: response.status, body: await response.text() };
  }

  async read(path: string, server?: number): Promise<unknown> {
    const { status, body } = await this.ask(path, server);
    assert.equal(status, 200, body);
    return JSON.parse(body);
  }
}

test("behind a balancer that ignores sessions (R25, R32)", async (t) => {
  const site = await Site.start(t);
  const servers = [0, 1, 2];
  const visitor = new Visitor(site);
  await visitor.read("/set?key=name&value=me");

  await t.test("every request sees what the one before changed, nested changes too", async () => {
    for (let count = 1; count <= 30; count++) {
      assert.equal(await visitor.read("/push"), count);
      const { cart } = (await visitor.read("/look")) as { cart: { items: number[] } };
      assert.equal(cart.items.length, count);
    }
  });

  await t.test("at the same time on different servers: different keys all win", async () => {
    for (let round = 0; round < 10; round++) {
      await Promise.all(servers.map((server) => visitor.read(`/set?key=k${server}&value=${round}`, server)));
      const { k0, k1, k2 } = (await visitor.read("/look")) as Record<string, string>;
      assert.deepEqual([k0, k1, k2], Array(3).fill(String(round)));
    }
  });

  await t.test("the same key: the later end wins, whoever began first", async () => {
    for (const server of servers) {
      const slow = visitor.read(`/slow-set?key=same&value=slow${server}`, server);
      await site.slowAt(server);
      await visitor.read("/set?key=same&value=quick", (server + 1) % 3);
      await site.fetch(server, "/go", "");
      await slow;
      const { same, name } = (await visitor.read("/look")) as Record<string, string>;
      assert.deepEqual([same, name], [`slow${server}`, "me"]);
    }
  });

  await t.test("update() loses none", async () => {
    const visits = servers.flatMap((server) =>
      Array.from({ length: 20 }, () => visitor.read("/add", server)),
    );
    const totals = (await Promise.all(visits)) as number[];
    assert.deepEqual(
      totals.sort((a, b) => a - b),
      Array.from({ length: 60 }, (_, i) => i + 1),
    );
  });

  await t.test("R37: what can't be kept is a 500, and the log names its path", async () => {
    for (const server of servers) {
      const { status } = await visitor.ask("/bad", server);
      assert.equal(status, 500);
      await site.processes[server]!.line(
        /req\.session\.cart\.items\[1\]\.price can't be kept: it is a function/,
      );
    }
    assert.equal(await visitor.read("/push"), 31);
  });

  await t.test("A41: a logout wins over a slower save, on all servers", async () => {
    for (const server of servers) {
      const leaver = new Visitor(site);
      await leaver.read("/set?key=user&value=me");
      const { cookie } = leaver;
      const slow = leaver.read("/slow-set?key=late&value=1", server);
      await site.slowAt(server);
      await leaver.read("/logout", (server + 1) % 3);
      await site.fetch(server, "/go", "");
      await slow;
      for (const at of servers) {
        leaver.cookie = cookie;
        assert.deepEqual(await leaver.read("/look", at), {});
      }
    }
  });

  await t.test("A38, A39: an id that was not made here gets none of it", async () => {
    const ids = new SessionIds(Buffer.from(secret), null, "another");
    const { cookie } = visitor;
    const edited = `sid=${cookie[4] === "a" ? "b" : "a"}${cookie.slice(5)}`;
    for (const forged of [edited, cookie.slice(0, -1), `sid=${ids.create("a", "b", 7, 0)}`]) {
      for (const server of servers) {
        const thief = new Visitor(site);
        thief.cookie = forged;
        assert.deepEqual(await thief.read("/look", server), {});
        await thief.read("/set?key=mine&value=1", server);
        assert.notEqual(thief.cookie, forged);
      }
    }
  });

  await t.test(
    "a killed owner: updates are acknowledged or unknown, and the acknowledged are there",
    async () => {
      const counter = new Visitor(site);
      await counter.read("/set?key=name&value=me");
      await counter.read("/look");
      const { owner } = counter;
      const rest = servers.filter((server) => server !== owner);
      let acknowledged = 0;
      let unknown = 0;
      let isKilled = false;
      const visits = rest.map(async (server) => {
        for (let i = 0; i < 60; i++) {
          const { status, body } = await counter.ask("/add", server);
          if (status === 200) acknowledged++;
          else if (body === "FLOTILLA_SESSION_UNKNOWN") unknown++;
          else assert.match(body, /FLOTILLA_SESSION_UNAVAILABLE/);
          if (acknowledged >= 20 && !isKilled) {
            isKilled = true;
            site.processes[owner]!.signal("SIGKILL");
          }
        }
      });
      await Promise.all(visits);
      const { total } = (await counter.read("/look", rest[0])) as { total: number };
      assert.ok(isKilled && acknowledged >= 100, `only ${acknowledged} of 120, ${unknown} unknown`);
      assert.ok(
        total >= acknowledged && total <= acknowledged + unknown,
        `${total}: ${acknowledged} + ${unknown}`,
      );
    },
  );
});
