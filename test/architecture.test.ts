/** Imports point one way: what a folder may import stands here, and ARCHITECTURE.md draws it. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import test from "node:test";

/** Folder of src to the folders that it may import from, besides itself. */
const layers: Record<string, readonly string[]> = {
  support: [],
  config: ["support"],
  http: ["support"],
  link: ["support"],
  plain: ["config", "support"],
  health: ["plain", "http", "link", "config", "support"],
  member: ["health", "config", "support"],
  tls: ["config", "support"],
  balance: ["config", "member", "support"],
  load: ["plain", "link", "support"],
  register: ["link", "config", "support"],
  session: ["register", "config", "member", "http", "link", "support"],
  admin: ["config", "member", "link", "support"],
  "web-tier": [
    "admin",
    "session",
    "balance",
    "health",
    "load",
    "member",
    "tls",
    "plain",
    "http",
    "link",
    "config",
    "support",
  ],
  "app-tier": ["admin", "session", "load", "member", "tls", "http", "link", "config", "support"],
  supervise: ["admin", "health", "load", "member", "plain", "link", "config", "support"],
  demo: ["session", "admin", "supervise", "member", "link", "config", "support"],
  cli: [
    "demo",
    "supervise",
    "web-tier",
    "app-tier",
    "session",
    "load",
    "admin",
    "health",
    "member",
    "plain",
    "link",
    "config",
    "support",
  ],
};

const root = join(import.meta.dirname, "..");

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g)].map((match) =>
    normalize(join(dirname(file), match[1]!)),
  );
}

test("each folder imports only from the layers below it", () => {
  const wrong: string[] = [];
  for (const file of globSync("src/**/*.ts", { cwd: root })) {
    const folder = file.split("/")[1]!;
    const allowed = layers[folder];
    assert.ok(allowed, `src/${folder} has no place in the layers`);
    for (const imported of importsOf(file)) {
      const to = imported.split("/")[1]!;
      const inTest = file.endsWith(".test.ts");
      if (imported.startsWith("src/") && to !== folder && !allowed.includes(to) && !inTest)
        wrong.push(`${file} imports ${imported}`);
      if (!imported.startsWith("src/") && !inTest) wrong.push(`${file} imports ${imported}, outside src`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("no circles between files", () => {
  const graph = new Map(globSync("src/**/*.ts", { cwd: root }).map((file) => [file, importsOf(file)]));
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `circle: ${[...path, file].join(" -> ")}`);
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) walk(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) walk(file, []);
});

test("ARCHITECTURE.md draws the same layers: each folder of src stands in its table, above all that it imports", () => {
  const page = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
  const drawn = [...page.matchAll(/^\| `([a-z-]+)\/` \|/gm)].map((match) => match[1]!);
  assert.deepEqual(drawn.toSorted(), Object.keys(layers).toSorted());
  for (const [folder, below] of Object.entries(layers))
    for (const lower of below) assert.ok(drawn.indexOf(folder) < drawn.indexOf(lower), `${folder}: ${lower}`);
  for (const [, folder, file] of page.matchAll(/^\| `([a-z-]+)\/` \|.*`([\w-]+\.ts)`/gm))
    assert.ok(existsSync(join(root, "src", folder!, file!)), `src/${folder}/${file}`);
});
