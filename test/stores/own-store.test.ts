/** The store of one's own that the documents show passes the suite, both as they are published: by their names, as another package has them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as conformance from "../../src/session/conformance/index.ts";
import type { SessionEngine } from "../../src/session/stores/engine.ts";

// Not known to the type checker: it would look into dist/.
const suiteName: string = "flotilla/session/conformance";
const storeName: string = "../../demo/stores/shared-sqlite.js";
const { engineConformance, sessionConformance } = (await import(suiteName)) as typeof conformance;
const { sharedSqliteStore } = (await import(storeName)) as {
  sharedSqliteStore: (options: { path: string }) => SessionEngine;
};

const suite: conformance.EngineSuite = {
  name: "the SQLite file of demo/stores",
  waitingRulesAtOnce: 4,
  async open() {
    const folder = mkdtempSync(join(tmpdir(), "flotilla-own-store-"));
    return {
      connect: () => sharedSqliteStore({ path: join(folder, "sessions.db") }),
      end: async () => rmSync(folder, { recursive: true }),
    };
  },
};

engineConformance(suite);
sessionConformance(suite);
