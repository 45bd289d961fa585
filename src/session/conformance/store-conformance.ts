/** Whether a store does what `store.ts` promises the middleware, whichever way it keeps sessions. */
import { after, before, describe, test } from "node:test";
import { ruleTimeoutMs } from "./engine-bench.ts";
import { type StoreBackend, type StoreBench, StoreProcess, type StoreSuite } from "./store-bench.ts";
import { changeRules } from "./store-changes.ts";
import { checkRandomOperations } from "./store-property.ts";
import { storeTimeRules, waitingRules } from "./store-times.ts";
import { checkStoreSuite } from "./suite-check.ts";

const seeds = [1, 2, 3];

export function storeConformance(suite: StoreSuite): void {
  checkStoreSuite(suite);
  describe(`${suite.name} as a session store`, () => {
    let backend: StoreBackend;
    let bench: StoreBench;
    before(async () => {
      backend = await suite.open();
      const [a, b] = backend.stores;
      bench = {
        a: new StoreProcess("the first process", a),
        b: new StoreProcess("the second process", b),
        truth: backend.truth === undefined ? null : new StoreProcess("a third process", backend.truth),
        seenWithinMs: suite.seenWithinMs ?? 0,
        cannotHold: suite.cannotHold ?? [],
      };
    });
    after(() => backend.end());
    for (const [rule, check] of [...changeRules, ...storeTimeRules])
      test(rule, { timeout: ruleTimeoutMs }, () => check(bench));
    describe("while time passes", { concurrency: true }, () => {
      for (const [rule, check] of waitingRules) test(rule, { timeout: ruleTimeoutMs }, () => check(bench));
    });
    describe("under random operations of both processes", { concurrency: true }, () => {
      for (const seed of seeds)
        test(`each is told what some order of them gives (seed ${seed})`, { timeout: ruleTimeoutMs }, () =>
          checkRandomOperations(bench, seed),
        );
    });
  });
}
