/** Changes by two processes at the same time, and what must be left of them. */
import { seededRandom } from "../../support/clock.ts";
import { session as limits } from "../../support/limits.ts";
import { holds, same } from "./check.ts";
import { agreed, bothSee, type StoreBench, type StoreProcess, type StoreRule } from "./store-bench.ts";

const gone = "FLOTILLA_SESSION_GONE";
const contended = "FLOTILLA_SESSION_CONTENDED";

/** So many, every other one by the other process. */
function byTurns({ a, b }: StoreBench, count: number): [process: StoreProcess, number: number][] {
  return Array.from({ length: count }, (_, number) => [number % 2 === 0 ? a : b, number]);
}

/** So many sessions at once that they meet, and not so many that a busy machine can't answer each in time. */
async function inGroups<Item, Result>(
  items: readonly Item[],
  act: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += 20)
    results.push(...(await Promise.all(items.slice(from, from + 20).map(act))));
  return results;
}

export const changeRules: readonly StoreRule[] = [
  [
    "a new id names nothing before create(); what one process creates the other one finds",
    async (bench) => {
      const id = bench.a.newId();
      for (const process of [bench.a, bench.b])
        same(`load() by ${process.name} before create()`, await process.look(id), null);
      same("create()", await bench.a.create(id, { user: "anna", cart: { items: [1] } }), "done");
      await bothSee(bench, "after create()", id, { user: "anna", cart: { items: [1] } });
      const renewed = bench.b.store.renewed(id);
      same("the key of a renewed id", renewed?.key ?? id.key, id.key);
    },
  ],
  [
    "update() writes the keys that it names, and no other",
    async (bench) => {
      const id = await bench.a.begin({ kept: 1, changed: 1, gone: 1 });
      same("update()", await bench.b.update(id, { changed: 2, gone: undefined, made: 3 }), "done");
      await bothSee(bench, "after update()", id, { kept: 1, changed: 2, made: 3 });
      same("update() of nothing", await bench.a.update(id, {}), "done");
      await bothSee(bench, "after update() of nothing", id, { kept: 1, changed: 2, made: 3 });
    },
  ],
  [
    "different keys that are changed at the same time: both changes stay",
    async (bench) => {
      const id = await bench.a.begin({ start: true });
      for (let round = 0; round < 10; round++) {
        const writes = byTurns(bench, 10).map(([process, n]) => process.update(id, { [`key${n}`]: round }));
        same(`10 update()s at once, round ${round}`, [...new Set(await Promise.all(writes))], ["done"]);
      }
      const expected = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`key${n}`, 9]));
      await bothSee(bench, "after 10 rounds of 10 update()s at once", id, { start: true, ...expected });
    },
  ],
  [
    "the same key: the later change stays",
    async (bench) => {
      const id = await bench.a.begin({ n: 0 });
      for (const [process, n] of byTurns(bench, 20)) {
        same("update()", await process.update(id, { n }), "done");
      }
      await bothSee(bench, "after 20 update()s one after the other", id, { n: 19 });
    },
  ],
  [
    "the same key at the same time: one of both stays, and both processes agree on it",
    async (bench) => {
      const id = await bench.a.begin({ n: "start" });
      const values = new Set<string>();
      const writes = byTurns(bench, 20).map(([process, n]) => {
        if (n >= 18) values.add(`v${n}`);
        return process.update(id, { n: `v${n}` });
      });
      same("20 update()s at once", [...new Set(await Promise.all(writes))], ["done"]);
      const left = await agreed(bench, "after 20 update()s of one key at once", id);
      holds(
        "what is left",
        values.has(String(left?.n)),
        `one of ${[...values].join()}, the last of each process`,
        left,
      );
    },
  ],
  [
    "destroyed stays destroyed: under later changes, comparisons, and touches of the other process",
    async (bench) => {
      const { a, b } = bench;
      const id = await a.begin({ user: "anna" });
      await bothSee(bench, "before destroy()", id, { user: "anna" });
      same("destroy()", await a.destroy(id), "done");
      same("update() by the other process", await b.update(id, { user: "again" }), gone);
      same("compareAndSet()", await b.compareAndSet(id, { user: "again" }, { user: "anna" }), gone);
      same("update() by the same process", await a.update(id, { user: "again" }), gone);
      a.touch(id);
      b.touch(id);
      await bothSee(bench, "after destroy()", id, null);
      same("destroy() again", await b.destroy(id), "done");
    },
  ],
  [
    "destroy() at the same time as changes of the other process: it is gone, whoever came first",
    async (bench) => {
      for (let round = 0; round < 15; round++) {
        const [destroyer, writer] = round % 2 === 0 ? [bench.a, bench.b] : [bench.b, bench.a];
        const id = await bench.a.begin({ n: 0 });
        const [destroyed, ...changed] = await Promise.all([
          destroyer.destroy(id),
          writer.update(id, { n: 1 }),
          writer.update(id, { m: 1 }),
          writer.compareAndSet(id, { n: 2 }, { n: 1 }),
        ]);
        same("destroy()", destroyed, "done");
        for (const outcome of changed)
          holds("a change meanwhile", outcome === "done" || outcome === gone, `"done" or ${gone}`, outcome);
        await bothSee(bench, `after both, round ${round}`, id, null);
      }
    },
  ],
  [
    "update() and compareAndSet() never create",
    async (bench) => {
      const id = bench.b.newId();
      same("update() of what never was", await bench.a.update(id, { n: 1 }), gone);
      same(
        "compareAndSet() of what never was",
        await bench.b.compareAndSet(id, { n: 1 }, { n: undefined }),
        gone,
      );
      bench.a.touch(id);
      await bothSee(bench, "afterwards", id, null);
    },
  ],
  [
    "compareAndSet(): 2 processes x 50 increments at the same time, none lost",
    async (bench) => {
      const id = await bench.a.begin({ total: 0, other: "stays" });
      const add = async (process: StoreProcess): Promise<void> => {
        for (let tries = 1; ; tries++) {
          const total = (await process.data(id))!.total as number;
          const outcome = await process.compareAndSet(id, { total: total + 1 }, { total });
          if (outcome === "done") return;
          same("compareAndSet()", outcome, contended);
          holds("tries of one increment", tries < 2_000, "less than 2,000", tries);
        }
      };
      const addAll = async (process: StoreProcess): Promise<void> => {
        await Promise.all(
          Array.from({ length: 5 }, async () => {
            for (let n = 0; n < 10; n++) await add(process);
          }),
        );
      };
      await Promise.all([addAll(bench.a), addAll(bench.b)]);
      await bothSee(bench, "after 100 increments", id, { total: 100, other: "stays" });
    },
  ],
  [
    "compareAndSet(): says so when a key is not what the caller thought, and writes nothing",
    async (bench) => {
      const { a, b } = bench;
      const id = await a.begin({ n: 1, m: 1 });
      same("update()", await b.update(id, { n: 2 }), "done");
      same(
        "compareAndSet() of a value that was",
        await a.compareAndSet(id, { n: 9, k: 9 }, { n: 1 }),
        contended,
      );
      same("of two keys, one as it was", await b.compareAndSet(id, { n: 9 }, { m: 1, n: 1 }), contended);
      same("of a key that is there", await a.compareAndSet(id, { n: 9 }, { m: undefined }), contended);
      same("of a key that is not there", await b.compareAndSet(id, { n: 9 }, { k: 1 }), contended);
      await bothSee(bench, "after four refusals", id, { n: 2, m: 1 });
      same(
        "compareAndSet() of what is there",
        await a.compareAndSet(id, { n: 3, m: undefined }, { n: 2, m: 1, k: undefined }),
        "done",
      );
      await bothSee(bench, "after it", id, { n: 3 });
    },
  ],
  [
    "compareAndSet(): a change of another key is no reason to refuse",
    async (bench) => {
      const id = await bench.a.begin({ n: 0, m: 0 });
      for (let round = 0; round < 10; round++) {
        const [compared, updated] = await Promise.all([
          bench.a.compareAndSet(id, { n: round + 1 }, { n: round }),
          bench.b.update(id, { m: round + 1 }),
        ]);
        same(
          `compareAndSet() of n while m is changed, round ${round}`,
          [compared, updated],
          ["done", "done"],
        );
      }
      await bothSee(bench, "after 10 rounds", id, { n: 10, m: 10 });
    },
  ],
  [
    "touch() never writes data: not over a change of the other process, and not over its own",
    async (bench) => {
      const id = await bench.a.begin({ n: 0 });
      await bothSee(bench, "before", id, { n: 0 });
      for (let n = 1; n <= 10; n++) {
        bench.a.touch(id);
        const changed = bench.b.update(id, { n });
        bench.a.touch(id);
        bench.b.touch(id);
        same("update()", await changed, "done");
        bench.a.touch(id);
      }
      await bothSee(bench, "after touches around 10 changes", id, { n: 10 });
    },
  ],
  [
    "changes of one process to one session take effect in the order of the calls; loads meanwhile show what is committed",
    async ({ a, b }) => {
      for (const process of [a, b]) {
        const id = await a.begin({ n: 0 });
        const changes = Array.from({ length: 20 }, (_, n) => process.update(id, { n: n + 1 }));
        const seen = process.data(id);
        const last = process.compareAndSet(id, { n: "last" }, { n: 20 });
        const destroyed = process.destroy(id);
        const late = process.update(id, { n: "late" });
        same("20 update()s", [...new Set(await Promise.all(changes))], ["done"]);
        same("compareAndSet() that was called behind them", await last, "done");
        same("destroy() that was called behind it", await destroyed, "done");
        same("update() that was called behind destroy()", await late, gone);
        const n = (await seen)?.n ?? null;
        const isOne = n === null || n === "last" || (Number(n) >= 0 && Number(n) <= 20);
        holds(`load() by ${process.name} meanwhile`, isOne, "what was committed at some time", n);
        same("load() after all", await process.data(id), null);
      }
    },
  ],
  [
    "a process reads what it wrote when the write is done, also where the other one has the copy",
    async (bench) => {
      const id = await bench.a.begin({ n: 0 });
      for (const [process, n] of byTurns(bench, 30)) {
        await bench.a.look(id);
        same("update()", await process.update(id, { n }), "done");
        same(`load() by ${process.name}, which wrote it`, await process.data(id), { n });
      }
    },
  ],
  [
    "what one process has committed the other one sees, within the time that is promised",
    async (bench) => {
      const id = await bench.a.begin({ n: 0 });
      for (const [process, n] of byTurns(bench, 6)) {
        await Promise.all([bench.a.look(id), bench.b.look(id)]);
        same("update()", await process.update(id, { n }), "done");
        await bothSee(bench, `update() ${n} by ${process.name}`, id, { n });
      }
    },
  ],
  [
    "a session that would become too large is refused as it is, also when it is so with what the other one added",
    async (bench) => {
      const id = await bench.a.begin({ n: 1 });
      const half = "x".repeat(limits.dataBytesMax * 0.6);
      const tooLarge = "FLOTILLA_SESSION_TOO_LARGE";
      same("update() beyond 1 MiB", await bench.a.update(id, { one: half, other: half }), tooLarge);
      await bothSee(bench, "after it", id, { n: 1 });
      const both = await Promise.all([
        bench.a.update(id, { one: half }),
        bench.b.update(id, { other: half }),
      ]);
      same("of two that are too large together", both.sort(), ["done", tooLarge].sort());
      const left = await agreed(bench, "after both", id);
      same("how many keys there are", Object.keys(left ?? {}).length, 2);
      const key = Object.keys(left ?? {}).find((each) => each !== "n")!;
      same("update() that makes room", await bench.b.update(id, { [key]: undefined }), "done");
      const largest = "x".repeat(limits.dataBytesMax - '"a""n"1'.length);
      same("update() to 1 MiB", await bench.a.update(id, { a: largest }), "done");
      await bothSee(bench, "with 1 MiB", id, { n: 1, a: largest });
    },
  ],
  [
    "every kind of value comes back in the other process",
    async (bench) => {
      const data = JSON.parse('{"__proto__":1,"$":{"$":1},"":[],"null":null}') as Record<string, unknown>;
      Object.assign(data, {
        ...{ date: new Date(0), map: new Map([["a", new Set([1n])]]), bytes: Buffer.from([0, 255]) },
        ...{
          number: Number.NaN,
          text: "👩‍👧 𝄞 \u2028 \" \\ ' $1",
          nul: "\u0000",
          deep: { list: [{}, [], ""] },
        },
        ...{ "name with 'quotes\" and \\ 𝄞": true, $date: { $date: 1 } },
        ...(!bench.cannotHold.includes("nul") && { nul: "\u0000" }),
        ...(!bench.cannotHold.includes("lone surrogates") && { half: "\ud800" }),
      });
      const id = await bench.a.begin(data);
      await bothSee(bench, "after create()", id, data);
      same("update()", await bench.b.update(id, data), "done");
      await bothSee(bench, "after update()", id, data);
    },
  ],
  [
    "200 sessions that both processes change at once are never mixed up",
    async (bench) => {
      const ids = await inGroups(byTurns(bench, 200), async ([process, n]) => {
        return [n, await process.begin({ of: n, total: 0 })] as const;
      });
      const random = seededRandom(200);
      for (let round = 1; round <= 3; round++)
        await inGroups(ids, async ([n, id]) => {
          const [one, other] = random() < 0.5 ? [bench.a, bench.b] : [bench.b, bench.a];
          const outcomes = [one.update(id, { total: round }), other.update(id, { [`key${round}`]: n })];
          same(`two update()s of session ${n}`, await Promise.all(outcomes), ["done", "done"]);
        });
      for (const [n, id] of ids)
        await bothSee(bench, `session ${n}`, id, { of: n, total: 3, key1: n, key2: n, key3: n });
    },
  ],
];
