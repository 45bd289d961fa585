/** The one canonical form of a path. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { absoluteTarget, canonicalPath } from "./canonical.ts";
import { refusals } from "./refusals.ts";

test("A21 one canonical form", () => {
  const forms: [string, string][] = [
    ["/", "/"],
    ["//", "/"],
    ["//admin", "/admin"],
    ["/a//b///c", "/a/b/c"],
    ["/a/./b/.", "/a/b/"],
    ["/a/b/..", "/a/"],
    ["/a/..", "/"],
    ["/a/../", "/"],
    ["/a//../b", "/b"],
    ["/...", "/..."],
    ["/a..b/.c/d.", "/a..b/.c/d."],
    ["/%41%7e%2D%5f%2e", "/A~-_."],
    ["/a%2fb%5c..c", "/a%2Fb%5C..c"],
    ["/a;x/...;y", "/a;x/...;y"],
    ["/a/%2E%2e/b", "/b"],
    ["/%252e%252e/", "/%252e%252e/"],
    ["/%3b;%3B", "/%3B;%3B"],
    ["/%e4%C3", "/%E4%C3"],
    ['/[slug]|^`{}<>"', "/%5Bslug%5D%7C%5E%60%7B%7D%3C%3E%22"],
    ["/%0d%0a%09", "/%0D%0A%09"],
    ["/A/b", "/A/b"],
  ];
  for (const [path, canonical] of forms) {
    assert.equal(canonicalPath(path), canonical, path);
  }
});

test("A21 what has no canonical form", () => {
  const refused: [string, unknown][] = [
    ["/%", refusals.badPercent],
    ["/%a", refusals.badPercent],
    ["/%0g", refusals.badPercent],
    ["/%%41", refusals.badPercent],
    ["/%00", refusals.nulInPath],
    ["/..", refusals.pathAboveRoot],
    ["/a/../..", refusals.pathAboveRoot],
    ["/%2e%2e%2f", refusals.hiddenDotSegment],
    ["/a/..%2fadmin", refusals.hiddenDotSegment],
    ["/a%5C..", refusals.hiddenDotSegment],
    ["/a%2f%2e/b", refusals.hiddenDotSegment],
    ["/a/..;/admin", refusals.hiddenDotSegment],
    ["/a/%2e%2E;x=1/admin", refusals.hiddenDotSegment],
    ["/a/.%3bx", refusals.hiddenDotSegment],
    ["/a/%2e%2e/%2e%2e/b", refusals.pathAboveRoot],
    ["/a/..%2f..%2fb", refusals.hiddenDotSegment],
    ["/a%2f..%5C..%2Fb", refusals.hiddenDotSegment],
    ["/a b", refusals.badTargetByte],
    ["/a\\b", refusals.badTargetByte],
    ["/a#b", refusals.badTargetByte],
    ["/\xe4", refusals.badTargetByte],
    ["/\u0141", refusals.badTargetByte],
  ];
  for (const [path, error] of refused) assert.equal(canonicalPath(path), error, path);
});

test("a canonical path is its own canonical form and has no dot segments", () => {
  const part = fc.constantFrom(
    "/",
    "/",
    ".",
    "..",
    "%2e",
    "%2F",
    "%5c",
    "%41",
    "%zz",
    "a",
    "B",
    ";",
    "|",
    "%25",
    "%",
    "~",
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 24 }), (parts) => {
      const canonical = canonicalPath(`/${parts.join("")}`);
      if (typeof canonical !== "string") return;
      assert.equal(canonicalPath(canonical), canonical);
      assert.match(canonical, /^\/[!-~]*$/);
      assert.doesNotMatch(canonical, /\/\/|\/\.{1,2}(\/|$)|%[0-9A-F]?[a-f]/);
    }),
    { seed: 21, numRuns: 5_000 },
  );
});

/** Where a file system, or an app that decodes everything before it looks, would find the path. */
function lenientPlace(path: string): string {
  const kept: string[] = [];
  for (const part of decodeLatin1(path).replaceAll("\\", "/").split("/")) {
    const name = part.replace(/^(\.\.?);.*$/, "$1");
    if (name === "..") kept.pop();
    else if (name !== "" && name !== ".") kept.push(part);
  }
  return `/${kept.join("/")}`;
}

function decodeLatin1(path: string): string {
  return path.replaceAll(/%[0-9a-f]{2}/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)));
}

test("A21 spellings that a lenient program takes for one path have one canonical form, or none", () => {
  const name = fc.constantFrom("a", "b%41", "c;x", ".d", "e..", "%7e", "caf%c3%a9", "%25", "[");
  // Ways to write the path differently and mean the same; what stands for a separator is data to us, and left out.
  const odd = fc.constantFrom(
    "//",
    "/./",
    "/%2e/",
    "/a/../",
    "/a/%2E%2e/",
    "/a/..;x/",
    "/.;/",
    "/a/..%2f",
    "/%2e%2F",
    "/../",
  );
  const respelt = (path: string, how: number): string =>
    path.replaceAll(/[A-Za-z~.]|%[0-9a-f]{2}/gi, (char) => {
      if (char.startsWith("%")) return how & 1 ? char.toUpperCase() : char.toLowerCase();
      return how & 2 && !/[.;]/.test(char) ? `%${char.charCodeAt(0).toString(16)}` : char;
    });
  fc.assert(
    fc.property(
      fc.array(name, { minLength: 1, maxLength: 4 }),
      fc.array(odd, { maxLength: 4 }),
      fc.nat(3),
      (names, odds, how) => {
        const plain = `/${names.join("/")}`;
        const spelling = respelt(names.map((part, at) => (odds[at] ?? "/") + part).join(""), how);
        const canonical = canonicalPath(spelling);
        if (typeof canonical !== "string" || lenientPlace(spelling) !== lenientPlace(plain)) return;
        assert.equal(canonical, canonicalPath(plain), spelling);
      },
    ),
    { seed: 21, numRuns: 5_000 },
  );
});

test("A21 where no separator is encoded, a canonical form is where every program finds the path", () => {
  const part = fc.constantFrom("/", "/", ".", "..", "%2e", ";x", "a", "%41", "%zz", "|", "%2E%2e", "~");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
      const path = `/${parts.join("")}`;
      const canonical = canonicalPath(path);
      if (typeof canonical !== "string") return;
      assert.equal(decodeLatin1(canonical).replace(/(?<=.)\/$/, ""), lenientPlace(path), path);
    }),
    { seed: 21, numRuns: 5_000 },
  );
});

test("A19 absolute form taken apart", () => {
  assert.deepEqual(absoluteTarget("http://a:1/b?c", "GET"), { authority: "a:1", target: "/b?c" });
  assert.deepEqual(absoluteTarget("HTTPS://a", "GET"), { authority: "a", target: "/" });
  assert.deepEqual(absoluteTarget("http://a", "OPTIONS"), { authority: "a", target: "*" });
  assert.deepEqual(absoluteTarget("http://a?b/c@d", "OPTIONS"), { authority: "a", target: "/?b/c@d" });
  for (const raw of [
    "unix:/run/x",
    "unix:///x",
    "ftp://a/",
    "http:a",
    "http:///x",
    "http://u:p@a/",
    "http://@a/",
    "x",
  ])
    assert.equal(absoluteTarget(raw, "GET"), null, raw);
});
