/** Data come back as they were, whatever text stands in them. */
import { seededRandom } from "../../support/clock.ts";
import { SessionEngineError } from "../stores/engine.ts";
import { holds, rejected, same } from "./check.ts";
import {
  type EngineBench,
  type EngineRule,
  hourMs,
  insert,
  keyOf,
  newborn,
  rowOf,
  write,
} from "./engine-bench.ts";
import type { TextKind } from "./suite-check.ts";

const key = keyOf("one");
const longest = 1_048_576;

const texts: Readonly<Record<string, string>> = {
  "4-byte UTF-8": "👩‍👩‍👧‍👦 𝄞 𠜎 \u{10ffff}",
  "quotes and backslashes": `'"\`\\ \\\\ \\" \\' '' "" \\u0041 \\n`,
  "what looks like SQL": "'); DROP TABLE flotilla_sessions; -- $1 $2 ? ?? :name @x %s %% {} /* */ #",
  "control characters": Array.from({ length: 31 }, (_, n) => String.fromCharCode(n + 1)).join(""),
  "line ends of Unicode": "\u2028\u2029\u0085\r\n\ufeff\uffff\ufffd",
  "composed and decomposed": "\u00e9 e\u0301 \u212b \u00c5",
  "right to left": "\u202eשלום مرحبا",
  empty: "",
  spaces: "  a  \t ",
};

const odd: Readonly<Record<TextKind, Readonly<Record<string, unknown>>>> = {
  nul: { text: "a\u0000b", "a\u0000b": 1 },
  "lone surrogates": { text: "a\ud800b\udfff", "a\ud800b\udfff": 1 },
  deep: { lists: JSON.parse("[".repeat(100) + "]".repeat(100)) },
};
const oddInWords: Readonly<Record<TextKind, string>> = {
  nul: "NUL characters",
  "lone surrogates": "halves of surrogate pairs",
  deep: "100 lists in each other",
};

async function comesBack({ a, b }: EngineBench, what: string, data: unknown): Promise<void> {
  const [made, changed] = [keyOf("made"), keyOf("changed")];
  await insert(a, made, data);
  await insert(a, changed, {});
  same(`replace() with ${what}`, await a.replace(changed, 1, write(data)), "done");
  for (const each of [made, changed])
    same(`${what}, read by the other process`, JSON.parse((await rowOf(b, each)).data), data);
  const listed = await b.list("", 2);
  for (const row of listed) same(`${what}, listed`, JSON.parse(row.data), data);
  await a.remove(made, "app-a");
  await a.remove(changed, "app-a");
}

async function isRefused({ a, b }: EngineBench, what: string, data: unknown): Promise<void> {
  await insert(a, key, { n: 1 });
  const attempts = {
    "insert()": () => a.insert(keyOf("new"), write(data), newborn),
    "replace()": () => a.replace(key, 1, write(data)),
  };
  for (const [operation, attempt] of Object.entries(attempts)) {
    const error = await rejected(`${operation} of data with ${what}, which it can't hold`, attempt());
    holds(
      `what ${operation} was rejected with`,
      error instanceof SessionEngineError && error.outcome === "unfit",
      "a SessionEngineError whose outcome is unfit",
      error,
    );
  }
  same("read() of what was not inserted", await b.read(keyOf("new")), null);
  same("data of what was not replaced", JSON.parse((await rowOf(b, key)).data), { n: 1 });
}

/** @returns any JSON value that a session may have in it. */
function anyValue(random: () => number, depth: number): unknown {
  const pick = Math.floor(random() * (depth > 3 ? 5 : 7));
  switch (pick) {
    case 0:
      return [true, false, null][Math.floor(random() * 3)];
    case 1:
      return Math.floor((random() - 0.5) * 2 ** Math.floor(random() * 54));
    case 2:
      return (random() - 0.5) * 10 ** Math.floor(random() * 40 - 20);
    case 3:
    case 4:
      return anyText(random);
    case 5:
      return Array.from({ length: Math.floor(random() * 4) }, () => anyValue(random, depth + 1));
    default:
      return anyObject(random, depth + 1);
  }
}

function anyObject(random: () => number, depth: number): Record<string, unknown> {
  const length = Math.floor(random() * 5);
  return Object.fromEntries(Array.from({ length }, () => [anyText(random), anyValue(random, depth)]));
}

/** Every code point but NUL and the halves of pairs, the lower ones more often. */
function anyText(random: () => number): string {
  const points = Array.from({ length: Math.floor(random() * 12) }, () => {
    const point = 1 + Math.floor(random() * 2 ** (7 + Math.floor(random() * 14)));
    return point > 0x10_ffff || (point >= 0xd800 && point <= 0xdfff) ? 0x61 : point;
  });
  return String.fromCodePoint(...points);
}

export const dataRules: readonly EngineRule[] = [
  [
    "data come back as they were: every kind of text, as a value and as a name",
    async (bench) => {
      for (const [what, text] of Object.entries(texts))
        await comesBack(bench, what, { [text]: text, nested: { [text]: [text, { [text]: null }] } });
      await comesBack(bench, "an empty object", {});
      await comesBack(bench, "names of objects' own", JSON.parse('{"__proto__":{"a":1},"constructor":1}'));
      await comesBack(bench, "numbers", { list: [0, -1, 1.5, 1e308, 5e-324, 2 ** 53 - 1, 0.1, -1e-7] });
    },
  ],
  ...(Object.keys(odd) as TextKind[]).map(
    (kind): EngineRule => [
      `data with ${oddInWords[kind]} come back, or are refused with nothing written`,
      async (bench) => {
        if (bench.suite.cannotHold?.includes(kind)) return isRefused(bench, kind, odd[kind]);
        await comesBack(bench, kind, odd[kind]);
      },
    ],
  ),
  [
    "data of 1 MiB come back: of one byte each, of four, and all escaped",
    async (bench) => {
      await comesBack(bench, "1 MiB of ASCII", { text: "x".repeat(longest) });
      await comesBack(bench, "1 MiB of 4-byte characters", { text: "𝄞".repeat(longest / 4) });
      await comesBack(bench, "512 KiB of quotes, 1 MiB as JSON", { text: '"'.repeat(longest / 2) });
    },
  ],
  [
    "data come back as they were: 300 seeded ones",
    async ({ a, b }) => {
      const random = seededRandom(7);
      const made = Array.from({ length: 300 }, () => anyObject(random, 0));
      await Promise.all(made.map((data, n) => insert(a, keyOf(n), data)));
      for (const [n, data] of made.entries())
        same(`data of seed 7, number ${n}`, JSON.parse((await rowOf(b, keyOf(n))).data), data);
    },
  ],
  [
    "200 sessions that are written at once are never mixed up",
    async ({ a, b }) => {
      const keys = Array.from({ length: 200 }, (_, n) => keyOf(n));
      await Promise.all(keys.map((each, n) => insert(n % 2 === 0 ? a : b, each, { of: each, n: 0 })));
      const rounds = keys.map(async (each, n) => {
        for (let round = 1; round <= 5; round++) {
          const engine = (n + round) % 2 === 0 ? a : b;
          const row = await rowOf(engine, each);
          same(`the data of ${each}, round ${round}`, JSON.parse(row.data), { of: each, n: round - 1 });
          const next = write({ of: each, n: round }, { idleTimeoutMs: hourMs });
          same("replace()", await engine.replace(each, row.version, next), "done");
        }
      });
      await Promise.all(rounds);
      same("count()", await b.count(), keys.length);
    },
  ],
];
