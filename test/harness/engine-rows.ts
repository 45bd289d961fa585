/** Rows of a SessionEngine as its tests write them, whichever database keeps them. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import {
  type RowLife,
  type SessionEngine,
  SessionEngineError,
  type SessionRow,
  type SessionWrite,
} from "../../src/session/stores/engine.ts";

export const hourMs = 3_600_000;
export const newborn: RowLife = { ageMs: 0, absoluteTimeoutMs: Number.POSITIVE_INFINITY };

export function keyOf(name: string | number): string {
  return `k${name}`.padEnd(24, "_");
}

export function write(data: unknown, changes: Partial<SessionWrite> = {}): SessionWrite {
  return { data: JSON.stringify(data), writer: "app-a", holder: "", idleTimeoutMs: hourMs, ...changes };
}

export async function rowOf(engine: SessionEngine, key: string): Promise<SessionRow> {
  const row = await engine.read(key);
  assert.ok(row !== null, `no row ${key}`);
  return row;
}

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
