/**
 * Makes a fresh clone ready: installs the packages when node_modules is missing or differs from
 * package-lock.json, and builds when dist is missing or older than src. Says nothing when there is nothing to do.
 * Plain JavaScript for Node 20, which may be all that the machine has before the packages are here.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Why the packages must be installed, or null. npm writes down what it installed in a hidden lock file. */
export function installReason(folder) {
  const installedPath = join(folder, "node_modules", ".package-lock.json");
  if (!existsSync(installedPath)) return "node_modules is missing";
  const wanted = packagesOf(join(folder, "package-lock.json"));
  const installed = packagesOf(installedPath);
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue;
    const present = installed[path];
    // A package for another platform is in the lock file and rightly not installed.
    if (present === undefined && !entry.optional && !entry.devOptional) return `${path} is not installed`;
    if (present !== undefined && present.version !== entry.version) return `${path} is another version`;
  }
  return null;
}

/** Why dist must be built, or null. */
export function buildReason(folder) {
  const built = newestMs(join(folder, "dist"));
  if (built === 0) return "dist is missing";
  const changed = Math.max(
    newestMs(join(folder, "src"), (name) => !name.endsWith(".test.ts")),
    ...["tsconfig.json", "tsconfig.build.json"].map((name) => statSync(join(folder, name)).mtimeMs),
  );
  return changed > built ? "src is newer than dist" : null;
}

function packagesOf(path) {
  return JSON.parse(readFileSync(path, "utf8")).packages ?? {};
}

function newestMs(folder, counts = () => true) {
  if (!existsSync(folder)) return 0;
  let newest = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !counts(entry.name)) continue;
    newest = Math.max(newest, statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs);
  }
  return newest;
}

function npm(args, reason) {
  console.error(`flotilla: ${reason}: npm ${args.join(" ")} ...`);
  // npm tells its scripts where it is; otherwise it is looked up like any command.
  const script = process.env.npm_execpath;
  const [command, ...before] = script?.endsWith(".js") ? [process.execPath, script] : ["npm"];
  const done = spawnSync(command, [...before, ...args], { cwd: root, encoding: "utf8" });
  if (done.error === undefined && done.status === 0) return;
  if (done.error === undefined) console.error((done.stdout + done.stderr).trimEnd());
  const why = done.error === undefined ? `it ended with ${done.status ?? done.signal}` : done.error.message;
  console.error(`flotilla: npm ${args.join(" ")} failed: ${why}. Run it by itself in ${root} to see more.`);
  process.exit(1);
}

function main() {
  const missing = installReason(root);
  // `npm ci` builds too: package.json's "prepare".
  if (missing !== null) npm(["ci", "--no-audit", "--no-fund"], missing);
  const stale = buildReason(root);
  if (stale !== null) npm(["run", "build"], stale);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) main();
