import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { printWholeLines } from "./whole-lines.ts";

test("two sources cut anywhere: every line arrives whole, and in its source's order", async () => {
  const pieces = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 20 })), { maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(pieces, async (cuts) => {
      const target = new PassThrough();
      const sources = [new PassThrough(), new PassThrough()];
      for (const source of sources) printWholeLines(source, target);
      const texts = ["a", "b"].map((name) =>
        Array.from({ length: 40 }, (_, at) => `${name}${at}\n`).join(""),
      );
      const left = [...texts];
      for (const [isSecond, length] of cuts) {
        const at = isSecond ? 1 : 0;
        sources[at]!.write(left[at]!.slice(0, length));
        left[at] = left[at]!.slice(length);
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (const [at, source] of sources.entries()) source.end(left[at]);
      await Promise.all(sources.map((source) => new Promise((resolve) => source.once("close", resolve))));
      const lines = String(target.read()).split("\n").slice(0, -1);
      const of = (name: string): string =>
        lines
          .filter((line) => line.startsWith(name))
          .map((line) => `${line}\n`)
          .join("");
      assert.deepEqual([of("a"), of("b")], texts);
    }),
    { seed: 1, numRuns: 50 },
  );
});

test("what ends without the end of a line is passed on with the end of its source", async () => {
  const [source, target] = [new PassThrough(), new PassThrough()];
  printWholeLines(source, target);
  source.end("whole\ncut");
  await new Promise((resolve) => source.once("close", resolve));
  assert.equal(String(target.read()), "whole\ncut");
});
