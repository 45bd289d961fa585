/** A bounded number of seeds through a whole web tier; see through.ts. `npm run fuzz` goes on. */
import { after, test } from "node:test";
import { siteTrials } from "./sites.ts";

const seeds = 300;

for (const [what, run] of await siteTrials({ after })) {
  test(`seeds 1 to ${seeds} through a web tier: ${what}`, async () => {
    for (let seed = 1; seed <= seeds; seed++) await run(seed);
  });
}
