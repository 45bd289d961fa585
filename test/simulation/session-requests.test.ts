/**
 * Requests on any server (R25, R32, R74), with the real middleware on simulated servers without faults: what they cost in
 * messages, and what becomes of ids that are stale or were never ours.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { Entry } from "../../src/session/entry.ts";
import { SessionIds } from "../../src/session/id.ts";
import { endless } from "../../src/session/snapshot.ts";
import { session as limits } from "../../src/support/limits.ts";
import { type Handler, Site, secret } from "./session/request-site.ts";

const look: Handler = (session) => assert.deepEqual(session.cart, { items: [1] });

describe("messages between servers (R32, R33)", () => {
  test("a read-only request: none at the owner, elsewhere the load and its answer", async () => {
    const site = Site.start();
    const id = await site.begin();
    const [owner, backup, other] = site.serversOf(id);
    assert.equal(await site.frames(() => site.visit(owner, id, look)), 0);
    assert.equal(await site.frames(() => site.visit(backup, id, look)), 2);
    assert.equal(await site.frames(() => site.visit(other, id, look)), 2);
  });

  test("a change: to the backup and back; elsewhere to the owner and back as well", async () => {
    const site = Site.start();
    const id = await site.begin();
    const [owner, backup, other] = site.serversOf(id);
    let count = 0;
    // Nested, so that it has to be found.
    const change: Handler = (session) => session.cart.items.push(++count);
    assert.equal(await site.frames(() => site.visit(owner, id, change)), 2);
    assert.equal(await site.frames(() => site.visit(other, id, change)), 2 + 4);
    assert.equal(await site.frames(() => site.visit(backup, id, change)), 2 + 4);
    await site.visit(owner, id, (session) => assert.deepEqual(session.cart.items, [1, 1, 2, 3]));
  });

  test("what is written as it was is not sent", async () => {
    const site = Site.start();
    const id = await site.begin();
    const [owner, , other] = site.serversOf(id);
    const rewrite: Handler = (session) => {
      session.cart = { items: [1] };
    };
    assert.equal(await site.frames(() => site.visit(owner, id, rewrite)), 0);
    assert.equal(await site.frames(() => site.visit(other, id, rewrite)), 2);
  });

  test("touch() tells the owner, and writes nothing", async () => {
    const site = Site.start();
    const id = await site.begin();
    const [owner, , other] = site.serversOf(id);
    const { slot } = owner.ids.verify(id)!;
    const before = owner.app.node.context.slots[slot]!.pos;
    assert.equal(await site.frames(() => site.visit(other, id, (session) => void session.touch())), 3);
    assert.equal(owner.app.node.context.slots[slot]!.pos, before);
  });

  test("a session that is destroyed is asked for no more", async () => {
    const site = Site.start();
    const id = await site.begin();
    const [, , other] = site.serversOf(id);
    assert.equal(await site.frames(() => site.visit(other, id, (session) => session.destroy())), 2 + 4);
  });
});

describe("an idle timeout that is no time", () => {
  test("is refused on every server before anything is sent; no server is in anybody's way then", async () => {
    const site = Site.start();
    const id = await site.begin();
    for (const { store, ids } of site.serversOf(id)) {
      const told: unknown[] = [];
      const done = (error: { code: string } | null): number => told.push(error?.code);
      const frames = await site.frames(async () => {
        for (const timeoutMs of [Number.NaN, 0, -1]) {
          const verified = ids.verify(id)!;
          store.create(store.newId(), new Map([["a", Entry.of("a", 1)]]), timeoutMs, endless, done);
          store.update(verified, new Map([["cart", null]]), timeoutMs, done);
          const expected = new Map([["cart", '{"items":[1]}']]);
          store.compareAndSet(verified, new Map([["cart", null]]), expected, timeoutMs, done);
          store.touch(verified, timeoutMs, false);
        }
      });
      assert.deepEqual([frames, told], [0, Array(9).fill("FLOTILLA_SESSION_COOKIE")]);
    }
    const [owner, backup, other] = site.serversOf(id);
    for (const server of [owner, backup, other]) await site.visit(server, id, look);
  });

  test("the request that asks for it gets a 500, the next one finds what was there before", async () => {
    const site = Site.start();
    const id = await site.begin();
    for (const server of site.serversOf(id)) {
      const wrong: Handler = (session) => {
        session.cart = null;
        session.cookie.expires = new Date(Number.NaN);
      };
      assert.equal((await site.visit(server, id, wrong)).status, 500);
      assert.equal((await site.visit(server, id, look)).status, 200);
    }
  });

  test("one without an end is of ten years, on both servers", async () => {
    const site = Site.start();
    const id = await site.begin();
    const [owner, backup, other] = site.serversOf(id);
    const { key, slot } = owner.ids.verify(id)!;
    const verified = other.ids.verify(id)!;
    const told: unknown[] = [];
    other.store.update(verified, new Map([["a", null]]), Number.POSITIVE_INFINITY, (error) =>
      told.push(error),
    );
    await site.pass(300);
    assert.deepEqual(told, [null]);
    for (const { app } of [owner, backup])
      assert.equal(app.node.context.slots[slot]!.sessions.get(key)!.idleTimeoutMs, limits.idleTimeoutMsMax);
  });
});

describe("update() on several servers at once", () => {
  test("none of many increments is lost, and nobody starves", async () => {
    const site = Site.start();
    const id = await site.begin();
    let done = 0;
    let calls = 0;
    const add: Handler = async (session) => {
      await session.update("total", (n = 0) => {
        calls++;
        return (n as number) + 1;
      });
      done++;
    };
    const visits = site.servers.flatMap((server) =>
      Array.from({ length: 20 }, () => site.visit(server, id, add)),
    );
    await Promise.all(visits);
    assert.equal(done, visits.length);
    assert.ok(calls < visits.length * 4, `${calls} calls for ${visits.length} updates`);
    await site.visit(site.servers[0]!, id, (session) => assert.equal(session.total, visits.length));
  });
});

describe("stale letters", () => {
  test("cost a hop, and are put right with the next answer, also of a request that changes nothing", async () => {
    const site = Site.start();
    const id = await site.begin();
    const [owner, backup, other] = site.serversOf(id);
    const verified = owner.ids.verify(id)!;
    assert.equal(verified.processIndex, owner.processIndex);
    const stale = owner.ids.reissue(verified, "z", "-", other.processIndex).text;
    const answer = await site.visit(other, stale, look);
    assert.equal(answer.id, id);
    for (const server of [owner, backup, other]) assert.equal((await site.visit(server, id, look)).id, "");
  });

  test("after a move the letters and the process index are those of the new owner", async () => {
    const site = Site.start();
    const id = await site.begin();
    const [owner] = site.serversOf(id);
    await site.moveAway(owner);
    const [next] = site.serversOf(id);
    assert.ok(next !== owner);
    const answer = await site.visit(owner, id, look);
    const renewed = next.ids.verify(answer.id)!;
    assert.equal(renewed.processIndex, next.processIndex);
    assert.equal(renewed.key, owner.ids.verify(id)!.key);
    assert.equal(await site.frames(() => site.visit(next, answer.id, look)), 0);
    assert.equal((await site.visit(next, answer.id, look)).id, "");
  });
});

describe("ids that are no session", () => {
  /** Nothing may be asked of other servers, nothing remembered, and what is set gets an id of its own. */
  async function isNobody(site: Site, text: string): Promise<void> {
    for (const server of site.servers) {
      const before = server.ids.remembered;
      const read: Handler = (session) => assert.equal(session.cart, undefined);
      assert.equal(await site.frames(() => site.visit(server, text, read)), 0, text);
      assert.equal(server.ids.remembered, before, text);
    }
    const [server] = site.servers;
    const answer = await site.visit(server!, text, (session) => {
      session.mine = 1;
    });
    assert.notEqual(answer.id, "");
    assert.notEqual(answer.id.slice(3), text.slice(3));
  }

  test("A38, A39: made by the client, edited, cut, oversized, of another cluster, of another secret", async () => {
    const site = Site.start();
    const id = await site.begin();
    const [owner] = site.serversOf(id);
    const { slot } = owner.ids.verify(id)!;
    const texts = [
      "1",
      "x".repeat(4_000),
      "-".repeat(id.length),
      id.slice(0, -1),
      `${id}A`,
      `b${id.slice(1)}`,
      `a${id[1] === "a" ? "b" : "a"}${id.slice(2)}`,
      `${id.slice(0, 2)}${id[2] === "B" ? "C" : "B"}${id.slice(3)}`,
      `${id.slice(0, -22)}${randomBytes(17).toString("base64url").slice(0, 22)}`,
      new SessionIds(secret, null, "another").create("a", "b", slot, 1),
      new SessionIds(randomBytes(32), null, "app").create("a", "b", slot, 1),
    ];
    for (const text of texts) await isNobody(site, text);
    await site.visit(owner, id, look);
  });

  test("A38, A41: replayed after a logout and after regenerate(), at every server", async () => {
    const site = Site.start();
    const old = await site.begin();
    const { id } = await site.visit(site.servers[1]!, old, async (session) => {
      await session.regenerate();
      session.req.session.user = "me";
    });
    assert.notEqual(id.slice(3), old.slice(3));
    for (const server of site.servers) {
      await site.visit(server, old, (session) =>
        assert.deepEqual([session.user, session.cart], [undefined, undefined]),
      );
      await site.visit(server, id, (session) =>
        assert.deepEqual([session.user, session.cart], ["me", undefined]),
      );
    }
    await site.visit(site.servers[2]!, id, (session) => session.destroy());
    for (const server of site.servers) {
      await site.visit(server, id, (session) => assert.equal(session.user, undefined));
      // It is signed, so it is asked for; but it is never taken for a new session.
      const answer = await site.visit(server, id, (session) => {
        session.mine = 1;
      });
      assert.notEqual(answer.id.slice(3), id.slice(3));
    }
  });
});
