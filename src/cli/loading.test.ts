/** What a command loads is part of how fast it answers: those that only ask load no logger. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

test("status, stop and check load no pino", () => {
  const commands = ["status", "stop", "check"].map((name) => new URL(`./${name}.ts`, import.meta.url).href);
  const script = `
    import Module from "node:module";
    for (const command of ${JSON.stringify(commands)}) await import(command);
    console.log(Object.keys(Module._cache).filter((path) => path.includes("/pino")).join());`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  assert.equal(stderr, "");
  assert.equal(stdout, "\n");
});
