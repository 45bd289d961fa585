import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const log = JSON.stringify(new URL("./log.ts", import.meta.url).href);
const script = `const { createLog } = await import(${log}); createLog("app-a").info("hello");`;

function speak(level: string): { msg: string; server: string }[] {
  const env = { ...process.env, FLOTILLA_LOG_LEVEL: level };
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    env,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return stderr
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

test("FLOTILLA_LOG_LEVEL: a level, nothing, and a word that is none", () => {
  assert.deepEqual(speak("warn"), []);
  assert.deepEqual(
    speak("").map(({ msg }) => msg),
    ["hello"],
  );
  const [told, hello] = speak("loud");
  assert.match(told!.msg, /^FLOTILLA_LOG_LEVEL is "loud"; it may be trace, debug, info/);
  assert.deepEqual([hello!.server, hello!.msg], ["app-a", "hello"]);
});
