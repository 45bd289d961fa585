/** Two starts at the same moment: one after the other, whatever became of those before. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import type { ClusterFile } from "../config/model.ts";
import { takeStartTurn } from "./start-turn.ts";

function someFile(t: TestContext): ClusterFile {
  const dataFolder = mkdtempSync(join(tmpdir(), "flotilla-turn-"));
  t.after(() => rmSync(dataFolder, { recursive: true, force: true }));
  return { path: join(dataFolder, "flotilla.yaml"), dataFolder } as ClusterFile;
}

const turn = JSON.stringify(new URL("./start-turn.ts", import.meta.url).href);

/** A process that takes turns: notes that it has it, and that it gives it back. */
function taker(t: TestContext, file: ClusterFile, turns: number, holdMs = 5): ChildProcess {
  const script = `
    const { appendFileSync } = await import("node:fs");
    const { takeStartTurn } = await import(${turn});
    const file = ${JSON.stringify(file)};
    for (let left = ${turns}; left > 0; left--) {
      const over = await takeStartTurn(file);
      appendFileSync(file.path, "+");
      console.log("mine");
      await new Promise((resolve) => setTimeout(resolve, ${holdMs}));
      appendFileSync(file.path, "-");
      over();
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

test("never two at once", async (t) => {
  const file = someFile(t);
  const takers = Array.from({ length: 4 }, () => taker(t, file, 8));
  for (const child of takers) child.stdout!.resume();
  const codes = await Promise.all(takers.map(async (child) => (await once(child, "exit"))[0]));
  assert.deepEqual(codes, [0, 0, 0, 0]);
  assert.equal(readFileSync(file.path, "utf8"), "+-".repeat(32));
  assert.deepEqual(readdirSync(join(file.dataFolder, "run")), []);
});

test("one that was killed is in nobody's way; one that lives is, and is named", async (t) => {
  const file = someFile(t);
  const holder = taker(t, file, 1, 60_000);
  await once(createInterface(holder.stdout!), "line");
  await assert.rejects(takeStartTurn(file, 100), {
    code: "FLOTILLA_ALREADY_RUNNING",
    message: new RegExp(`process ${holder.pid}\\)`),
  });
  holder.kill("SIGKILL");
  await once(holder, "exit");
  (await takeStartTurn(file, 100))();
  assert.deepEqual(readdirSync(join(file.dataFolder, "run")), []);
});

test("a data folder that can't be one is an error in words", async (t) => {
  const file = someFile(t);
  const below = { ...file, dataFolder: join(file.dataFolder, "file") };
  writeFileSync(below.dataFolder, "");
  await assert.rejects(takeStartTurn(below), {
    code: "FLOTILLA_DATA_FOLDER",
    message: /a part of its path is a file, not a folder; name a folder .* data: in /,
  });
});
