/** Checkpoints: what is written comes back as it was, and whatever else comes is told by its line, without its values. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { suite, test } from "node:test";
import fc from "fast-check";
import { codeOf, messageOf } from "../../support/errors.ts";
import { sessionAdmin as limits, session as sessionLimits } from "../../support/limits.ts";
import type { LivingSession } from "../admin/session-admin.ts";
import { Entry } from "../entry.ts";
import { reservedKeys } from "../session.ts";
import { KeySet } from "./key-set.ts";
import { type CheckpointItem, readCheckpoint } from "./reader.ts";
import { readRecord, recordText } from "./record.ts";
import { CheckpointWriter } from "./writer.ts";

const key = "QkD0vRaaaaaaaaaaaaaaaaaa";
const otherKey = "QkD0vRaaaaaaaaaaaaaaaaab";

function sessionOf(data: Readonly<Record<string, unknown>>, sessionKey = key): LivingSession {
  const entries = new Map(Object.entries(data).map(([name, value]) => [name, Entry.of(name, value)]));
  return {
    key: sessionKey,
    entries,
    idleTimeoutMs: 1_800_000,
    idleForMs: 12,
    ageMs: 34,
    absoluteTimeoutMs: Number.POSITIVE_INFINITY,
  };
}

function textsOf({ entries }: LivingSession): [string, string][] {
  return [...entries].map(([name, { text }]): [string, string] => [name, text]).sort();
}

async function read(text: string | Buffer, cutAt = Number.POSITIVE_INFINITY): Promise<CheckpointItem[]> {
  const bytes = Buffer.from(text);
  const chunks = async function* (): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, cutAt);
    if (cutAt < bytes.length) yield bytes.subarray(cutAt);
  };
  const items: CheckpointItem[] = [];
  for await (const item of readCheckpoint(chunks())) items.push(item);
  return items;
}

/** A file of these lines, with a right end. */
function fileOf(...lines: readonly string[]): string {
  const body = [`{"flotilla":"sessions","version":1}`, ...lines].map((line) => `${line}\n`).join("");
  return `${body}${JSON.stringify({ end: true, sessions: lines.length })}\n`;
}

const line = (fields: object): string =>
  JSON.stringify({ key, idleTimeoutMs: 1_000, data: { secret: "not-to-be-told" }, ...fields });

