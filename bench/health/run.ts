/**
 * `npm run health-drill`: one of three app servers is killed, frozen, mute, erring, slow or flapping behind Flotilla, nginx and
 * HAProxy, and one has to share its core with a busy neighbour behind Flotilla's policies. docs/health-drill.md tells what is measured and what came of it.
 *
 *   npm run health-drill -- --fault frozen --with haproxy    (each may be given several times)
 *   npm run health-drill -- --json rows.json
 */
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { drill, type Outcome } from "./drill.ts";
import { type Fault, faults } from "./faults.ts";
import {
  measureNeighbour,
  type NeighbourSample,
  neighbourTable,
  neighbourVerdicts,
  whyNoNeighbour,
} from "./neighbour.ts";
import { raisePriority } from "./priority.ts";
import { failures, head, table, verdicts } from "./report.ts";
import { type Balancer, balancerNames, whyLeftOut } from "./site.ts";

const neighbour = "neighbour";
const usage = `npm run health-drill -- [--fault NAME]... [--with BALANCER]... [--json FILE]
Faults:
${faults.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`).join("\n")}
  ${neighbour.padEnd(12)} a busy neighbour on its core, behind each policy of Flotilla
Balancers: ${balancerNames.join(", ")}`;

/** All balancers are struck within a few seconds, so that a busy minute of the machine meets all, but not in the same moment. */
const staggerMs = 400;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      fault: { type: "string", multiple: true },
      with: { type: "string", multiple: true },
      json: { type: "string" },
    },
  });
  const everything = [...faults.map(({ name }) => name), neighbour];
  const names = pick(values.fault, everything);
  const chosen = pick(values.with, balancerNames);
  if (names === null || chosen === null) {
    console.error(usage);
    return 2;
  }
  if (!raisePriority()) say("note: not root: what else the machine does makes requests slow as well");
  const outcomes = await strike(
    faults.filter(({ name }) => names.includes(name)),
    chosen,
  );
  const samples = names.includes(neighbour) ? await neighbours() : [];
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ faults: outcomes, neighbour: samples }, null, 2)}\n`);
  }
  return 0;
}

async function strike(chosen: readonly Fault[], balancers: readonly Balancer[]): Promise<Outcome[]> {
  if (chosen.length === 0) return [];
  const present = balancers.filter((balancer) => {
    const why = whyLeftOut(balancer);
    if (why !== null) say(why);
    return why === null;
  });
  say(head(chosen));
  const outcomes: Outcome[] = [];
  for (const fault of chosen) outcomes.push(...(await strikeAll(present, fault)));
  const parts = [table(outcomes), failures(outcomes).join("\n"), verdicts(outcomes).join("\n")];
  console.log(`\n${parts.join("\n\n")}`);
  return outcomes;
}

async function neighbours(): Promise<NeighbourSample[]> {
  if (whyNoNeighbour !== null) {
    say(whyNoNeighbour);
    return [];
  }
  const samples = await measureNeighbour(say);
  console.log(`\n${neighbourTable(samples)}\n\n${neighbourVerdicts(samples).join("\n")}`);
  return samples;
}

async function strikeAll(balancers: readonly Balancer[], fault: Fault): Promise<Outcome[]> {
  say(`${fault.name} ...`);
  return await Promise.all(
    balancers.map(async (balancer, index) => {
      await sleep(index * staggerMs);
      return await drill(balancer, fault);
    }),
  );
}

/** @returns null when one of the names is none of theirs. */
function pick<T extends string>(
  names: readonly string[] | undefined,
  all: readonly T[],
): readonly T[] | null {
  if (names === undefined) return all;
  const found = all.filter((one) => names.includes(one));
  return found.length === new Set(names).size ? found : null;
}

function say(text: string): void {
  console.error(text);
}

// Whoever is interrupted leaves nothing behind (site.ts).
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
process.exitCode = await main();
