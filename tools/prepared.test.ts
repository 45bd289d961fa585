import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";

// Plain JavaScript, for a Node that may be too old for types.
const prepared: string = "./prepared.mjs";
const { installReason, buildReason } = (await import(prepared)) as {
  installReason: (folder: string) => string | null;
  buildReason: (folder: string) => string | null;
};

function folderWith(context: TestContext, files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-prepared-"));
  context.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

function lock(packages: object): string {
  return JSON.stringify({ packages });
}

const wanted = lock({
  "": { name: "flotilla" },
  "node_modules/yaml": { version: "2.0.0" },
  "node_modules/other-platform": { version: "1.0.0", optional: true },
});

test("packages are installed when there are none, when one is missing, and when one is another version", (context) => {
  assert.equal(
    installReason(folderWith(context, { "package-lock.json": wanted })),
    "node_modules is missing",
  );
  const reasonFor = (packages: object): string | null =>
    installReason(
      folderWith(context, {
        "package-lock.json": wanted,
        "node_modules/.package-lock.json": lock(packages),
      }),
    );
  assert.equal(reasonFor({}), "node_modules/yaml is not installed");
  assert.equal(
    reasonFor({ "node_modules/yaml": { version: "1.9.0" } }),
    "node_modules/yaml is another version",
  );
  assert.equal(reasonFor({ "node_modules/yaml": { version: "2.0.0" } }), null);
});

test("dist is built when there is none and when a source is newer; a test is no source", (context) => {
  const files = {
    "tsconfig.json": "{}",
    "tsconfig.build.json": "{}",
    "src/a/b.ts": "",
    "src/a/b.test.ts": "",
  };
  const folder = folderWith(context, files);
  for (const name of Object.keys(files)) utimesSync(join(folder, name), 1_000, 1_000);
  assert.equal(buildReason(folder), "dist is missing");
  mkdirSync(join(folder, "dist/a"), { recursive: true });
  writeFileSync(join(folder, "dist/a/b.js"), "");
  utimesSync(join(folder, "dist/a/b.js"), 2_000, 2_000);
  assert.equal(buildReason(folder), null);
  utimesSync(join(folder, "src/a/b.test.ts"), 3_000, 3_000);
  assert.equal(buildReason(folder), null);
  utimesSync(join(folder, "src/a/b.ts"), 3_000, 3_000);
  assert.equal(buildReason(folder), "src is newer than dist");
});

test("the lock file knows the packages of all platforms: npm ci refuses one that does not, on every platform", () => {
  const text = readFileSync(join(import.meta.dirname, "../package-lock.json"), "utf8");
  const { packages } = JSON.parse(text) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const names = new Set(
    Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + 13)),
  );
  for (const [path, { optionalDependencies = {} }] of Object.entries(packages)) {
    for (const name of Object.keys(optionalDependencies)) {
      assert.ok(names.has(name), `${path} wants ${name}, which package-lock.json has not`);
    }
  }
});
