import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { RecordProblem, readRecord } from "../checkpoint/record.ts";
import { decode } from "../value.ts";
import { keyOfSid } from "./key-of-sid.ts";
import { checkRecord, NoSession, recordOfStored } from "./stored-session.ts";

const now = Date.parse("2026-11-22T06:00:00Z");
const idle = 1_800_000;
const endless = Number.POSITIVE_INFINITY;

function made(value: unknown, leftMs: number = 60_000): ReturnType<typeof recordOfStored> {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return recordOfStored({ sid: "a sid", text, leftMs }, idle, now);
}

describe("a session of another library's store", () => {
  test("lives as long as the store says, whatever its JSON said when it was written", () => {
    const old = { cookie: { originalMaxAge: 60_000, expires: new Date(now - 5_000) } };
    assert.equal(made(old, 42_000.4)?.idleTimeoutMs, 42_001);
    assert.equal(made(old, 0.9), null);
    assert.equal(made({}, 1e15)?.idleTimeoutMs, 315_360_000_000, "ten years at most");
  });

  test("that no store ends, lives as long as it says itself, else as long as ours", () => {
    assert.equal(made({ cookie: { expires: new Date(now + 9_000) } }, endless)?.idleTimeoutMs, 9_000);
    assert.equal(made({ cookie: { expires: new Date(now) } }, endless), null);
    for (const expires of [null, false, "never", 7])
      assert.equal(made({ cookie: { expires } }, endless)?.idleTimeoutMs, idle);
    assert.equal(made({ cookie: null, a: 1 }, endless)?.idleTimeoutMs, idle);
  });

  test("of koa-session ends with what it compares itself, and keeps it", () => {
    const session = { user: 1, _expire: now + 5_000, _maxAge: 9_000 };
    const record = made(session, 15_000)!;
    assert.equal(record.idleTimeoutMs, 5_000);
    assert.deepEqual(record.data, session);
    assert.equal(made({ ...session, _expire: now }, 15_000), null);
  });

  test("has a cookie as ours have it: what is not said means no", () => {
    const express = { originalMaxAge: 59_999, expires: new Date(now), httpOnly: true, path: "/" };
    const plain = { path: "/", httpOnly: true, secure: false, sameSite: false };
    assert.deepEqual(made({ cookie: express })?.data.cookie, { ...plain, originalMaxAge: 59_999 });
    const fastify = {
      ...{ expires: null, originalMaxAge: null, sameSite: null, secure: null, path: "/", httpOnly: true },
      domain: null,
    };
    assert.deepEqual(made({ cookie: fastify })?.data.cookie, { ...plain, originalMaxAge: null });
    const all = {
      ...{ originalMaxAge: 1, path: "/a", domain: "x.org", httpOnly: false, secure: true },
      ...{ sameSite: "none", partitioned: true, priority: "high" },
    };
    assert.deepEqual(made({ cookie: all })?.data.cookie, all);
  });

  test("that is none is told without a word of it", () => {
    for (const text of ["", "{hidden", "[1]", '"hidden"', "null", "7"])
      assert.throws(
        () => made(text),
        (error) => error instanceof NoSession && !/hidden/.test(error.message),
        text,
      );
    const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
    assert.throws(() => made(`{"a":${deep}}`), RecordProblem);
    assert.ok(made({ text: "[{".repeat(1_000) }), "brackets in a text are no depth");
    for (const data of [{ save: 1 }, { cookie: { path: "/\r\n" } }, { cookie: 7 }])
      assert.throws(() => checkRecord(made(data)!), RecordProblem);
  });

  test("comes out of a record as any JSON that went in", () => {
    const names = fc.string({ minLength: 1 }).map((name) => `a-${name.toWellFormed()}`);
    const sessions = fc.dictionary(names, fc.jsonValue({ maxDepth: 3 }));
    fc.assert(
      fc.property(sessions, (session) => {
        const { key, entries } = readRecord(made(session)!).session;
        assert.equal(key, keyOfSid("a sid"));
        const read = Object.fromEntries([...entries].map(([name, { text }]) => [name, decode(text)]));
        assert.deepEqual(read, JSON.parse(JSON.stringify(session)));
      }),
      { seed: 7, numRuns: 200 },
    );
  });
});
