/** Commands that start nothing: check, secret, help, and words that are not understood. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { clusterFolder } from "../harness/cluster-folder.ts";
import { runFlotilla, start, temporaryFolder } from "../harness/process.ts";

const flotilla = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");

test("check: a good file, and what it can't promise", async (t) => {
  const { folder } = await clusterFolder(t, { web: true, apps: 3 });
  const { code, stdout } = await runFlotilla(t, ["check"], { cwd: folder });
  const [note, valid, ...more] = stdout.split("\n");
  assert.match(note!, /^flotilla\.yaml:\d+:3: note: sessions of app: all app servers are on one machine/);
  assert.match(valid!, /^flotilla\.yaml is valid: 1 web server and 3 app servers$/);
  assert.deepEqual(more, [""]);
  assert.equal(code, 0);
  const status = await runFlotilla(t, ["status"], { cwd: folder });
  assert.doesNotMatch(status.stdout + status.stderr, /note:/);
});

test("check: everything wrong, with its place, and -t is the same", async (t) => {
  const folder = temporaryFolder(t, { "flotilla.yaml": "secret: short\nclusters: {}\nclustres: 1\n" });
  const { code, stdout } = await runFlotilla(t, ["-t"], { cwd: folder });
  assert.match(stdout, /^flotilla\.yaml:1:9: error: .*32/m);
  assert.match(stdout, /^flotilla\.yaml:3:1: error: .*did you mean "clusters"/m);
  assert.match(stdout, /\nflotilla\.yaml: \d errors\n$/);
  assert.equal(code, 1);
});

test("check --json, and the file from FLOTILLA_CONFIG", async (t) => {
  const { config } = await clusterFolder(t);
  const options = { env: { FLOTILLA_CONFIG: config } };
  const good = await runFlotilla(t, ["check", "--json"], options);
  assert.equal(JSON.parse(good.stdout).valid, true);
  const bad = await runFlotilla(t, ["check", "--json", "-c", "/nowhere/flotilla.yaml"], options);
  assert.equal(bad.code, 1);
  const answer = JSON.parse(bad.stdout);
  assert.equal(answer.valid, false);
  assert.equal(answer.file, "/nowhere/flotilla.yaml");
  assert.match(answer.problems[0].message, /there is no such file/);
});

test("secret: 32 bytes; --write makes a file for its owner and never overwrites", async (t) => {
  const folder = temporaryFolder(t);
  const printed = await runFlotilla(t, ["secret"]);
  assert.match(printed.stdout, /^[\w-]{43}\n$/);
  const written = await runFlotilla(t, ["secret", "--write", "key"], { cwd: folder });
  assert.equal(written.code, 0);
  assert.equal(statSync(join(folder, "key")).mode & 0o777, 0o600);
  const key = readFileSync(join(folder, "key"), "utf8");
  const again = await runFlotilla(t, ["secret", "--write", "key"], { cwd: folder });
  assert.equal(again.code, 1);
  assert.match(
    again.stderr,
    /^flotilla: key was not written: it exists.* \[FLOTILLA_SECRET_NOT_WRITTEN\]\n$/,
  );
  assert.equal(readFileSync(join(folder, "key"), "utf8"), key);
});

test("words that are not understood: the nearest ones, exit 2", async (t) => {
  const command = await runFlotilla(t, ["strat"]);
  assert.equal(command.code, 2);
  assert.match(command.stderr, /unknown command 'strat'\n\(Did you mean start\?\)/);
  const option = await runFlotilla(t, ["status", "--jsno"]);
  assert.equal(option.code, 2);
  assert.match(option.stderr, /Did you mean --json\?/);
  const nobody = await runFlotilla(t, ["start"]);
  assert.equal(nobody.code, 2);
  assert.match(nobody.stderr, /--all/);
});

test("a name that is empty, no file at all, and an output that can't be written", async (t) => {
  const folder = temporaryFolder(t);
  for (const words of [
    ["status", "-c", ""],
    ["secret", "--write", ""],
  ]) {
    const empty = await runFlotilla(t, words, { cwd: folder });
    assert.equal(empty.code, 2);
    assert.match(empty.stderr, /argument '' is invalid. The name of the file is empty\./);
  }
  const none = await runFlotilla(t, ["status"], { cwd: folder });
  assert.equal(none.code, 1);
  assert.match(
    none.stderr,
    /: there is no such file\nName the file of your cluster with -c FILE\. .*flotilla demo/,
  );

  const { config } = await clusterFolder(t, { web: true });
  for (const command of ["status", "check", "help"]) {
    const words = [process.execPath, flotilla, command, "-c", config].map((word) => `'${word}'`).join(" ");
    const full = start(t, "/bin/sh", ["-c", `${words} >/dev/full`]);
    assert.deepEqual(await full.exit, { code: 1, signal: null });
    assert.match(full.output, /flotilla: the output could not be written: ENOSPC/);
    // Whoever reads no further has what he wanted.
    const left = start(t, "/bin/sh", ["-c", `{ ${words}; echo "code $?" >&2; } | head -c1`]);
    await left.line(/code 0$/);
    assert.doesNotMatch(left.stderr, /could not be written/);
  }
});

test("help teaches, and the version is that of the package", async (t) => {
  const help = await runFlotilla(t, ["--help"]);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /First steps:\n {2}flotilla demo/);
  const version = await runFlotilla(t, ["--version"]);
  const url = new URL("../../package.json", import.meta.url);
  assert.equal(version.stdout.trim(), JSON.parse(readFileSync(url, "utf8")).version);
});

/** A package of its own whose built command line prints what it is given. */
function fakePackage(folder: string, engines: string): string {
  for (const name of ["bin", "dist", "dist/cli", "links"]) mkdirSync(join(folder, name));
  const source = join(import.meta.dirname, "..", "..", "bin");
  for (const name of ["flotilla", "package.json"])
    copyFileSync(join(source, name), join(folder, "bin", name));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", engines: { node: engines } }));
  const main = "export async function main(words) { console.log(words.join('+')); return 7; }\n";
  writeFileSync(join(folder, "dist", "cli", "main.js"), main);
  return join(folder, "bin", "flotilla");
}

