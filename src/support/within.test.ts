import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { Late, within } from "./within.ts";

const never = new Promise<never>(() => {});

test("an answer in time is the answer, and an error is the error", async () => {
  assert.equal(await within(Promise.resolve(5), 10_000), 5);
  const failure = new Error("refused");
  await assert.rejects(within(Promise.reject(failure), 10_000), (error) => error === failure);
});

test("one that does not come is late, after its time and not before", async () => {
  const from = performance.now();
  await assert.rejects(within(never, 200), (error) => {
    assert.ok(error instanceof Late);
    assert.equal(error.message, "no answer within 0.2 s");
    return true;
  });
  assert.ok(performance.now() - from >= 200);
  // What is left of a time may be less than nothing.
  await assert.rejects(within(never, -50), /^Error: no answer within 0\.0 s$/);
});

test("an error that comes too late is nobody's, and does not end the process", async () => {
  const { promise, reject } = Promise.withResolvers<never>();
  await assert.rejects(within(promise, 0), Late);
  reject(new Error("the connection was lost"));
  // Unhandled ones are told after the promises' turn.
  await new Promise(setImmediate);
});

test("waiting keeps no process alive, and nothing is left of an answered one", async () => {
  const module = JSON.stringify(new URL("./within.ts", import.meta.url));
  const waiting = new Worker(
    `import(${module}).then(({ within }) => { within(Promise.resolve(), 60_000); within(new Promise(() => {}), 60_000); })`,
    { eval: true },
  );
  assert.deepEqual(await once(waiting, "exit"), [0]);
});
