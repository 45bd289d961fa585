import assert from "node:assert/strict";
import { PassThrough, Writable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import type { Clock } from "../support/clock.ts";
import { coloursWanted } from "../support/colours.ts";
import { supervise as limits } from "../support/limits.ts";
import { jsonLine, LineCutter, OutputPrinter } from "./output.ts";

const stillClock: Clock = { now: () => 0, after: () => ({ cancel: () => {} }) };

test("lines are the same however their bytes arrive", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme", maxLength: 40 }).filter((line) => !/[\r\n]/.test(line))),
      fc.array(fc.nat({ max: 20 }), { maxLength: 50 }),
      (lines, cuts) => {
        const seen: string[] = [];
        const cutter = new LineCutter((line) => seen.push(line), stillClock);
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        let at = 0;
        for (const cut of cuts) {
          cutter.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        cutter.push(bytes.subarray(at));
        cutter.flush();
        assert.deepEqual(seen, lines);
      },
    ),
    { seed: 1, numRuns: 300 },
  );
});

test("a long line becomes several, and no character is cut", () => {
  const seen: string[] = [];
  const cutter = new LineCutter((line) => seen.push(line), stillClock, 10);
  cutter.push(Buffer.from("aäöüßéèêñ€x\r\nend\n"));
  assert.deepEqual(seen, ["aäöüß", "éèêñ", "€x", "end"]);
});

test("a line without its end is shown after a while", () => {
  const seen: string[] = [];
  let due: () => void = () => {};
  const clock: Clock = {
    now: () => 0,
    after: (delayMs, callback) => {
      assert.equal(delayMs, limits.outputPartialAfterMs);
      due = callback;
      return { cancel: () => {} };
    },
  };
  const cutter = new LineCutter((line) => seen.push(line), clock);
  cutter.push(Buffer.from("password: "));
  assert.deepEqual(seen, []);
  due();
  assert.deepEqual(seen, ["password: "]);
});

test("piped: every line is one JSON object with the server's name", () => {
  const plain = JSON.parse(jsonLine("app-a", 'said "hello"', "info"));
  assert.equal(plain.server, "app-a");
  assert.equal(plain.msg, 'said "hello"');
  assert.deepEqual(JSON.parse(jsonLine("app-a", '{"level":30,"msg":"x"}', "warn")), {
    server: "app-a",
    level: 30,
    msg: "x",
  });
  const own = '{"level":30,"time":"2026-01-01T00:00:00.000Z","server":"app-a","msg":"up"}';
  assert.equal(jsonLine("app-a", own, "warn"), own);
  assert.equal(JSON.parse(jsonLine("app-a", "no database", "warn")).level, 40);
  assert.equal(JSON.parse(jsonLine("app-a", "hello", "info")).level, 30);
  assert.equal(JSON.parse(jsonLine("app-a", '{"broken}', "info")).msg, '{"broken}');
});

test("on a terminal: the name in front", () => {
  const seen: string[] = [];
  const terminal = Object.assign(
    new Writable({
      decodeStrings: false,
      write: (text, _encoding, done) => {
        seen.push(text);
        done();
      },
    }),
    { isTTY: true },
  );
  new OutputPrinter(terminal, 7).line("app-a", "hello");
  assert.match(seen[0]!, /app-a {3}\|.* hello\n$/);
});

test("colours: not with NO_COLOR, unless it is empty", (t) => {
  const { NO_COLOR } = process.env;
  t.after(() => {
    if (NO_COLOR === undefined) delete process.env.NO_COLOR;
    else process.env.NO_COLOR = NO_COLOR;
  });
  for (const [value, wanted] of [
    ["1", false],
    ["0", false],
    ["", true],
  ] as const) {
    process.env.NO_COLOR = value;
    assert.equal(coloursWanted(), wanted);
  }
});

test("a program waits while our output is full", async () => {
  let release: () => void = () => {};
  const full = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      release = done;
    },
  });
  const printer = new OutputPrinter(full, 5);
  const source = new PassThrough();
  printer.line("app-a", "a long line");
  printer.hold(source);
  assert.equal(source.isPaused(), true);
  const resumed = new Promise((resolve) => source.once("resume", resolve));
  release();
  await resumed;
  assert.equal(source.isPaused(), false);
});
