/** Sessions in a database as the middleware sees them, whichever the database: held to the rules of all stores. */
import { sessionConformance } from "../../src/session/conformance/index.ts";
import { MemoryDatabase, MemoryEngine } from "../harness/memory-engine.ts";

sessionConformance({
  name: "a database",
  async open() {
    const database = new MemoryDatabase();
    return { connect: () => new MemoryEngine(database), end: async () => {} };
  },
});
