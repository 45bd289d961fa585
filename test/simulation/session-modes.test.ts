/**
 * Modes of sessions with the real middleware on simulated servers: what `save: always` costs in messages and what it brings,
 * conflicts at the owner and elsewhere, and the absolute timeout, which goes with the session wherever it goes.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Entry } from "../../src/session/entry.ts";
import type { SessionConflict, SessionOptions } from "../../src/session/index.ts";
import { endless } from "../../src/session/snapshot.ts";
import { type Handler, type Server, Site } from "./session/request-site.ts";

const look: Handler = (session) => assert.deepEqual(session.cart, { items: [1] });
const change: Handler = (session) => session.cart.items.push(2);
const isGone: Handler = (session) => assert.equal(session.cart, undefined);

describe("save: always (R27)", () => {
  const always = { place: { save: "always" as const } };

  test("a use costs what a change does: the backup has it before the answer", async () => {
    const site = Site.start(always);
    const id = await site.begin();
    const [owner, backup, other] = site.serversOf(id);
    const { slot, key } = owner.ids.verify(id)!;
    const copyOf = ({ app }: typeof owner) => app.node.context.slots[slot]!;
    for (const [server, frames] of [
      [owner, 2],
      [other, 2 + 4],
      [backup, 2 + 4],
    ] as const) {
      await site.pass(1_000);
      const before = copyOf(owner).pos;
      assert.equal(await site.frames(() => site.visit(server, id, look)), frames);
      assert.equal(copyOf(owner).pos, before + 1);
      assert.equal(copyOf(backup).pos, before + 1);
    }
    const used = copyOf(backup).sessions.get(key)!;
    assert.ok(backup.app.process.clock.now() - used.lastUsedAt < 2_000);
  });

  test("with disks too: the data does not travel, and is not written anew", async () => {
    const site = Site.start({ ...always, hasDisks: true });
    const { id } = await site.visit(site.servers[0]!, "", (session) => {
      session.cart = { items: [1] };
      session.text = "x".repeat(100_000);
    });
    const [owner, backup] = site.serversOf(id);
    const { slot, key } = owner.ids.verify(id)!;
    const copyOf = ({ app }: Server) => app.node.context.slots[slot]!;
    const synced = (server: Server) => copyOf(server).onDisk!.syncedPos;
    let written = 0;
    for (const { app } of [owner, backup]) {
      const write = app.disk!.write.bind(app.disk!);
      app.disk!.write = (...words) => {
        written++;
        write(...words);
      };
    }
    for (const isCold of [false, true]) {
      if (isCold) {
        Object.assign(backup.app.node.context.options, { sessionsMax: 0.1 });
        await site.pass(3_000);
        assert.equal(copyOf(backup).sessions.has(key), false);
      }
      await site.pass(5_000);
      const before = copyOf(owner).pos;
      const bytes = await site.bytes(() => site.visit(owner, id, look));
      assert.ok(bytes < 500, `${bytes} bytes`);
      assert.deepEqual([owner, backup].map(synced), [before + 1, before + 1]);
      for (const { app } of [owner, backup]) {
        let idleForMs = Number.POSITIVE_INFINITY;
        app.disk!.read(slot, key, (_, session) => {
          idleForMs = session!.idleForMs;
        });
        await site.pass(50);
        assert.ok(idleForMs < 2_000, `${idleForMs} ms`);
      }
    }
    assert.equal(copyOf(backup).sessions.has(key), false);
    assert.equal(written, 0);
  });

  test("one write per request, and none of what did not change", async () => {
    const site = Site.start(always);
    const id = await site.begin();
    const [owner, , other] = site.serversOf(id);
    assert.equal(await site.frames(() => site.visit(owner, id, change)), 2);
    assert.equal(await site.frames(() => site.visit(other, id, (session) => session.save())), 2 + 4);
    const { id: none } = await site.visit(owner, "", () => {});
    assert.equal(none, "", "a session that holds nothing is not made");
  });

  test("an application's own word counts, either way", async () => {
    const quiet = Site.start({ ...always, options: { save: "on-change" } });
    const id = await quiet.begin();
    const [owner] = quiet.serversOf(id);
    assert.equal(await quiet.frames(() => quiet.visit(owner, id, look)), 0);
    const eager = Site.start({ options: { save: "always" } });
    const other = await eager.begin();
    const [itsOwner] = eager.serversOf(other);
    assert.equal(await eager.frames(() => eager.visit(itsOwner, other, look)), 2);
  });

  test("one that was ended meanwhile stays so, and the answer is sent", async () => {
    const site = Site.start(always);
    const id = await site.begin();
    const [owner, , other] = site.serversOf(id);
    const { status } = await site.visit(other, id, async () => {
      await site.visit(owner, id, (session) => session.destroy());
    });
    assert.equal(status, 200);
    await site.visit(owner, id, isGone);
  });
});

describe("onConflict on several servers", () => {
  const merging = (calls: unknown[]): SessionOptions => ({
    onConflict: ((key: string, { base, mine, theirs }: SessionConflict<number>) => {
      calls.push(key);
      return (mine ?? 0) + (theirs ?? 0) - (base ?? 0);
    }) as NonNullable<SessionOptions["onConflict"]>,
  });

  test("whichever server is the later one, both changes count", async () => {
    const calls: unknown[] = [];
    const site = Site.start({ options: merging(calls) });
    const id = await site.begin();
    const [owner, backup, other] = site.serversOf(id);
    let total = 0;
    for (const [late, early] of [
      [owner, other],
      [other, owner],
      [backup, other],
      [other, backup],
    ] as const) {
      const { status } = await site.visit(late, id, async (session) => {
        session.n = (session.n ?? 0) + 1;
        await site.visit(early, id, (same) => {
          same.n = (same.n ?? 0) + 100;
        });
      });
      assert.equal(status, 200);
      total += 101;
      await site.visit(owner, id, (session) => assert.equal(session.n, total));
    }
    assert.deepEqual(calls, Array(4).fill("n"));
  });

  test("without a conflict it costs no message more", async () => {
    const site = Site.start({ options: merging([]) });
    const id = await site.begin();
    const [owner, , other] = site.serversOf(id);
    assert.equal(await site.frames(() => site.visit(owner, id, change)), 2);
    assert.equal(await site.frames(() => site.visit(other, id, change)), 2 + 4);
  });

  test("all of a request's changes are made, or none", async () => {
    const site = Site.start({
      options: {
        onConflict: () => {
          throw new Error("can't");
        },
      },
    });
    const id = await site.begin();
    const [owner, , other] = site.serversOf(id);
    const { status } = await site.visit(other, id, async (session) => {
      session.cart = "mine";
      session.more = "mine";
      await site.visit(owner, id, (same) => {
        same.cart = "theirs";
      });
    });
    assert.equal(status, 500);
    await site.visit(owner, id, (session) => {
      assert.deepEqual([session.cart, session.more], ["theirs", undefined]);
    });
  });

  test("many at once: none is lost, and nobody starves", async () => {
    const calls: unknown[] = [];
    const site = Site.start({ options: merging(calls) });
    const id = await site.begin();
    const visits = site.servers.flatMap((server) =>
      Array.from({ length: 10 }, () =>
        site.visit(server, id, async (session) => {
          session.n = (session.n ?? 0) + 1;
          await site.pass(20);
        }),
      ),
    );
    for (const { status } of await Promise.all(visits)) assert.equal(status, 200);
    await site.visit(site.servers[0]!, id, (session) => assert.equal(session.n, visits.length));
    assert.ok(calls.length >= visits.length - site.servers.length);
  });
});

describe("the absolute timeout", () => {
  const limited = (seconds: number) => ({ place: { absoluteTimeoutMs: seconds * 1_000 } });

  /** Uses it every half second until it is gone. @returns how old it became, at least. */
  async function age(site: Site, id: string): Promise<number> {
    let isAlive = true;
    for (let ageMs = 0; ageMs < 60_000; ageMs += 500) {
      await site.visit(site.serversOf(id)[0], id, (session) => {
        isAlive = session.cart !== undefined;
      });
      if (!isAlive) return ageMs;
      await site.pass(500);
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Clocks run up to a tenth wrong. */
  const isAbout = (ms: number, wanted: number): void =>
    assert.ok(ms >= wanted * 0.85 && ms <= wanted * 1.2 + 1_000, `${ms} ms`);

  test("ends a session that is used all the time, on all servers", async () => {
    const site = Site.start(limited(10));
    const id = await site.begin();
    isAbout(await age(site, id), 10_000);
    for (const server of site.servers) await site.visit(server, id, isGone);
  });

  test("goes with the session to who takes over, and to a new backup", async () => {
    const site = Site.start(limited(30));
    const id = await site.begin();
    const [owner] = site.serversOf(id);
    await site.pass(10_000);
    await site.moveAway(owner);
    const [next] = site.serversOf(id);
    assert.notEqual(next, owner);
    isAbout(await age(site, id), 15_000);
  });

  test("regenerate() begins anew", async () => {
    const site = Site.start(limited(10));
    const old = await site.begin();
    await site.pass(6_000);
    const { id } = await site.visit(site.servers[0]!, old, async (session) => {
      await session.regenerate();
      session.req.session.cart = { items: [1] };
    });
    isAbout(await age(site, id), 10_000);
  });

  test("a shorter one than when the session began counts from the next request on", async () => {
    const site = Site.start({ options: { absoluteTimeout: "10s" } });
    const [server, other] = site.servers as [Server, Server];
    // As an application without the option, or with the file of before, has made it.
    const id = server.store.newId();
    server.store.create(id, new Map([["cart", Entry.of("cart", { items: [1] })]]), 60_000, endless, () => {});
    await site.pass(5_000);
    await site.visit(other, id.text, look);
    await site.pass(8_000);
    await site.visit(other, id.text, isGone);
    await site.pass(300);
    for (const { store } of site.servers)
      store.load(id, (error, entries) => assert.deepEqual([error, entries], [null, null]));
    await site.pass(300);
  });
});
