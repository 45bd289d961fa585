/** When sessions end, and how many are left. */
import { setTimeout as sleep } from "node:timers/promises";
import { Ending, holds, now, same, within } from "./check.ts";
import { hourMs } from "./engine-bench.ts";
import { bothSee, type StoreRule } from "./store-bench.ts";

const shortMs = 500;
const noTime = "FLOTILLA_SESSION_COOKIE";

/** Each waits for sessions of its own to end, and can do so beside others. */
export const waitingRules: readonly StoreRule[] = [
  [
    "a session that nobody uses ends after its idle timeout, and not before; a use of either process counts",
    async ({ a, b }) => {
      const begunFrom = now();
      const id = await a.begin({ n: 1 }, shortMs);
      // The idle time of a use begins at some moment between its call and its answer.
      let usedFrom = begunFrom;
      const useAndCheck = async (what: string, use: () => Promise<unknown>): Promise<void> => {
        await sleep(shortMs * 0.6);
        const from = now();
        const result = await use();
        if (now() - usedFrom < shortMs)
          holds(what, result !== null && result !== "FLOTILLA_SESSION_GONE", "in time", result);
        usedFrom = from;
      };
      await useAndCheck("load() by the first process", () => a.look(id));
      await useAndCheck("load() by the second", () => b.look(id));
      await useAndCheck("update() by the second", () => b.update(id, { n: 2 }, shortMs));
      await useAndCheck("load() by the first", () => a.look(id));
      // Not by looks in between, each of which would be a use.
      await sleep(shortMs * 2.5);
      for (const process of [b, a])
        same(
          `load() by ${process.name} when it has not been used for 2.5 timeouts`,
          await process.look(id),
          null,
        );
      same("update() afterwards", await b.update(id, { n: 3 }), "FLOTILLA_SESSION_GONE");
    },
  ],
  [
    "a touch of either process is a use",
    async ({ a, b }) => {
      const id = await a.begin({ n: 1 }, 2_000);
      const from = now();
      for (let n = 0; n < 6; n++) {
        await sleep(500);
        (n % 2 === 0 ? b : a).touch(id, 2_000);
      }
      // A machine that stood still meanwhile proves nothing.
      const isProof = now() - from < 4_000;
      const seen = await a.data(id);
      if (isProof) same("what is left after 3 s of touches, with an idle timeout of 2", seen, { n: 1 });
    },
  ],
  [
    "a session ends at its absolute age, however it is used, and tells its age",
    async ({ a, b }) => {
      const life = { ageMs: 60_000, absoluteTimeoutMs: 60_000 + shortMs };
      const ending = new Ending("a session that begins 60,000 ms old and ends at 60,500");
      const from = now();
      const id = await ending.begin(shortMs, () => a.begin({ n: 1 }, hourMs, life));
      const seen = await b.look(id);
      if (seen !== null) {
        within("its age as loaded", seen.ageMs, 59_990, 60_010 + now() - from);
        same("its absoluteTimeoutMs as loaded", seen.absoluteTimeoutMs, life.absoluteTimeoutMs);
      }
      await ending.watch(async () => {
        a.touch(id);
        await b.update(id, { n: 2 });
        return (await a.look(id)) !== null;
      });
      same("load() by the other process", await b.look(id), null);
      same("update() afterwards", await a.update(id, { n: 3 }), "FLOTILLA_SESSION_GONE");
    },
  ],
];

export const storeTimeRules: readonly StoreRule[] = [
  [
    "an idle timeout that is no time is refused, and nothing is written; the longest and fractions are times",
    async (bench) => {
      const { a, b } = bench;
      const id = await a.begin({ n: 1 });
      for (const timeoutMs of [Number.NaN, 0, -1, Number.NEGATIVE_INFINITY]) {
        same(`create() for ${timeoutMs} ms`, await a.create(a.newId(), { n: 2 }, timeoutMs), noTime);
        same(`update() for ${timeoutMs} ms`, await b.update(id, { n: 2 }, timeoutMs), noTime);
        same(`compareAndSet()`, await a.compareAndSet(id, { n: 2 }, { n: 1 }, timeoutMs), noTime);
        b.touch(id, timeoutMs);
      }
      await bothSee(bench, "after refused ones", id, { n: 1 });
      for (const timeoutMs of [Number.POSITIVE_INFINITY, 1e300, 3_600_000.5]) {
        const other = await b.begin({ n: 1 }, timeoutMs);
        same(`update() for ${timeoutMs} ms`, await a.update(other, { n: 2 }, timeoutMs), "done");
        a.touch(other, timeoutMs);
        await bothSee(bench, `a session for ${timeoutMs} ms`, other, { n: 2 });
      }
    },
  ],
  [
    "count: whole, and no more than there are when sessions end",
    async ({ a, b }) => {
      const count = (): number => a.store.count + b.store.count;
      const before = count();
      const ids = await Promise.all(Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? a : b).begin({ n })));
      const isNumber = Number.isInteger(count()) && count() >= 0;
      holds("count with 50 sessions more", isNumber, "a number of sessions", count());
      await Promise.all(ids.map((id, n) => (n % 3 === 0 ? a : b).destroy(id)));
      for (let waitedMs = 0; count() > before; waitedMs += 50) {
        holds("count after they were destroyed", waitedMs < 5_000, `${before} at most, as before`, count());
        await sleep(50);
      }
    },
  ],
];
