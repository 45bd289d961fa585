import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { idLength, processIndexMax, readCookie, SessionIds, slotCount } from "./id.ts";

const secret = Buffer.alloc(32, 1);
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const letters = alphabet.slice(0, 62);
const seeded = { seed: 20, numRuns: 300 };

function ids(
  options: { secret?: Buffer; previous?: Buffer; cluster?: string; max?: number } = {},
): SessionIds {
  return new SessionIds(
    options.secret ?? secret,
    options.previous ?? null,
    options.cluster ?? "app",
    options.max,
  );
}

describe("session ids", () => {
  test("say what they were made of, and need no quoting in a cookie", () => {
    const letter = fc.constantFrom(...letters);
    const parts = fc.tuple(
      letter,
      fc.constantFrom(...letters, "-"),
      fc.nat(slotCount - 1),
      fc.nat(processIndexMax),
    );
    const maker = ids();
    const checker = ids();
    fc.assert(
      fc.property(parts, ([owner, backup, slot, processIndex]) => {
        const text = maker.create(owner, backup, slot, processIndex);
        assert.match(text, /^[A-Za-z0-9][A-Za-z0-9-][\w-]{25}\.[\w-]{22}$/);
        assert.equal(text[0], owner);
        assert.equal(text[1], backup);
        for (const who of [maker, checker]) {
          const id = who.verify(text);
          assert.ok(id !== null);
          assert.deepEqual({ ...id }, { text, owner, backup, slot, processIndex, key: text.slice(3, 27) });
        }
      }),
      seeded,
    );
  });

  test("A39: any one character changed, cut, added or moved is no id", () => {
    const text = ids().create("a", "b", 17, 2);
    const checker = ids();
    fc.assert(
      fc.property(fc.nat(idLength - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, other) => {
        const edited = text.slice(0, at) + other + text.slice(at + 1);
        fc.pre(edited !== text);
        assert.equal(checker.verify(edited), null);
      }),
      seeded,
    );
    for (const letter of letters.replace("a", "")) assert.equal(checker.verify(letter + text.slice(1)), null);
    for (let length = 0; length < idLength; length++)
      assert.equal(checker.verify(text.slice(0, length)), null);
    for (const wrong of [
      `${text}A`,
      ` ${text}`,
      `"${text}"`,
      text.repeat(1_000),
      "",
      "a-",
      "\u{1F36A}".repeat(25),
    ]) {
      assert.equal(checker.verify(wrong), null);
    }
    assert.equal(checker.remembered, 0);
    assert.ok(checker.verify(text));
  });

  test("every character of the signature counts: no second spelling of one id", () => {
    const text = ids().create("a", "-", 0, 0);
    const checker = ids();
    for (const last of alphabet) {
      assert.equal(checker.verify(text.slice(0, -1) + last) !== null, last === text.at(-1));
    }
  });

  test("are worth nothing in another cluster or under another secret", () => {
    const text = ids().create("a", "-", 0, 0);
    assert.equal(ids({ cluster: "shop" }).verify(text), null);
    assert.equal(ids({ secret: randomBytes(32) }).verify(text), null);
  });

  test("outlive a change of the secret as long as the old one is named", () => {
    const old = ids().create("a", "-", 0, 0);
    const next = Buffer.alloc(32, 2);
    const changed = ids({ secret: next, previous: secret });
    assert.ok(changed.verify(old));
    assert.equal(ids().verify(changed.create("a", "-", 0, 0)), null, "the old secret makes no new ids");
    assert.equal(ids({ secret: next }).verify(old), null);
  });

  test("are never the same twice", () => {
    const maker = ids();
    const made = new Set(Array.from({ length: 2_000 }, () => maker.create("a", "-", 0, 0)));
    assert.equal(made.size, 2_000);
  });

  test("refuse letters, slots and process indexes that do not exist", () => {
    const maker = ids();
    for (const owner of ["", "-", "_", "ab", "é"])
      assert.throws(() => maker.create(owner, "-", 0, 0), RangeError);
    assert.throws(() => maker.create("a", "_", 0, 0), RangeError);
    for (const slot of [-1, slotCount, 0.5]) assert.throws(() => maker.create("a", "-", slot, 0), RangeError);
    for (const index of [-1, 64, Number.NaN])
      assert.throws(() => maker.create("a", "-", 0, index), RangeError);
  });

  test("that are good are remembered within the bound; forged ones push none out", () => {
    const maker = ids();
    const good = Array.from({ length: 50 }, () => maker.create("a", "-", 0, 0));
    const checker = ids({ max: 20 });
    for (const text of good) {
      assert.ok(checker.verify(text));
      assert.ok(checker.remembered <= 20);
    }
    const before = checker.remembered;
    for (const text of good) checker.verify(`b${text.slice(1)}`);
    assert.equal(checker.remembered, before);
  });

  test("in constant use stay remembered while others come and go", () => {
    const maker = ids();
    const checker = ids({ max: 20 });
    const steady = checker.verify(maker.create("a", "-", 0, 0))!;
    for (let i = 0; i < 200; i++) {
      checker.verify(maker.create("a", "-", 0, 0));
      assert.equal(checker.verify(steady.text), steady, "the remembered object itself");
    }
  });
});

