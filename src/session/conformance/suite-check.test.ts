import assert from "node:assert/strict";
import test from "node:test";
import { MemoryEngine } from "../../../test/harness/memory-engine.ts";
import { type EngineSuite, onEmptyDatabase } from "./engine-bench.ts";
import { engineConformance } from "./engine-conformance.ts";
import { sessionConformance } from "./session-conformance.ts";
import { storeConformance } from "./store-conformance.ts";

const engine = new MemoryEngine();
const open = async () => ({ connect: () => engine, end: async () => {} });

test("what a suite can't be is told where it is written, and no rule is left out for a misspelt word", () => {
  const wrong: [suite: object, message: RegExp][] = [
    [{ name: "x", open, isForOneProces: true }, /\{ isForOneProces \}.* none of name, open, isForOneProcess/],
    [{ name: "x", open, cannotHolds: ["nul"] }, /\{ cannotHolds \}/],
    [{ name: "x", open, cannotHold: ["null"] }, /\{ cannotHold \}.*"nul", "lone surrogates", "deep"/],
    [{ name: "x", open, cannotHold: "nul" }, /\{ cannotHold \}/],
    [{ name: "x", open, isForOneProcess: "yes" }, /\{ isForOneProcess \}.*true or false/],
    [{ name: "x", open, isOtherDataType: 1 }, /\{ isOtherDataType \}.*true or false/],
    [{ name: "x", open, waitingRulesAtOnce: 0 }, /\{ waitingRulesAtOnce \}.*from 1/],
    [{ name: "x" }, /\{ open \}.*a function/],
    [{ open }, /\{ name \}/],
    [[], /\{ options \}/],
  ];
  for (const conformance of [engineConformance, sessionConformance])
    for (const [suite, message] of wrong)
      assert.throws(() => conformance(suite as EngineSuite), { code: "FLOTILLA_SESSION_OPTION", message });
  for (const suite of [
    { name: "x", open, seenWithin: 1 },
    { name: "x", open, seenWithinMs: "1s" },
  ])
    assert.throws(() => storeConformance(suite as never), { message: /^storeConformance\(\{ seenWithin/ });
});

test("what open() and connect() give instead of a database and an engine is told", async () => {
  const without = (name: string): object =>
    new Proxy(engine, { get: (target, key) => (key === name ? undefined : Reflect.get(target, key)) });
  const wrong: [database: unknown, message: RegExp][] = [
    [undefined, /\{ connect \}.*a function/],
    [{ connect: () => engine, ends: async () => {} }, /\{ end \}.*a function/],
    [{ connect: engine, end: async () => {} }, /\{ connect \}.*a function/],
    [{ connect: async () => engine, end: async () => {} }, /\{ engine \}/],
    [{ connect: () => without("replace"), end: async () => {} }, /no whole engine: it has no replace/],
    [{ connect: () => without("name"), end: async () => {} }, /its name is no text/],
    [{ connect: () => without("proveIntervalMs"), end: async () => {} }, /its proveIntervalMs is no number/],
  ];
  for (const [database, message] of wrong) {
    const suite = { name: "x", open: async () => database } as EngineSuite;
    await assert.rejects(
      onEmptyDatabase(suite, async () => {}),
      { code: "FLOTILLA_SESSION_OPTION", message },
    );
  }
});
