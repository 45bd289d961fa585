/**
 * Whether a session engine does what `stores/engine.ts` asks for: each rule is a test of `node:test`, on an empty database of its own
 * with the engines of two processes. A failure says which rule, what was expected, and what came.
 */
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { holds } from "./check.ts";
import { type EngineRule, type EngineSuite, onEmptyDatabase, ruleTimeoutMs } from "./engine-bench.ts";
import { dataRules } from "./engine-data.ts";
import { noticeRules } from "./engine-notices.ts";
import { rowRules } from "./engine-rows.ts";
import { tableRules } from "./engine-table.ts";
import { timeRules } from "./engine-times.ts";
import { checkEngineSuite } from "./suite-check.ts";

/**
 * ```ts
 * engineConformance({
 *   name: "my database",
 *   async open() {
 *     const table = await emptyTable();
 *     return { connect: () => myStore({ table }), end: () => table.drop() };
 *   },
 * });
 * ```
 */
export function engineConformance(suite: EngineSuite): void {
  checkEngineSuite("engineConformance", suite);
  describe(`${suite.name} as a session engine`, () => {
    testEach(suite, [...tableRules, ...dataRules]);
    if (suite.isOtherDataType) return;
    testEach(suite, [...rowRules, ...noticeRules]);
    describe("while time passes", { concurrency: suite.waitingRulesAtOnce ?? 1 }, () =>
      testEach(suite, timeRules),
    );
    test("close(): leaves nothing running", { timeout: ruleTimeoutMs }, () => leavesNothing(suite));
  });
}

function testEach(suite: EngineSuite, rules: readonly EngineRule[]): void {
  for (const [rule, check] of rules)
    test(rule, { timeout: ruleTimeoutMs }, () => onEmptyDatabase(suite, check));
}

const endedWithinMs = 5_000;

/** Connections, timers and threads: by their numbers, because Node gives them no names. */
async function leavesNothing(suite: EngineSuite): Promise<void> {
  const before = running();
  await onEmptyDatabase(suite, async ({ a, b }) => {
    const channel = await a.listen("app-a", () => {});
    await channel.prove();
    await b.count();
    channel.close();
  });
  for (let waitedMs = 0; ; waitedMs += 20) {
    const left = [...running()].filter(([kind, count]) => count > (before.get(kind) ?? 0));
    if (left.length === 0) return;
    holds("after close() and end()", waitedMs < endedWithinMs, "nothing that was not there before", left);
    await sleep(20);
  }
}

const watched = /Socket|Pipe|Port|Worker|Timeout|Watch|UDP|Process/;

function running(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo())
    if (watched.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}
