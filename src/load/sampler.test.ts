/** Looks at a made-up /proc by a made-up clock; and once at the real one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { meminfo, procFolder, twoCpus } from "../../test/harness/proc-folder.ts";
import { Machine } from "./machine.ts";
import { LoadSampler, type ProcessFigures } from "./sampler.ts";

const quiet: ProcessFigures = {
  cpuSeconds: () => 1,
  rssBytes: () => 100,
  heap: () => ({ usedBytes: 10, limitBytes: 50 }),
  busy: () => 0.25,
};

test("run and wait of its thread are shares of time, over about the last second", (t) => {
  const proc = procFolder(t, { "self/schedstat": "5000000 1000000 7\n", stat: twoCpus });
  proc.runQueue(3);
  const sampler = new LoadSampler(1_000, proc.path, quiet);
  // 300 ms of the next second it ran, 600 ms it waited.
  proc.write("self/schedstat", "305000000 601000000 9\n");
  sampler.tick(2_000, 3);
  const record = sampler.record(12);
  assert.equal(record.run?.toFixed(3), "0.300");
  assert.equal(record.wait?.toFixed(3), "0.600");
  assert.deepEqual(
    { ...record, run: 0, wait: 0 },
    {
      ...{ inFlight: 12, run: 0, wait: 0, lateMs: 3, busy: 0.25, cpu: 0, queue: 3, cpus: 2 },
      ...{ memoryBytes: 100, memoryBytesMax: null, heapBytes: 10, heapBytesMax: 50 },
    },
  );
  // Then nothing for a second: what was counts 37%.
  sampler.look(3_000);
  assert.equal(sampler.record(0).wait?.toFixed(3), (0.6 / Math.E).toFixed(3));
  sampler.close();
});

test("a stop counts for the time that it was looked at, and no longer than a second", (t) => {
  const proc = procFolder(t, { "self/schedstat": "5 1 7\n", stat: twoCpus });
  const sampler = new LoadSampler(0, proc.path, quiet);
  sampler.tick(250, 0);
  sampler.tick(60_500, 60_000);
  const late = sampler.record(0).lateMs!;
  assert.ok(late > 200 && late < 230, `late ${late}`);
  sampler.close();
});

for (const [what, files] of [
  ["nothing there", {}],
  ["no numbers", { "self/schedstat": "a b c\n", loadavg: "one\n", stat: "cpu x\n", meminfo: "Memo\n" }],
  ["times that are not kept", { "self/schedstat": "0 0 0\n", loadavg: "0 0 0 -3/1 1\n", stat: "\n" }],
  ["empty files", { "self/schedstat": "", loadavg: "", stat: "", meminfo: "" }],
] as const)
  test(`/proc with ${what}: nothing is known of it`, (t) => {
    const { path } = procFolder(t, files);
    const sampler = new LoadSampler(0, path, quiet);
    sampler.tick(1_000, 0);
    const { run, wait, queue, cpus } = sampler.record(0);
    assert.deepEqual({ run, wait, queue, cpus }, { run: null, wait: null, queue: null, cpus: null });
    sampler.close();
    const machine = new Machine(path);
    assert.deepEqual(
      [machine.runnable(), machine.busySeconds(), machine.memory(), machine.cpus],
      [null, null, null, null],
    );
    machine.close();
  });

test("the machine: tasks beside the one that asks, CPUs at work, memory", (t) => {
  const proc = procFolder(t, { stat: twoCpus, meminfo });
  proc.runQueue(3);
  const machine = new Machine(proc.path);
  assert.equal(machine.runnable(), 3);
  assert.equal(machine.busySeconds(), 1.53);
  assert.deepEqual(machine.memory(), { usedBytes: 512_000, totalBytes: 2_048_000 });
  assert.equal(machine.cpus, 2);
  machine.close();
});

test("the real /proc, where there is one", { skip: process.platform !== "linux" }, () => {
  const sampler = new LoadSampler(performance.now() - 10);
  sampler.tick(performance.now(), 0);
  const { cpus, memoryBytes, heapBytes, heapBytesMax, busy } = sampler.record(0);
  assert.ok(cpus! >= 1 && memoryBytes! > heapBytes! && heapBytesMax! > heapBytes! && busy! >= 0);
  sampler.close();
});
