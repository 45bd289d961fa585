/**
 * `npm run simulate:balance`: every policy in every scenario, as tables for docs/balancing.md.
 *
 *   npm run simulate:balance -- --only unequal    scenarios whose names begin so
 *   npm run simulate:balance -- --costs           instead: nanoseconds per choice with 10, 100 and 1,000 servers
 *   npm run simulate:balance -- --plot FILE       the picture of the docs, besides
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type PolicyName, policyNames } from "../../harness/candidates.ts";
import { allCosts, serverCounts } from "./costs.ts";
import { plot } from "./plot.ts";
import { type Scenario, scenarios } from "./scenarios.ts";
import { type Outcome, simulateAll } from "./simulation.ts";

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    costs: { type: "boolean", default: false },
    plot: { type: "string" },
  },
});

type Results = ReadonlyMap<Scenario, ReadonlyMap<PolicyName, Outcome>>;

function main(): void {
  if (options.costs) {
    const rows = [...allCosts()].map(([name, costs]) => [name, ...costs.map((ns) => ns.toFixed(0))]);
    const servers = serverCounts.map((count) => `${count.toLocaleString("en")} servers`);
    console.log(table(["ns per choice", ...servers], rows));
    return;
  }
  const results = simulateScenarios(scenarios.filter(({ name }) => name.startsWith(options.only)));
  console.log(resultTable("p99, ms", results, ({ p99Ms }) => p99Ms.toFixed(0)));
  console.log(resultTable("p50, ms", results, ({ p50Ms }) => p50Ms.toFixed(0)));
  console.log(resultTable("max/mean load", results, ({ maxToMean }) => maxToMean.toFixed(1)));
  if (options.plot !== undefined) writeFileSync(options.plot, plot(plotRows(results)));
}

function simulateScenarios(chosen: readonly Scenario[]): Results {
  const results = new Map<Scenario, Map<PolicyName, Outcome>>();
  for (const scenario of chosen) {
    const beganAt = performance.now();
    const outcomes = new Map(policyNames.map((policy) => [policy, simulateAll(scenario, policy)]));
    results.set(scenario, outcomes);
    console.error(`${scenario.title}: ${((performance.now() - beganAt) / 1_000).toFixed(1)} s`);
  }
  return results;
}

function plotRows(results: Results): { title: string; p99Ms: Map<PolicyName, number> }[] {
  return [...results].map(([{ title }, outcomes]) => ({
    title,
    p99Ms: new Map([...outcomes].map(([name, { p99Ms }]) => [name, p99Ms])),
  }));
}

function resultTable(head: string, results: Results, of: (outcome: Outcome) => string): string {
  const rows = [...results].map(([{ title }, outcomes]) => [title, ...[...outcomes.values()].map(of)]);
  return table([head, ...policyNames], rows);
}

/** Of Markdown. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, at) => (at === 0 ? "---" : "---:"));
  return `${[head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n")}\n`;
}

main();
