/** Who is told of what: the holder of a row, when another wrote or removed it, and before `prove()` resolves. */
import type { NoticeChannel } from "../stores/engine.ts";
import { holds, same, settles, within } from "./check.ts";
import { type EngineBench, type EngineRule, hourMs, insert, keyOf, newborn, write } from "./engine-bench.ts";

const key = keyOf("one");
const [ofA, ofB] = [
  { writer: "app-a", holder: "app-a" },
  { writer: "app-b", holder: "app-b" },
];

interface Listener {
  readonly told: string[];
  readonly channel: NoticeChannel;
}

async function listening(
  { a, b }: EngineBench,
  check: (ofA: Listener, ofB: Listener) => Promise<void>,
  holders: readonly [string, string] = ["app-a", "app-b"],
): Promise<void> {
  const [toldA, toldB]: [string[], string[]] = [[], []];
  const channelA = await a.listen(holders[0], (each) => toldA.push(each));
  const channelB = await b.listen(holders[1], (each) => toldB.push(each));
  try {
    await check({ told: toldA, channel: channelA }, { told: toldB, channel: channelB });
  } finally {
    channelA.close();
    channelB.close();
  }
}

/** All that was told until now, and each of them once. */
async function toldTo(what: string, { told, channel }: Listener): Promise<string[]> {
  await settles(`prove() of the channel of ${what}`, channel.prove(), 10_000);
  return [...new Set(told.splice(0))].sort();
}

async function expectTold(
  what: string,
  a: Listener,
  b: Listener,
  toA: string[],
  toB: string[],
): Promise<void> {
  same(`${what}: told to the first holder`, await toldTo("the first holder", a), toA);
  same(`${what}: told to the second holder`, await toldTo("the second holder", b), toB);
}

