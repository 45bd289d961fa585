/** Sessions in a file of one process, held to the rules of all engines and stores. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type EngineSuite,
  engineConformance,
  sessionConformance,
} from "../../src/session/conformance/index.ts";
import { fileStore } from "../../src/session/stores/file/index.ts";

const suite: EngineSuite = {
  name: "a file",
  waitingRulesAtOnce: 4,
  isForOneProcess: true,
  async open() {
    const folder = mkdtempSync(join(tmpdir(), "flotilla-file-store-"));
    return {
      connect: () => fileStore({ folder }),
      end: async () => rmSync(folder, { recursive: true }),
    };
  },
};

engineConformance(suite);
sessionConformance(suite);
