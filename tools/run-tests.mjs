/** Runs test files in the order that is given, which `node --test` would sort by name. */
import { run } from "node:test";
import { spec } from "node:test/reporters";

const tests = run({
  files: process.argv.slice(2),
  // Two at a time at most: those with real processes measure time, and want a core to do it on.
  concurrency: 2,
  // The longest file takes two minutes; one that hangs is named after five.
  timeout: 300_000,
});
tests.once("test:fail", () => {
  process.exitCode = 1;
});
tests.compose(spec).pipe(process.stdout);
