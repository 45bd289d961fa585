/** `flotilla/session/conformance`: the tests that a session store of your own has to pass (docs/session-stores.md). */
export type { EngineDatabase, EngineSuite } from "./engine-bench.ts";
export { engineConformance } from "./engine-conformance.ts";
export { sessionConformance } from "./session-conformance.ts";
export type { StoreBackend, StoreSuite } from "./store-bench.ts";
export { storeConformance } from "./store-conformance.ts";
export type { TextKind } from "./suite-check.ts";
