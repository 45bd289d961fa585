import assert from "node:assert/strict";
import { test } from "node:test";
import { FlotillaError } from "../../support/errors.ts";
import type { SessionPlace } from "../keeper.ts";
import { placeAlone } from "../place.ts";
import type { Done, SessionStore } from "../store.ts";
import { CookieSessions } from "./cookie-sessions.ts";
import { type Fields, ForeignSessions, type GivenSession } from "./foreign-sessions.ts";

/** What is told to the store, beside what it is told it answers. */
class Told {
  readonly calls: string[] = [];
  failure: FlotillaError | null = null;
  readonly sessions: CookieSessions;
  readonly place: SessionPlace;

  constructor(place: Partial<SessionPlace> = {}, store: SessionStore = placeAlone(null).store) {
    const over = (done: Done): Done => (this.failure === null ? done : () => done(this.failure));
    const told: Pick<SessionStore, "load" | "create" | "update" | "touch" | "destroy"> = {
      load: (id, done) => {
        if (this.failure === null) store.load(id, done);
        else done(this.failure, null, 0, 0);
      },
      create: (id, changes, ms, life, done) => {
        this.calls.push(`create ${[...changes.keys()]} for ${ms}`);
        if (this.failure === null) store.create(id, changes, ms, life, over(done));
        else done(this.failure);
      },
      update: (id, changes, ms, done) => {
        this.calls.push(`update ${[...changes.keys()]} for ${ms}`);
        if (this.failure === null) store.update(id, changes, ms, over(done));
        else done(this.failure);
      },
      touch: (id, ms, isRecent) => {
        this.calls.push(`touch${isRecent ? " again" : ""} for ${ms}`);
        store.touch(id, ms, isRecent);
      },
      destroy: (id, done) => {
        this.calls.push("destroy");
        store.destroy(id, over(done));
      },
    };
    this.place = { ...placeAlone(null), ...place, store: told as SessionStore };
    this.sessions = new CookieSessions(new ForeignSessions(this.place));
  }

  load(): Promise<{ fields: Fields | null; given: GivenSession | null }> {
    return new Promise((resolve, reject) =>
      this.sessions.load("sid", (error, fields, given) =>
        error === null ? resolve({ fields, given }) : reject(error),
      ),
    );
  }

  save(session: object, given: GivenSession | null = null): Promise<GivenSession | null> {
    return new Promise((resolve, reject) => {
      const saved = this.sessions.save("sid", session, given, (error) =>
        error === null ? queueMicrotask(() => resolve(saved)) : reject(error),
      );
    });
  }

  touch(session: object, given: GivenSession | null): Promise<void> {
    return new Promise((resolve, reject) =>
      this.sessions.touch("sid", session, given, (error) => (error === null ? resolve() : reject(error))),
    );
  }

  take(): string[] {
    return this.calls.splice(0);
  }
}

const settings = { httpOnly: true, path: "/" };
const ofBrowser = { ...settings, originalMaxAge: null, expires: null };

function lasting(originalMaxAge: number, leftMs: number = originalMaxAge): object {
  return { ...settings, originalMaxAge, expires: new Date(Date.now() + leftMs) };
}

test("a session lives as long as its cookie, or, where that ends with the browser, as the place says", async () => {
  const told = new Told({ idleTimeoutMs: 1_234 });
  await told.save({ cookie: ofBrowser });
  await told.save({ cookie: lasting(60_000) });
  await told.save({});
  assert.deepEqual(told.take(), ["create cookie for 1234", "create cookie for 60000", "create  for 1234"]);
  await told.save({ cookie: { ...settings, expires: new Date(Date.now() + 60_000).toISOString() } });
  assert.match(told.take().join(), /^create cookie for (60000|59\d\d\d)$/);
});

test("a cookie that has ended takes its session with it", async () => {
  const told = new Told();
  await told.save({ cookie: ofBrowser, a: 1 });
  const { given } = await told.load();
  await told.save({ cookie: lasting(-1), a: 2 }, given);
  assert.equal((await told.load()).fields, null);
  assert.deepEqual(told.take(), ["create cookie,a for 1800000", "destroy"]);
});

