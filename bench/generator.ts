/** The load generator as a process of its own, so that its CPU time is nobody's: settings as JSON in, result out. */
import { percentile } from "../src/demo/drill-statistics.ts";
import { type LoadSettings, runLoad } from "../test/harness/load.ts";

export interface GeneratorSettings extends Omit<LoadSettings, "request"> {
  readonly request: string;
}

export interface GeneratorResult {
  readonly answered: number;
  readonly failed: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const settings = JSON.parse(process.argv[2]!) as GeneratorSettings;
const result = await runLoad({ ...settings, request: Buffer.from(settings.request, "latin1") });
const sorted = result.latenciesMs.toSorted((left, right) => left - right);
const told: GeneratorResult = {
  answered: result.answered,
  failed: result.failed,
  elapsedMs: result.elapsedMs,
  p50Ms: percentile(sorted, 0.5),
  p99Ms: percentile(sorted, 0.99),
};
process.stdout.write(`${JSON.stringify(told)}\n`);