const nodeFolder = join(process.execPath, "..");

test("bin/flotilla: by itself, by node, and through links", async (t) => {
  const folder = temporaryFolder(t);
  const bin = fakePackage(folder, ">=22.12");
  symlinkSync("../bin/flotilla", join(folder, "links", "first"));
  symlinkSync("first", join(folder, "links", "second"));
  const env = { PATH: `${nodeFolder}:/usr/bin:/bin` };
  for (const [command, args] of [
    [bin, []],
    [process.execPath, [bin]],
    [join(folder, "links", "second"), []],
  ] as const) {
    const run = start(t, command, [...args, "a b", "*"], { env });
    assert.deepEqual(await run.exit, { code: 7, signal: null });
    assert.equal(run.output, "a b+*\n");
  }
});

test("bin/flotilla: one line for an old Node, for no Node, and when it is not built", async (t) => {
  const old = start(t, process.execPath, [fakePackage(temporaryFolder(t), ">=99.1")]);
  assert.equal((await old.exit).code, 1);
  assert.match(old.output, /^flotilla: needs Node\.js 99\.1 or newer, and .* is \d+\.\d+\.\d+\n$/);

  const bin = fakePackage(temporaryFolder(t), ">=22.12");
  const tools = temporaryFolder(t);
  for (const tool of ["dirname", "readlink"]) symlinkSync(`/usr/bin/${tool}`, join(tools, tool));
  const none = start(t, bin, [], { env: { PATH: tools } });
  assert.equal((await none.exit).code, 1);
  assert.match(none.output, /^flotilla: no node found in PATH: .*\n$/);

  const empty = temporaryFolder(t);
  const unbuilt = fakePackage(empty, ">=22.12");
  rmSync(join(empty, "dist"), { recursive: true });
  const missing = start(t, process.execPath, [unbuilt]);
  assert.equal((await missing.exit).code, 1);
  assert.match(missing.output, /^flotilla: is not built: run npm ci in .*\n$/);
});
