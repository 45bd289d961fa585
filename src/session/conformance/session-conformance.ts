/** What `session({ store })` makes of an engine: two processes with stores of their own on one database, held to what every store promises. */
import { systemClock } from "../../support/clock.ts";
import { sessionStores as limits } from "../../support/limits.ts";
import { silentLog } from "../../support/silent-log.ts";
import { SessionIds } from "../id.ts";
import type { SessionEngine } from "../stores/engine.ts";
import { EngineStore } from "../stores/engine-store.ts";
import type { EngineSuite } from "./engine-bench.ts";
import type { StoreBackend } from "./store-bench.ts";
import { storeConformance } from "./store-conformance.ts";
import { checkEngineDatabase, checkEngineSuite } from "./suite-check.ts";

type Load = "cached" | "always";

const ids = new SessionIds(Buffer.alloc(32), null, "conformance");

/** After `engineConformance`: what it takes for granted. */
export function sessionConformance(suite: EngineSuite): void {
  checkEngineSuite("sessionConformance", suite);
  for (const load of ["cached", "always"] as const)
    storeConformance({
      name: `${suite.name} with load: ${load}`,
      cannotHold: suite.cannotHold ?? [],
      seenWithinMs: load === "cached" ? limits.proofAgeMsMax : 0,
      open: () => storesOn(suite, load),
    });
}

async function storesOn(suite: EngineSuite, load: Load): Promise<StoreBackend> {
  const database = checkEngineDatabase(await suite.open());
  const a = database.connect();
  const b = suite.isForOneProcess ? a : database.connect();
  const stores = [storeOf(a, "a", load), storeOf(b, "b", load), storeOf(a, "c", "always")] as const;
  return {
    stores: [stores[0], stores[1]],
    truth: stores[2],
    end: async () => {
      for (const store of stores) store.stop();
      await Promise.all([...new Set([a, b])].map((engine) => engine.close()));
      await database.end();
    },
  };
}

function storeOf(engine: SessionEngine, letter: string, load: Load): EngineStore {
  const store = new EngineStore({
    ...{ engine, ids, letter, processIndex: 0, holder: `app-${letter}`, load, letters: new Set("abc") },
    ...{ clock: systemClock, random: Math.random, log: silentLog },
  });
  store.start();
  return store;
}
