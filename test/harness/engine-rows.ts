/** Rows of a SessionEngine as its tests write them, whichever database keeps them. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type SessionEngine, SessionEngineError } from "../../src/session/stores/engine.ts";

export { hourMs, keyOf, newborn, rowOf, write } from "../../src/session/conformance/engine-bench.ts";

/** @returns what it was rejected with. */
export async function failed(operation: Promise<unknown>): Promise<SessionEngineError> {
  const error = await operation.then(
    () => assert.fail("it was done"),
    (failure: unknown) => failure,
  );
  assert.ok(error instanceof SessionEngineError, String(error));
  return error;
}

export async function opened(t: Pick<TestContext, "after">, engine: SessionEngine): Promise<SessionEngine> {
  t.after(() => engine.close());
  await engine.open();
  return engine;
}
