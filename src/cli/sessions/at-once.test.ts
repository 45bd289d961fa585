import assert from "node:assert/strict";
import { test } from "node:test";
import { AtOnce } from "./at-once.ts";

test("so many are under way, and no more; all are awaited", async () => {
  const atOnce = new AtOnce(3);
  let [now, most, done] = [0, 0, 0];
  for (let i = 0; i < 10; i++)
    await atOnce.begin(async () => {
      most = Math.max(most, ++now);
      await new Promise(setImmediate);
      now--;
      done++;
    });
  await atOnce.end();
  assert.deepEqual([most, done], [3, 10]);
});

test("one that fails is told to whoever begins the next or waits for the end", async () => {
  const atOnce = new AtOnce(1);
  await atOnce.begin(() => Promise.reject(new Error("broken")));
  await assert.rejects(
    atOnce.begin(() => assert.fail("begun all the same")),
    /broken/,
  );
  await assert.rejects(atOnce.end(), /broken/);
});
