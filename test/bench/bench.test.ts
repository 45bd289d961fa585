/** The benchmark's own bookkeeping, and the proof of equal answers beside the real peers where they are installed. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { isInstalled } from "../../bench/commands.ts";
import { Contender, type ContenderName, setups } from "../../bench/contenders.ts";
import { cpuTimeUs } from "../../bench/cpu-time.ts";
import { median, rowsOf, type Sample, verdicts } from "../../bench/report.ts";
import { answersOf, differences } from "../../bench/same-answers.ts";

function sample(contender: ContenderName, proxyUs: number, appUs: number): Sample {
  const figures = { requests: 1_000, proxyUs, appUs, perSecond: 1_000, p99Ms: null };
  return { load: "saturation", app: "express", contender, ...figures };
}

test("rows are medians of the rounds, ours over theirs", () => {
  const samples = [
    ...[10, 12, 90].map((proxyUs) => sample("flotilla", proxyUs, 20)),
    ...[25, 24, 26].map((proxyUs) => sample("nginx", proxyUs, 25)),
  ];
  assert.deepEqual(rowsOf(samples), [
    {
      name: "saturation/express/proxy",
      peer: "nginx",
      unit: "CPU us/request",
      ours: 12,
      theirs: 25,
      ratio: 0.48,
    },
    {
      name: "saturation/express/app",
      peer: "nginx",
      unit: "CPU us/request",
      ours: 20,
      theirs: 25,
      ratio: 0.8,
    },
    {
      name: "saturation/express/proxy+app",
      peer: "nginx",
      unit: "CPU us/request",
      ours: 32,
      theirs: 50,
      ratio: 0.64,
    },
  ]);
  const [nginx, haproxy] = verdicts(rowsOf(samples));
  assert.match(nginx!, /PASS.*nginx <= 0.70: 0.64/);
  assert.match(haproxy!, /left out.*haproxy/);
});

test("a missed target is called FAIL", () => {
  const rows = rowsOf([sample("flotilla", 30, 30), sample("nginx", 30, 30)]);
  assert.match(verdicts(rows)[0]!, /FAIL.*1.00/);
});

test("median", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

test("CPU time counts children, and only work", async (context) => {
  const loop = "s=0; while [ $s -lt 200000 ]; do s=$((s+1)); done";
  const child = spawn("/bin/sh", ["-c", `(${loop}; echo done; read x); true`], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  context.after(() => child.kill("SIGKILL"));
  await once(child.stdout!, "data");
  const workedUs = cpuTimeUs([child.pid!]);
  assert.ok(workedUs > 10_000, `${workedUs} us`);
  assert.ok(cpuTimeUs([child.pid!]) - workedUs < workedUs / 2);
  assert.equal(cpuTimeUs([]), 0);
});

for (const name of ["nginx", "haproxy", "flotilla"] as const) {
  const skip = name !== "flotilla" && !isInstalled(name) ? `${name} is not installed` : false;
  test(`${name} passes on the same requests and answers for both applications`, { skip }, async (context) => {
    const [plain, express] = [await started(context, name, "plain"), await started(context, name, "express")];
    const answers = await answersOf(plain.port);
    assert.deepEqual(differences(answers, await answersOf(express.port), ["plain", "express"]), []);
    assert.match(answers.get("GET")!, /^200 .*"content-length: 120".* 120:hello world/);
    assert.match(answers.get("HEAD")!, /^200 .*"content-length: 120".* 0:$/);
    assert.match(
      answers.get("POST in chunks")!,
      /^201 .*"set-cookie: one=1; Path=\/","set-cookie: two=2; Path=\/".* 100000:x/,
    );
    assert.match(answers.get("404")!, /^404 /);
    assert.match(answers.get("what the application sees")!, /"x-forwarded-for","127.0.0.1"/);
    assert.ok((await plain.loggedRequests(answers.size)) >= answers.size);
  });
}

async function started(
  context: TestContext,
  name: ContenderName,
  kind: "plain" | "express",
): Promise<Contender> {
  const contender = await Contender.start(setups[name], kind);
  context.after(() => contender.stop());
  return contender;
}
