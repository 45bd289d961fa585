/** What the type checker of a site says: test/types as it sees it, and a site that has none of the libraries, or none of their types. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../harness/process.ts";

const root = join(import.meta.dirname, "..", "..", "..");

function assertCompiles(folder: string): void {
  const tsc = join(root, "node_modules", ".bin", "tsc");
  const { stdout, status } = spawnSync(tsc, ["-p", "tsconfig.json"], { cwd: folder, encoding: "utf8" });
  assert.deepEqual([stdout, status], ["", 0]);
}

test("`interface SessionData` types the session of every framework", () => {
  assertCompiles(join(root, "test", "types"));
});

/** "flotilla/app" and all others that have types. */
function publishedNames(): string[] {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { exports: object };
  return Object.entries(exports)
    .filter(([, to]) => typeof to === "object" && "types" in to)
    .map(([name]) => name.replace(".", "flotilla"));
}

test("a site that has none of the libraries, and checks all types that it imports", (t) => {
  const folder = temporaryFolder(t);
  const names = publishedNames();
  assert.ok(names.includes("flotilla/session/koa"), names.join());
  const packages = join(folder, "node_modules");
  const published = join(packages, "flotilla");
  mkdirSync(join(packages, "@types"), { recursive: true });
  // Copied: by a link it would find the libraries of this tree.
  cpSync(join(root, "dist"), join(published, "dist"), {
    recursive: true,
    filter: (path) => !path.endsWith(".js"),
  });
  cpSync(join(root, "package.json"), join(published, "package.json"));
  for (const name of ["@types/node", "pino"])
    symlinkSync(join(root, "node_modules", name), join(packages, name));
  const lines = names.map((name, n) => `export type * as part${n} from ${JSON.stringify(name)};\n`);
  writeFileSync(join(folder, "site.ts"), lines.join(""));
  const compilerOptions = {
    ...{ target: "es2024", lib: ["es2024"], module: "nodenext", types: ["node"] },
    ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true },
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["site.ts"] }));
  assertCompiles(folder);

  const koa = join(packages, "koa");
  mkdirSync(koa);
  writeFileSync(join(koa, "package.json"), '{ "name": "koa", "version": "3.0.0", "main": "application.js" }');
  writeFileSync(join(koa, "application.js"), "module.exports = class {};\n");
  assertCompiles(folder);
});

test("a site with stores, keys that may be missing, and no check left out", () => {
  assertCompiles(join(root, "test", "types", "whole"));
});