suite("a record", () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.date({ noInvalidDate: true }),
    fc.bigInt(),
    fc.constantFrom(
      Number.NaN,
      Number.POSITIVE_INFINITY,
      new Map([["a", new Set([1])]]),
      Buffer.from([0, 255]),
    ),
    fc.record({ $date: fc.integer() }),
  );
  const name = fc.string({ unit: "grapheme" }).filter((text) => !reservedKeys.has(text));

  test("comes back as it was committed, byte for byte", () => {
    fc.assert(
      fc.property(fc.dictionary(name, value), (data) => {
        const session = sessionOf(data);
        const text = recordText(session, "a2");
        const back = readRecord(JSON.parse(text));
        assert.deepEqual(textsOf(back.session), textsOf(session));
        assert.deepEqual({ ...back.session, entries: 0 }, { ...session, entries: 0 });
        assert.equal(back.owner, "a2");
        // As the command writes it, which has parsed it in between.
        assert.equal(
          JSON.stringify(JSON.parse(text)),
          JSON.stringify(JSON.parse(JSON.stringify(JSON.parse(text)))),
        );
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test("keeps its age, and at what age it ends", () => {
    const session = { ...sessionOf({}), absoluteTimeoutMs: 5_000 };
    assert.deepEqual(readRecord(JSON.parse(recordText(session, ""))).session, session);
  });

  test("keeps the settings of a cookie", () => {
    const settings = {
      originalMaxAge: 5,
      path: "/",
      httpOnly: true,
      secure: "auto",
      sameSite: "lax",
      partitioned: false,
    };
    const session = sessionOf({ cookie: settings });
    assert.deepEqual(textsOf(readRecord(JSON.parse(recordText(session, ""))).session), textsOf(session));
  });

  const refused: readonly [what: string, fields: object, says: RegExp][] = [
    ["a key that is too short", { key: "abc" }, /"key" is not 24 characters/],
    ["a key of other characters", { key: `${key.slice(1)}/` }, /"key" is not/],
    ["a key that is no text", { key: [key] }, /"key" is not/],
    ["a field that nobody knows", { expires: 1 }, /it has "expires"/],
    ["no timeout", { idleTimeoutMs: undefined }, /"idleTimeoutMs"/],
    ["a timeout of nothing", { idleTimeoutMs: 0 }, /"idleTimeoutMs"/],
    ["a timeout that is text", { idleTimeoutMs: "1000" }, /"idleTimeoutMs"/],
    ["a timeout of centuries", { idleTimeoutMs: 1e15 }, /"idleTimeoutMs"/],
    ["an idle time before its begin", { idleMs: -1 }, /"idleMs"/],
    ["an age that is text", { ageMs: "1" }, /"ageMs" is no time/],
    ["an end at its begin", { absoluteTimeoutMs: 0 }, /"absoluteTimeoutMs" is no time/],
    ["data that is a list", { data: [] }, /"data" is no JSON object/],
    ["no data", { data: null }, /"data" is no JSON object/],
    ["a name in both", { data: { a: 1 }, marked: { a: { $date: 0 } } }, /"a" is in "data" and in "marked"/],
    ["a mark that can't be read", { data: {}, marked: { a: { $bigint: "x" } } }, /"a" is no value/],
    ["a mark with the wrong inside", { data: {}, marked: { a: { $map: 5 } } }, /"a" is no value/],
    ["a name of the session's own", { data: { save: 1 } }, /"save" is a name of the session's own/],
    ["a cookie that breaks out of its header", { data: { cookie: { path: "/\r\nX: y" } } }, /"cookie" holds/],
    ["a cookie that is a text", { data: { cookie: "x" } }, /"cookie" holds/],
    ["an owner that is no letter", { owner: "app-a" }, /"owner"/],
    ["a name with controls", { data: { "\u001b[31m": { toString: 1 }, save: 1 } }, /"save"/],
    ["more than a session holds", { data: { a: "x".repeat(sessionLimits.dataBytesMax) } }, /holds more than/],
    [
      "more than a session holds, in parts",
      { data: { a: "x".repeat(700_000), b: "x".repeat(700_000) } },
      /holds more than/,
    ],
  ];
  for (const [what, fields, says] of refused)
    test(`is refused: ${what}`, () => {
      assert.throws(
        () => readRecord(JSON.parse(line(fields))),
        (error) => {
          assert.match(messageOf(error), says);
          assert.doesNotMatch(messageOf(error), /not-to-be-told/);
          return true;
        },
      );
    });

  test("A40: __proto__ is refused, and changes nothing", () => {
    assert.throws(() =>
      readRecord(JSON.parse(`{"key":"${key}","idleTimeoutMs":1,"data":{"__proto__":{"admin":1}}}`)),
    );
    assert.throws(() =>
      readRecord(JSON.parse(`{"key":"${key}","idleTimeoutMs":1,"data":{},"__proto__":{"data":1}}`)),
    );
    assert.equal(({} as { admin?: number }).admin, undefined);
  });
});

suite("a checkpoint", () => {
  const writer = new CheckpointWriter();
  const text = [
    writer.header({ cluster: "app", idKey: "0123", takenAt: "2026-11-21T00:00:00Z", sessions: 2 }),
    writer.session(JSON.parse(recordText(sessionOf({ name: "Jürgen \u2028 🛒" }), "a"))),
    writer.session(JSON.parse(recordText(sessionOf({ since: new Date(0) }, otherKey), "b"))),
    writer.end(),
  ].join("");

  test("is read as it was written, wherever its bytes are parted", async () => {
    const length = Buffer.byteLength(text);
    for (let cutAt = 0; cutAt <= length; cutAt += 7) {
      const items = await read(text, cutAt);
      assert.deepEqual(
        items.map(({ kind }) => kind),
        ["header", "session", "session", "end"],
      );
    }
  });

  test("is read without its last line end, and without a digest", async () => {
    assert.equal((await read(text.trimEnd())).length, 4);
    assert.equal((await read(fileOf(line({})))).length, 3);
  });

  test("that was cut anywhere is refused", async () => {
    const bytes = Buffer.from(text);
    for (let length = 0; length < bytes.length - 1; length++)
      await assert.rejects(read(bytes.subarray(0, length)), { code: "FLOTILLA_CHECKPOINT_WRONG" });
  });

  test("of which a byte was changed is refused, or its line is", async () => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length - 1; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      const items = await read(changed).catch((error: unknown) => codeOf(error));
      assert.ok(
        items === "FLOTILLA_CHECKPOINT_WRONG" ||
          (Array.isArray(items) && items.some(({ kind }) => kind === "problem")),
        `byte ${at}`,
      );
    }
  });

  test("another digest, a line too few, a line after the end", async () => {
    await assert.rejects(read(text.replace(/"sha256":"./, '"sha256":"x')), /line 4: it was changed/);
    await assert.rejects(
      read(text.split("\n").toSpliced(1, 1).join("\n")),
      /line 3: it should have 2 sessions and has 1/,
    );
    await assert.rejects(read(`${text}{}\n`), /line 5: something follows/);
  });

  test("that is none: another file, an empty one, one of a later release", async () => {
    await assert.rejects(read(""), /line 1: it is empty/);
    await assert.rejects(read("<html>\n"), /it is no checkpoint/);
    await assert.rejects(read("null\n"), /it is no checkpoint/);
    await assert.rejects(read('{"flotilla":"sessions","version":2}\n'), /its version is not 1/);
  });

  const wrongLines: readonly [what: string, wrong: string | Buffer, says: string][] = [
    ["no JSON", '{"secret":not-to-be-told}', "it is no JSON"],
    ["no object", "7", "it is no JSON object"],
    ["no UTF-8", Buffer.from([0x22, 0xff, 0x22]), "it is not UTF-8"],
    ["a tower of lists", `{"a":${"[".repeat(100_000)}`, "it is nested too deep"],
    [
      "a tower in data",
      line({ data: JSON.parse(`{"a":${"[".repeat(105)}${"]".repeat(105)}}`) }),
      '"a" is no value that a session can hold',
    ],
  ];
  for (const [what, wrong, says] of wrongLines)
    test(`a line that is ${what} is told, and those after it are read`, async () => {
      const [head, end] = fileOf("?").split("?\n");
      const items = await read(
        Buffer.concat([Buffer.from(head!), Buffer.from(wrong), Buffer.from(`\n${end}`)]),
      );
      assert.deepEqual(items[1], { kind: "problem", line: 2, why: says });
      assert.equal(items[2]!.kind, "end");
    });

  test("the same key twice", async () => {
    const items = await read(fileOf(line({}), line({ key: otherKey }), line({})));
    assert.deepEqual(items[3], { kind: "problem", line: 4, why: "a line above has the same key" });
  });

  test("a line without end costs no more than the longest that may be", async () => {
    let given = 0;
    const endless = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('{"flotilla":"sessions","version":1}\n');
      for (;;) {
        given += 65_536;
        yield Buffer.alloc(65_536, "x");
      }
    };
    const all = async (): Promise<void> => {
      for await (const item of readCheckpoint(endless())) assert.equal(item.kind, "header");
    };
    await assert.rejects(all(), /line 2: it is longer than/);
    assert.ok(given <= limits.sessionTextBytesMax + 65_536);
  });
});

test("keys that were seen are known again, all others are new", () => {
  const keys = new KeySet();
  const of = (n: number): string => createHash("sha256").update(String(n)).digest("base64url").slice(0, 24);
  for (let n = 0; n < 50_000; n++) assert.equal(keys.add(of(n)), true);
  for (let n = 0; n < 50_000; n++) assert.equal(keys.add(of(n)), false);
});
