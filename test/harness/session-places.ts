/**
 * `session()` wherever it can keep sessions: what requests find must not depend on it. With a database two processes answer by turns, so
 * that requests of one session that meet do so in different ones.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type SessionOptions, session } from "../../src/session/index.ts";
import type { SessionEngine } from "../../src/session/stores/engine.ts";
import { fileStore } from "../../src/session/stores/file/index.ts";
import { MemoryDatabase, MemoryEngine } from "./memory-engine.ts";
import type { AnyMiddleware } from "./session-site.ts";

type Make = (options?: SessionOptions) => AnyMiddleware;

const secret = "of both processes";

/** By what is written behind the names of tests. */
export const sessionPlaces: Readonly<Record<string, Make>> = {
  "in this process": (options) => session(options) as AnyMiddleware,
  "in a database": (options) => byTurns(onMemoryDatabase(), { ...options, load: "always" }),
  "in copies of a database": (options) => byTurns(onMemoryDatabase(), { ...options, load: "cached" }),
  "in a file": (options) => byTurns([inFile()], options),
};

function onMemoryDatabase(): SessionEngine[] {
  const database = new MemoryDatabase();
  return [new MemoryEngine(database), new MemoryEngine(database)];
}

/** Until the test ends that asks for it. */
function inFile(): SessionEngine {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-session-places-"));
  const store = fileStore({ folder });
  after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  return store;
}

function byTurns(engines: readonly SessionEngine[], options: SessionOptions = {}): AnyMiddleware {
  const processes = engines.map((store) => session({ secret, ...options, store }) as AnyMiddleware);
  let turn = 0;
  return (req, res, next) => processes[turn++ % processes.length]!(req, res, next);
}
