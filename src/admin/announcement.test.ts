import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import type { ClusterFile } from "../config/model.ts";
import { processState } from "../support/processes.ts";
import { announcedSupervisors } from "./announcement.ts";

const file = { path: `/srv/${process.pid}/flotilla.yaml` } as ClusterFile;
const module = JSON.stringify(new URL("./announcement.ts", import.meta.url).href);

async function announcing(t: TestContext): Promise<ReturnType<typeof spawn>> {
  const script = `
    const { announceSupervisor } = await import(${module});
    announceSupervisor(${JSON.stringify(file)}, 4711);
    setInterval(() => {}, 1000);
    setImmediate(() => console.log("announced"));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout!, "data");
  return child;
}

test("a supervisor is found by its file while it lives", async (t) => {
  assert.deepEqual(announcedSupervisors(file), []);
  const child = await announcing(t);
  const { startTime } = processState(child.pid!)!;
  assert.deepEqual(announcedSupervisors(file), [{ pid: child.pid, startTime, controlPort: 4711 }]);
  assert.deepEqual(announcedSupervisors({ path: "/srv/other.yaml" } as ClusterFile), []);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.deepEqual(announcedSupervisors(file), []);
});

test("a name that speaks of another process counts for nobody", async (t) => {
  const child = await announcing(t);
  const name = /@(flotilla-supervisor-\w+\/)\d+\/4711$/m.exec(readFileSync("/proc/net/unix", "latin1"))![1];
  const forged = createServer();
  t.after(() => forged.close());
  // The parent of all, as somebody would name it who wants it to be sent a signal.
  forged.listen({ path: `\0${name}1/4711` });
  await once(forged, "listening");
  assert.deepEqual(
    announcedSupervisors(file).map(({ pid }) => pid),
    [child.pid],
  );
});
