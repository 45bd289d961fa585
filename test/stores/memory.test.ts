/** The engine that tests use, held to the rules of all. */
import { engineConformance } from "../../src/session/conformance/index.ts";
import { MemoryDatabase, MemoryEngine } from "../harness/memory-engine.ts";

engineConformance({
  name: "memory",
  waitingRulesAtOnce: 4,
  async open() {
    const database = new MemoryDatabase();
    return { connect: () => new MemoryEngine(database), end: async () => {} };
  },
});