describe("the Cookie field", () => {
  test("yields the cookie of exactly that name", () => {
    const cases: [header: string, value: string][] = [
      ["sid=1", "1"],
      ["a=b; sid=1", "1"],
      ["a=b;sid=1;c=d", "1"],
      ["a=b; \t sid= 1 ; c=d", "1"],
      ["xsid=2; sidx=3; sid=1", "1"],
      ["a=sid=2; sid=1", "1"],
      ["a=x sid=2; sid=1", "1"],
      ["sid; sid=1", "1"],
      ["sid=1; sid=2", "1"],
      ["SID=1", ""],
      ["sid", ""],
      ["sid=", ""],
      ["sid =1", ""],
      ["", ""],
    ];
    for (const [header, value] of cases) assert.equal(readCookie(header, "sid"), value, header);
  });

  test("agrees with a plain split for any text", () => {
    const piece = fc.constantFrom("sid", "=", ";", " ", "\t", "x", "1", "sid=1", "; sid=");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const header = pieces.join("");
        const pair = header.split(";").find((part) => part.replace(/^[ \t]+/, "").startsWith("sid="));
        const value =
          pair === undefined ? "" : pair.slice(pair.indexOf("sid=") + 4).replace(/^[ \t]+|[ \t]+$/g, "");
        assert.equal(readCookie(header, "sid"), value, JSON.stringify(header));
      }),
      { ...seeded, numRuns: 2_000 },
    );
  });

  test("with several cookies of the name: the first that was made here, of the first four", () => {
    const maker = ids();
    const good = maker.create("a", "-", 0, 0);
    const forged = `b${good.slice(1)}`;
    assert.equal(maker.fromCookie(`sid=planted; sid=${forged}; sid=${good}`, "sid")?.text, good);
    assert.equal(maker.fromCookie(`${`sid=${forged}; `.repeat(4)}sid=${good}`, "sid"), null);
    assert.equal(maker.fromCookie(`other=${good}`, "sid"), null);
  });
});

test("an id with other letters and process is signed, and is the same session's", () => {
  const ids = new SessionIds(Buffer.alloc(32, 1), null, "app");
  const id = ids.verify(ids.create("a", "b", 77, 2))!;
  const { text } = ids.reissue(id, "b", "-", 3);
  const other = new SessionIds(Buffer.alloc(32, 1), null, "app").verify(text)!;
  assert.deepEqual([other.owner, other.backup, other.slot, other.processIndex], ["b", "-", 77, 3]);
  assert.equal(other.key, id.key);
  assert.throws(() => ids.reissue(id, "-", "b", 0), RangeError);
  assert.throws(() => ids.reissue(id, "a", "b", 64), RangeError);
});
