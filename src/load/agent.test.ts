/** A machine's agent on a real port, with a made-up /proc and clock: what it says, and to whom. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FakeClock, LogRecorder } from "../../test/harness/link-pair.ts";
import { meminfo, type ProcFolder, procFolder, twoCpus } from "../../test/harness/proc-folder.ts";
import { agent as limits } from "../support/limits.ts";
import { silentLog } from "../support/log.ts";
import { LoadAgent, type LoadAgentOptions } from "./agent.ts";
import { type AgentState, StateFile } from "./agent-state.ts";

const up: AgentState = { admin: "ready", health: "up", text: "" };

function machine(
  t: TestContext,
  options: Partial<LoadAgentOptions> = {},
): { proc: ProcFolder; clock: FakeClock; agent: LoadAgent } {
  const clock = new FakeClock();
  const proc = procFolder(t, { stat: twoCpus, meminfo });
  proc.runQueue(0);
  const agent = new LoadAgent({
    ...{ allows: () => true, state: () => up, log: silentLog, clock, procFolder: proc.path },
    ...options,
  });
  t.after(() => agent.close());
  return { proc, clock, agent };
}

test("the run queue, averaged, is a share of the usual weight", (t) => {
  const { proc, clock, agent } = machine(t);
  assert.equal(agent.line(), "ready up 100% # memory=512000 memorymax=2048000 queue=0.00 cpus=2\n");
  proc.runQueue(7);
  clock.advance(200);
  assert.match(agent.line(), /^ready up 8\d% # .*queue=1\.\d\d cpus=2\n$/);
  clock.advance(10_000);
  assert.match(agent.line(), /^ready up 25% # cpu=0\.000 .*queue=7\.00 cpus=2\n$/);
  proc.runQueue(100_000);
  clock.advance(60_000);
  assert.match(agent.line(), /^up 5% /);
});

test("CPUs at work, over the last second", (t) => {
  const { proc, clock, agent } = machine(t);
  proc.write("stat", twoCpus.replace("cpu  100", "cpu  250"));
  clock.advance(1_000);
  assert.match(agent.line(), /cpu=1\.500/);
});

test("where the kernel tells nothing it says that it is up", (t) => {
  const clock = new FakeClock();
  const agent = new LoadAgent({
    ...{ allows: () => true, state: () => up, log: silentLog, clock, procFolder: "/nowhere" },
  });
  t.after(() => agent.close());
  assert.equal(agent.line(), "ready up\n");
  clock.advance(5_000);
  assert.equal(agent.line(), "ready up\n");
});

test("ready is said for a minute after a drain, so that an operator's word to HAProxy itself lasts", (t) => {
  let state = up;
  const { clock, agent } = machine(t, { state: () => state });
  assert.match(agent.line(), /^ready up 100%/);
  clock.advance(limits.readyMs);
  assert.match(agent.line(), /^up 100%/);
  state = { ...up, admin: "drain" };
  assert.match(agent.line(), /^drain up 100%/);
  state = { ...up, admin: "maint", text: "a new disk" };
  assert.equal(agent.line(), "maint up # a new disk\n");
  state = { ...up, health: "down", text: "no disk" };
  assert.equal(agent.line(), "down # no disk\n");
  state = up;
  assert.match(agent.line(), /^ready up 100%/);
  clock.advance(limits.readyMs);
  assert.match(agent.line(), /^up 100%/);
});

test("what an operator wants stands in a file", (t) => {
  const { path, write } = procFolder(t, {});
  const recorder = new LogRecorder();
  const file = new StateFile(join(path, "state"), recorder.log);
  assert.deepEqual(file.read(), up);
  write("state", "drain\n");
  assert.deepEqual(file.read(), { ...up, admin: "drain" });
  write("state", "Down # the disk is full");
  assert.deepEqual(file.read(), { ...up, health: "down", text: "the disk is full" });
  for (const odd of ["drian\n", "50%\n", "up sideways\n", "x".repeat(10_000)]) {
    write("state", odd);
    assert.equal(file.read().health, "down");
    assert.equal(file.read().health, "down");
  }
  assert.equal(recorder.lines.filter((line) => line.includes("is none of ready, drain")).length, 4);
  write("state", "\n");
  assert.deepEqual(file.read(), up);
  write("state", "maint");
  assert.equal(file.read().admin, "maint");
  rmSync(join(path, "state"));
  assert.deepEqual(file.read(), up);
  assert.match(recorder.lines.at(-1)!, /says "ready up" from now on/);
});

test("a folder, or a pipe, in the place of that file is told, and nothing changes", (t) => {
  const { path } = procFolder(t, {});
  const pipe = join(path, "pipe");
  execFileSync("mkfifo", [pipe]);
  for (const odd of [path, pipe]) {
    const recorder = new LogRecorder();
    assert.deepEqual(new StateFile(odd, recorder.log).read(), up);
    assert.match(recorder.lines[0]!, /can't be read: E[A-Z]+.*stays at "ready up"/);
  }
});

async function visitor(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function heard(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (bytes) => {
    text += bytes.toString("latin1");
  });
  if (!socket.closed) await once(socket, "close");
  return text;
}

test("each visitor gets one line and the end, also one that sends something", async (t) => {
  const { agent } = machine(t);
  const port = await agent.listen("127.0.0.1", 0);
  assert.match(await heard(await visitor(t, port)), /^ready up 100% # [^\n]*\n$/);
  const talker = await visitor(t, port);
  talker.write("the agent-send of a backend\n");
  assert.match(await heard(talker), /^ready up 100% # [^\n]*\n$/);
});

/** A visitor that has read the answer and its end, and does not end itself. */
async function staying(t: TestContext, port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  socket.resume();
  await once(socket, "end");
  return socket;
}

/** Sends on and on until the other side has closed the connection. */
async function pour(t: TestContext, socket: Socket, bytes: number): Promise<void> {
  const pouring = setInterval(() => socket.write(Buffer.alloc(bytes)), 1);
  t.after(() => clearInterval(pouring));
  // `once` would give up at the error before it.
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}

test("who sends without end is cut off", async (t) => {
  const { agent } = machine(t);
  const flood = await staying(t, await agent.listen("127.0.0.1", 0));
  await pour(t, flood, 1_000);
  assert.ok(flood.bytesWritten > limits.visitorBytesMax);
});

test("who does not end is cut off after a second", async (t) => {
  const { agent, clock } = machine(t);
  const still = await staying(t, await agent.listen("127.0.0.1", 0));
  clock.advance(limits.visitMs);
  await pour(t, still, 1);
  assert.ok(still.bytesWritten < limits.visitorBytesMax);
});

test("visitors who hold on make room for new ones", async (t) => {
  const { agent } = machine(t);
  const port = await agent.listen("127.0.0.1", 0);
  for (let count = 0; count < limits.visitorsMax + 10; count++) await staying(t, port);
  assert.match(await heard(await visitor(t, port)), /^ready up 100%/);
});

test("who may not ask is told nothing, and the log says how to let it", async (t) => {
  const recorder = new LogRecorder();
  const { agent } = machine(t, { allows: (address) => address !== "127.0.0.1", log: recorder.log });
  const port = await agent.listen("127.0.0.1", 0);
  for (let count = 0; count < 3; count++) assert.equal(await heard(await visitor(t, port)), "");
  assert.deepEqual(recorder.lines, [
    "told nothing to 1 visitor(s), the last one from 127.0.0.1: --allow names the networks that may ask",
  ]);
});
