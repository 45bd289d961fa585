import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Entry } from "./entry.ts";
import { decode, encode, isSame } from "./value.ts";

const seeded = { seed: 37, numRuns: 500 };

/** What comes back exactly as it was: everything but -0, invalid dates and undefined. */
const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.double().map((number) => (number === 0 ? 0 : number)),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.array(tie("value")),
    fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom("$date", "$plain", "$map", "constructor")),
      tie("value"),
      {
        noNullPrototype: true,
      },
    ),
    fc.array(fc.tuple(tie("value"), tie("value"))).map((pairs) => new Map(pairs)),
    fc.array(tie("value")).map((items) => new Set(items)),
  ),
}));

function refusal(value: unknown, code = "FLOTILLA_SESSION_NOT_SERIALIZABLE"): string {
  try {
    encode(value, "cart");
  } catch (error) {
    assert.equal((error as { code?: string }).code, code);
    return (error as Error).message;
  }
  return "";
}

describe("values of a session", () => {
  test("come back as they were", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const text = encode(value, "key");
        assert.deepEqual(decode(text), value);
        assert.equal(encode(decode(text), "key"), text);
      }),
      seeded,
    );
  });

  test("are found unchanged exactly when their text is", () => {
    fc.assert(
      fc.property(anyValue, anyValue, (one, other) => {
        const text = encode(one, "key");
        assert.equal(
          isSame(decode(text), decode(text)) || Buffer.isBuffer(one) || text.includes("$bytes"),
          true,
        );
        if (encode(other, "key") !== text) assert.equal(isSame(other, decode(text)), false);
      }),
      seeded,
    );
  });

  test("are plain JSON where JSON is enough", () => {
    const cart = { items: [{ sku: "a", price: 9.5, note: undefined }], $: 1, "": null };
    assert.equal(encode(cart, "cart"), JSON.stringify(cart));
  });

  test("follow JSON: instances become plain objects, toJSON is honoured, undefined vanishes", () => {
    class Cart {
      items = [1];
      total(): number {
        return 1;
      }
    }
    assert.deepEqual(decode(encode(new Cart(), "cart")), { items: [1] });
    assert.equal(decode(encode(new URL("http://a.example/"), "url")), "http://a.example/");
    assert.deepEqual(decode(encode([undefined, new Date(0)], "key")), [null, new Date(0)]);
    const same = {
      n: 1,
      toJSON() {
        return this;
      },
    };
    assert.equal(encode(same, "same"), JSON.stringify(same));
    assert.deepEqual(decode(encode({ ...same, big: 1n }, "same")), { n: 1, big: 1n });
    assert.throws(() => encode({ ...same, f() {} }, "same"), /same\.f can't be kept: it is a function/);
    assert.throws(
      () => encode({ toJSON: () => [same, { toJSON: 1, same: same.toJSON }] }, "same"),
      /function/,
    );
  });

  test("R37: what can't be kept is refused with its path", () => {
    const cycle: { self?: unknown } = {};
    cycle.self = [cycle];
    let deep: unknown = 1;
    for (let i = 0; i < 200; i++) deep = { deep };
    const cases: [value: unknown, message: RegExp][] = [
      [
        { items: [0, 1, 2, { fn() {} }] },
        /^req\.session\.cart\.items\[3\]\.fn can't be kept: it is a function/,
      ],
      [() => {}, /^req\.session\.cart can't/],
      [{ "a b": Symbol("x") }, /^req\.session\.cart\["a b"\] can't be kept: it is a symbol/],
      [{ user: Promise.resolve() }, /cart\.user can't be kept: it is a promise \(a missing await\?\)/],
      [new Map([["a", /x/]]), /cart\[1\] can't be kept: it is a RegExp/],
      [[new WeakMap()], /cart\[0\] can't be kept: it is a WeakMap/],
      [{ error: new Error("x") }, /cart\.error can't be kept: it is a Error/],
      [cycle, /cart\.self\[0\] can't be kept: it refers back to itself/],
      [deep, /nested deeper than 100 levels/],
      [{ toJSON: () => undefined }, /its toJSON\(\) returns nothing/],
      [
        {
          items: [
            {
              get price() {
                throw new Error("no price");
              },
            },
          ],
        },
        /^req\.session\.cart\.items\[0\]\.?.* can't be kept: to read it throws "no price"/,
      ],
    ];
    for (const [value, message] of cases) assert.match(refusal(value), message);
    assert.throws(
      () => encode(1, "\ud800"),
      /^FlotillaError: req\.session\["\\ud800"\] can't be kept: its name has half a character/,
    );
    const shared = { a: 1 };
    assert.equal(refusal({ one: shared, two: shared }), "", "twice the same is no cycle");
  });

  test("what must become too large is refused before it is made", () => {
    const holes: unknown[] = [];
    holes[2 ** 32 - 2] = 1;
    let doubled: unknown = [1];
    for (let level = 0; level < 60; level++) doubled = [doubled, doubled];
    const many = Array.from({ length: 600_000 }, (_, n) => n);
    const cases: [value: unknown, message: RegExp][] = [
      [{ items: holes }, /^req\.session\.cart\.items goes beyond the 1048576 bytes/],
      [{ tree: doubled }, /^req\.session\.cart\.tree(\[\d\])+ goes beyond/],
      [{ note: "x".repeat(2_000_000) }, /cart\.note goes beyond/],
      [{ photo: Buffer.alloc(2_000_000) }, /cart\.photo goes beyond/],
      [new Map(many.map((n) => [n, n])), /cart goes beyond/],
      [new Set(many), /cart goes beyond/],
    ];
    for (const [value, message] of cases) assert.match(refusal(value, "FLOTILLA_SESSION_TOO_LARGE"), message);
    assert.equal(refusal("x".repeat(1_000_000)), "");
    assert.equal(isSame(new Set(many), new Set([1])), false);
  });

  test("A40: __proto__ and constructor are names like any other", () => {
    const hostile = JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}');
    for (const value of [hostile, { hostile, when: new Date(0) }]) {
      const back = decode(encode(value, "key")) as Record<string, unknown>;
      assert.equal(({} as { admin?: boolean }).admin, undefined);
      assert.equal((back as { admin?: boolean }).admin, undefined);
      const inner = (value === hostile ? back : Object.values(back)[0]) as object;
      assert.ok(Object.hasOwn(inner, "__proto__"));
      assert.equal(Object.getPrototypeOf(inner), Object.prototype);
    }
  });
});

describe("an entry", () => {
  test("lends its value to one request at a time", () => {
    const entry = Entry.of("cart", { items: [1] });
    const first = entry.take() as { items: number[] };
    const second = entry.take() as { items: number[] };
    assert.notEqual(first, second);
    first.items.push(2);
    assert.equal(entry.holds(first), false);
    assert.equal(entry.holds(second), true);
    entry.giveBack(second);
    assert.equal(entry.take(), second, "no parsing for the next one");
  });
});