export const noticeRules: readonly EngineRule[] = [
  [
    "the holder is told when another process writes or removes its row; when it does so itself nobody is",
    (bench) =>
      listening(bench, async (ofFirst, ofSecond) => {
        const { a, b } = bench;
        await insert(a, key, { n: 1 }, ofA);
        await expectTold("a new row", ofFirst, ofSecond, [], []);
        same("replace()", await a.replace(key, 1, write({ n: 2 }, ofA)), "done");
        await expectTold("written by its holder", ofFirst, ofSecond, [], []);
        same("replace()", await b.replace(key, 2, write({ n: 3 }, ofB)), "done");
        await expectTold("taken over by the second", ofFirst, ofSecond, [key], []);
        same("replace()", await a.replace(key, 3, write({ n: 4 }, { ...ofB, writer: "app-a" })), "done");
        await expectTold("written by the first, held by the second", ofFirst, ofSecond, [], [key]);
        await b.remove(key, "app-b");
        await expectTold("removed by its holder", ofFirst, ofSecond, [], []);
        await insert(a, key, { n: 1 }, ofA);
        await b.remove(key, "app-b");
        await expectTold("removed by the other one", ofFirst, ofSecond, [key], []);
      }),
  ],
  [
    "a row whose holder gives it up is told to nobody when the holder itself wrote, to the holder of before otherwise",
    (bench) =>
      listening(bench, async (ofFirst, ofSecond) => {
        const { a, b } = bench;
        await insert(a, key, { n: 1 }, ofA);
        await a.replace(key, 1, write({ n: 2 }, { writer: "app-a", holder: "" }));
        await expectTold("given up by the holder", ofFirst, ofSecond, [], []);
        await b.replace(key, 2, write({ n: 3 }, ofB));
        await expectTold("a row that nobody held", ofFirst, ofSecond, [], []);
        await a.replace(key, 3, write({ n: 4 }, { writer: "app-a", holder: "" }));
        await expectTold("taken away from the second", ofFirst, ofSecond, [], [key]);
        await insert(a, keyOf("two"), {}, { holder: "app-c" });
        same("replace()", await b.replace(keyOf("two"), 1, write({}, ofB)), "done");
        await expectTold("held by one who does not listen", ofFirst, ofSecond, [], []);
      }),
  ],
  [
    "touches are told to nobody, nor is what was not done",
    (bench) =>
      listening(bench, async (ofFirst, ofSecond) => {
        const { a, b } = bench;
        await insert(a, key, { n: 1 }, ofA);
        await b.touch([{ key, idleTimeoutMs: hourMs }]);
        same("insert()", await b.insert(key, write({}, ofB), newborn), false);
        same("replace()", await b.replace(key, 9, write({}, ofB)), "changed");
        await b.read(key);
        await expectTold("reads, touches and refused writes", ofFirst, ofSecond, [], []);
      }),
  ],
  [
    "prove(): all that was committed before it was called has been told when it resolves",
    (bench) =>
      listening(bench, async (ofFirst, ofSecond) => {
        const { a, b } = bench;
        for (let round = 0; round < 20; round++) {
          const keys = Array.from({ length: 5 }, (_, n) => keyOf(`r${round}n${n}`));
          await Promise.all(keys.map((each) => insert(a, each, {}, ofA)));
          await Promise.all(
            keys.map(async (each, n) =>
              n === 0 ? b.remove(each, "app-b") : void (await b.replace(each, 1, write({}, ofB))),
            ),
          );
          await expectTold(`round ${round}`, ofFirst, ofSecond, keys, []);
        }
      }),
  ],
  [
    "prove(): many at once, with nothing to tell, and while 200 rows are written",
    (bench) =>
      listening(bench, async (ofFirst, ofSecond) => {
        const { a, b } = bench;
        const proofs = Array.from({ length: 20 }, () => ofFirst.channel.prove());
        await settles("20 prove()s at once", Promise.all(proofs), 10_000);
        const keys = Array.from({ length: 200 }, (_, n) => keyOf(n)).sort();
        await Promise.all(keys.map((each) => insert(a, each, {}, ofA)));
        let isWriting = true;
        const proving = (async () => {
          while (isWriting) await ofFirst.channel.prove();
        })();
        await Promise.all(keys.map((each) => b.replace(each, 1, write({}, ofB))));
        isWriting = false;
        await proving;
        await expectTold("200 rows", ofFirst, ofSecond, keys, []);
      }),
  ],
  [
    "listen(): holders whose names are alike are told nothing of each other's rows",
    async (bench) => {
      const alike: [string, string][] = [
        ["app", "APP"],
        ["app-1", "app-10"],
        ["app-1/2", "app-1/1"],
        ["app.a b'\"", "app.a b'"],
      ];
      for (const [n, [one, other]] of alike.entries())
        await listening(
          bench,
          async (first, second) => {
            const [mine, theirs] = [keyOf(`mine${n}`), keyOf(`theirs${n}`)];
            await insert(bench.a, mine, {}, { writer: one, holder: one });
            await insert(bench.b, theirs, {}, { writer: other, holder: other });
            await bench.b.replace(mine, 1, write({}, { writer: other, holder: other }));
            await expectTold(`${one} and ${other}`, first, second, [mine], []);
            await bench.a.remove(theirs, one);
            await expectTold(`${one} and ${other}`, first, second, [], [theirs]);
          },
          [one, other],
        );
    },
  ],
  [
    "listen(): a channel that is closed tells nothing more, and the next one begins with its own time",
    async ({ a, b }) => {
      await insert(a, key, { n: 1 }, ofA);
      const before: string[] = [];
      const closed = await a.listen("app-a", (each) => before.push(each));
      closed.close();
      same("replace()", await b.replace(key, 1, write({ n: 2 }, ofB)), "done");
      const told: string[] = [];
      const channel = await a.listen("app-a", (each) => told.push(each));
      await channel.prove();
      same("told by the channel that was closed", before, []);
      await insert(a, keyOf("two"), {}, ofA);
      await b.remove(keyOf("two"), "app-b");
      await channel.prove();
      holds("told by the next channel", told.includes(keyOf("two")), `${keyOf("two")} among them`, told);
      channel.close();
    },
  ],
  [
    "proveIntervalMs: once a second at the least, and no storm of questions",
    async ({ a }) => within("proveIntervalMs", a.proveIntervalMs, 20, 1_000),
  ],
];
