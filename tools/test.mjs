/**
 * `npm test`: everything that needs no system package, and what was left out for want of one. With
 * FLOTILLA_TEST_ALL=1 (CI) anything left out is a failure. Stops at the first step that fails.
 *
 *   npm test                     all steps
 *   npm test -- src/link         only the tests below this folder (or of this file)
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { whyNoNetwork } from "../test/fault/network.ts";
import { whyNoLoopDisk } from "../test/harness/loop-disk.ts";
import { whyNoPostgres } from "../test/harness/postgres.ts";
import { whyNoSmallDisk } from "../test/harness/small-disk.ts";
import { runAlone, testFiles } from "./test-files.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = join(root, "node_modules", ".bin");
const everything = process.env.FLOTILLA_TEST_ALL === "1";
const chosen = process.argv.slice(2);

/** System packages that some tests need: [Debian package, program, what is tested with it]. */
const systemPackages = [
  ["nginx-light", "nginx", "the benchmark's answers beside nginx"],
  ["haproxy", "haproxy", "the benchmark's answers beside HAProxy, and what it makes of our load agent"],
  ["wrk", "wrk", "the benchmark's saturation load"],
  ["chromium", "chromium", "the shop in a real browser"],
  ["pgbouncer", "pgbouncer", "sessions in PostgreSQL behind a pooler"],
  ["mariadb-server", "mariadbd", "sessions in MariaDB"],
  ["etcd-server", "etcd", "the register in etcd"],
  ["etcd-client", "etcdctl", "the register in etcd, its users and its faults"],
  ["redis-server", "redis-server", "sessions in Redis, and the benchmark of sessions beside connect-redis"],
  ["slowhttptest", "slowhttptest", "other visitors' waiting time under slow clients"],
];

function step(name, command, args, env = {}) {
  console.log(`\n== ${name}`);
  const { status, signal } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, ...env },
  });
  if (status === 0) return;
  console.error(`\n${name} failed (${signal ?? `exit ${status}`})`);
  process.exit(1);
}

function findProgram(name) {
  return ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].some((folder) =>
    existsSync(join(folder, name)),
  );
}

const files = testFiles(root).filter(
  (file) => chosen.length === 0 || chosen.some((part) => file.startsWith(part)),
);
if (files.length === 0) {
  console.error(`no test file matches ${chosen.join(", ")}`);
  process.exit(1);
}
if (chosen.length === 0) {
  step("lint and format", join(bin, "biome"), [
    "ci",
    "--error-on-warnings",
    process.stdout.isTTY ? "--colors=force" : "--colors=off",
    ".",
  ]);
  step("types", join(bin, "tsc"), ["-p", "tsconfig.json"]);
}
// Hundreds of processes are started on the sources: what is compiled once is compiled for all of them.
const compileCache = { NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "flotilla-tests") };
const runTests = (name, chosenFiles) =>
  step(name, join(bin, "node"), [join("tools", "run-tests.mjs"), ...chosenFiles], compileCache);
const together = files.filter((file) => !runAlone.includes(file));
for (const file of files.filter((each) => runAlone.includes(each))) runTests(`alone: ${file}`, [file]);
if (together.length > 0) runTests("tests", together);

const missing = systemPackages.filter(([, program]) => !findProgram(program));
if (missing.length > 0) {
  console.log("\nLeft out, for these are not installed:");
  for (const [name, , what] of missing) console.log(`  ${name}: ${what}`);
  console.log(`  (Debian: apt-get install ${missing.map(([name]) => name).join(" ")})`);
  if (everything) process.exit(1);
}
const postgresReason = whyNoPostgres();
if (postgresReason !== null) {
  console.log(`\nLeft out: the register and sessions in PostgreSQL, for that ${postgresReason}`);
  if (everything) process.exit(1);
}
const smallDiskReason = whyNoSmallDisk();
if (smallDiskReason !== null) {
  console.log(`\nLeft out: sessions on a disk that is full, for that ${smallDiskReason}`);
  if (everything) process.exit(1);
}
const loopDiskReason = whyNoLoopDisk();
if (loopDiskReason !== null) {
  console.log(`\nLeft out: sessions on a disk that reports errors, for that ${loopDiskReason}`);
  if (everything) process.exit(1);
}
const whyNoFaults = whyNoNetwork();
if (whyNoFaults !== null) {
  console.log(`\nLeft out: servers that are killed, stopped and cut off under load, for that ${whyNoFaults}`);
  if (everything) process.exit(1);
}