test("saved as it was given, it is only touched; also when the cookie's end has moved", async () => {
  const told = new Told();
  await told.save({ cookie: lasting(60_000), a: { b: [1] } });
  const { fields, given } = await told.load();
  told.take();
  await told.save({ ...fields, cookie: lasting(59_998) }, given);
  await told.touch({ ...fields, cookie: lasting(59_998) }, given);
  assert.deepEqual(told.take(), ["touch again for 59998", "touch again for 59998"]);
});

test("`save: always`: who keeps it knows of the use before the request is answered", async () => {
  const told = new Told({ save: "always" });
  await told.save({ cookie: ofBrowser });
  const { fields, given } = await told.load();
  await told.touch(fields!, given);
  await told.save(fields!, given);
  assert.deepEqual(told.take().slice(1), ["update  for 1800000", "update  for 1800000"]);
});

test("the cookie comes back with all of its time", async () => {
  const told = new Told();
  await told.save({ cookie: lasting(60_000, 1_000) });
  const { fields } = await told.load();
  const cookie = fields!.cookie as { originalMaxAge: number; expires: string };
  const leftMs = Date.parse(cookie.expires) - Date.now();
  assert.ok(leftMs > 59_000 && leftMs <= 60_000, `${leftMs}`);
  assert.equal(cookie.originalMaxAge, 60_000);
});

test("an end without a `maxAge` comes back as it was", async () => {
  const told = new Told();
  const expires = new Date(Date.now() + 60_000);
  await told.save({ cookie: { ...ofBrowser, expires } });
  assert.equal(((await told.load()).fields!.cookie as Fields).expires, expires.toISOString());
});

test("a touch keeps a changed cookie and no other change", async () => {
  const told = new Told();
  await told.save({ cookie: ofBrowser, a: 1 });
  const { given } = await told.load();
  await told.touch({ cookie: lasting(60_000), a: 2 }, given);
  assert.deepEqual(told.take().slice(1), ["update cookie for 60000"]);
  assert.equal((await told.load()).fields!.a, 1);
});

test("only changed keys are written, and those that went", async () => {
  const told = new Told();
  await told.save({ cookie: ofBrowser, same: { n: 1 }, date: new Date(0), other: 1, gone: 1, void: 1 });
  const { given } = await told.load();
  told.take();
  await told.save(
    { cookie: ofBrowser, same: { n: 1 }, date: new Date(0), other: 2, made: 1, void: undefined },
    given,
  );
  assert.deepEqual(told.take(), ["update other,made,gone,void for 1800000"]);
});

test("after a save that failed, its changes count as unsaved", async () => {
  const told = new Told();
  told.failure = new FlotillaError("FLOTILLA_TEST", "no server answered");
  await assert.rejects(told.save({ cookie: ofBrowser, a: 1 }), { code: "FLOTILLA_TEST", status: 503 });
  await assert.rejects(told.load(), { code: "FLOTILLA_TEST", status: 503 });
  told.failure = null;
  assert.equal((await told.load()).fields, null);
  await told.save({ cookie: ofBrowser, a: 1 });
  const { fields, given } = await told.load();
  fields!.a = 2;
  told.failure = new FlotillaError("FLOTILLA_TEST", "no server answered");
  told.take();
  await assert.rejects(told.save(fields!, given), { code: "FLOTILLA_TEST", status: 503 });
  told.failure = null;
  await told.save(fields!, given);
  assert.deepEqual(told.take(), ["update a for 1800000", "update a for 1800000"]);
  assert.equal((await told.load()).fields!.a, 2);
});

test("one that is older than it may become now is none", async () => {
  const told = new Told();
  await told.save({ cookie: ofBrowser });
  const { sessions } = new Told({ ...told.place, absoluteTimeoutMs: 0 }, told.place.store);
  assert.equal(
    await new Promise((resolve) => sessions.load("sid", (_error, fields) => resolve(fields))),
    null,
  );
  assert.equal((await told.load()).fields, null);
});

test("a key that would take an object's methods away is not kept", async () => {
  const told = new Told();
  await told.save({ cookie: ofBrowser, ...JSON.parse('{"a":1}'), ...{ ["__proto__"]: { b: 1 } } });
  assert.deepEqual(Object.keys((await told.load()).fields!), ["cookie", "a"]);
  await assert.rejects(told.save({ cookie: ofBrowser, "\ud800": 1 }), {
    code: "FLOTILLA_SESSION_NOT_SERIALIZABLE",
  });
});
