/** `flotilla agent` as a process: what it says, to whom, and how it ends. It needs no file of a cluster. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseAgentCheck } from "../../src/load/agent-check.ts";
import { parseLoad } from "../../src/load/record.ts";
import { freePorts } from "../harness/free-ports.ts";
import { runFlotilla, startFlotilla, temporaryFolder } from "../harness/process.ts";

/** What a visitor gets; "" when nobody answers. */
function visit(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    connect(port, "127.0.0.1")
      .setEncoding("latin1")
      .on("data", (part) => {
        text += part;
      })
      .on("error", () => {})
      .on("close", () => resolve(text));
  });
}

async function agentPort(): Promise<number> {
  const [port] = (await freePorts(1)) as [number];
  return port;
}

test("it tells how busy the machine is, in a folder without a file", async (t) => {
  const port = await agentPort();
  const agent = startFlotilla(t, ["agent", "--listen", `127.0.0.1:${port}`], { cwd: temporaryFolder(t) });
  await agent.line(/tells of this machine's load at 127\.0\.0\.1:\d+/);
  const answer = parseAgentCheck(await visit(port))!;
  assert.deepEqual([answer.admin, answer.health, answer.unknown], ["ready", "up", ""]);
  assert.ok(answer.weightPercent! >= 1 && answer.weightPercent! <= 100);
  const { cpus, queue, memoryBytesMax } = parseLoad(answer.text)!;
  assert.ok(cpus! >= 1 && queue! >= 0 && memoryBytesMax! > 0);
  agent.signal("SIGTERM");
  assert.equal((await agent.exit).code, 0);
  assert.equal(await visit(port), "");
});

test("a file has it drain, and told to stop it drains for as long as it should", async (t) => {
  const port = await agentPort();
  const state = join(temporaryFolder(t), "state");
  const words = ["agent", "--listen", `127.0.0.1:${port}`, "--state", state, "--drain", "1h"];
  const agent = startFlotilla(t, words);
  await agent.line(/tells of/);
  assert.match(await visit(port), /^ready up \d+%/);
  writeFileSync(state, "drain\n");
  assert.match(await visit(port), /^drain up \d+%/);
  writeFileSync(state, "");
  assert.match(await visit(port), /^ready up \d+%/);
  agent.signal("SIGTERM");
  await agent.line(/SIGTERM: says .*drain.* for 3600 s, then stops/);
  assert.match(await visit(port), /^drain up \d+%/);
  agent.signal("SIGINT");
  assert.equal((await agent.exit).code, 130);
});

test("who is in no network that may ask is told nothing", async (t) => {
  const port = await agentPort();
  const words = ["agent", "--listen", `127.0.0.1:${port}`, "--allow", "10.0.0.0/8", "--allow", "::1"];
  const agent = startFlotilla(t, words);
  await agent.line(/tells of/);
  assert.equal(await visit(port), "");
  await agent.line(/told nothing to 1 visitor.*127\.0\.0\.1: --allow names/);
});

for (const [words, what] of [
  [["--listen", "nowhere"], /--listen nowhere: write a port, or address:port \[FLOTILLA_AGENT_OPTION\]/],
  [["--allow", "10.0.0.0/33"], /--allow 10\.0\.0\.0\/33: write an address or a network/],
  [["--drain", "soon"], /--drain soon: write a time like 10s/],
] as const)
  test(`wrong: ${words.join(" ")}`, async (t: TestContext) => {
    const { code, stderr } = await runFlotilla(t, ["agent", ...words]);
    assert.equal(code, 1);
    assert.match(stderr, what);
    assert.doesNotMatch(stderr, /flotilla demo/);
  });
