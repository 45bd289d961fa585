/** What the documents say of the repository is so: links lead somewhere, error codes are listed, scripts and files exist. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import test from "node:test";

const root = join(import.meta.dirname, "..");
const pages = globSync(["*.md", "examples/*.md", "docs/**/*.md", "bench/**/*.md"], { cwd: root });

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** As hosts of Markdown make them: lower case, blanks to hyphens, other signs gone. */
function anchorsOf(page: string): Set<string> {
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map((match) => match[1]!);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

test("links between documents lead somewhere", () => {
  const broken: string[] = [];
  for (const page of pages) {
    for (const [, target] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [path = "", anchor] = target!.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      const found = existsSync(join(root, file));
      if (!found || (anchor !== undefined && !anchorsOf(read(file)).has(anchor)))
        broken.push(`${page}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test("no page has marks of a merge", () => {
  const marked = pages.filter((page) => /^(?:<{7} |>{7} |={7}$)/m.test(read(page)));
  assert.deepEqual(marked, []);
});

test("files and folders that documents name exist", () => {
  const missing: string[] = [];
  for (const page of pages) {
    for (const [, path] of read(page).matchAll(/`((?:src|test|docs|bench|demo|tools|schema)\/[\w./-]+)`/g))
      if (!existsSync(join(root, path!))) missing.push(`${page}: ${path}`);
  }
  assert.deepEqual(missing, []);
});

test("npm scripts that documents name exist", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const missing: string[] = [];
  for (const page of pages) {
    for (const [, name] of read(page).matchAll(/npm (?:run )?(test|(?<=run )[\w-]+)/g))
      if (!(name! in scripts)) missing.push(`${page}: ${name}`);
  }
  assert.deepEqual(missing, []);
});

test("docs/errors.md lists every code of the source, each once, and no other", () => {
  const used = new Set<string>();
  for (const file of globSync("src/**/*.ts", { cwd: root }).filter((name) => !name.endsWith(".test.ts"))) {
    for (const [, code] of read(file).matchAll(/"(FLOTILLA_[A-Z0-9_]+)"/g)) used.add(code!);
  }
  // Names of the environment, which begin in the same way.
  for (const name of ["FLOTILLA_CONFIG", "FLOTILLA_SOCKETS"]) used.delete(name);
  const listed = [...read("docs/errors.md").matchAll(/^\| (FLOTILLA_[A-Z0-9_]+) /gm)].map(
    (match) => match[1]!,
  );
  const unlisted = [...used].filter((code) => !listed.includes(code));
  const unknown = listed.filter((code, at) => !used.has(code) || listed.indexOf(code) !== at);
  assert.deepEqual({ unlisted, unknown }, { unlisted: [], unknown: [] });
});
