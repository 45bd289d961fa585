import assert from "node:assert/strict";
import test from "node:test";
import { compileRoute, matchRoute } from "./route.ts";

function takes(pattern: string, path: string): boolean {
  return matchRoute([compileRoute({ host: null, path: pattern }, "app")], "a", path) !== null;
}

const cases: readonly [pattern: string, yes: readonly string[], no: readonly string[]][] = [
  ["/*", ["/", "/a/b"], []],
  ["*", ["/", "/a/b"], []],
  ["/foo", ["/foo"], ["/foo/", "/foobar", "/Foo", "/x/foo"]],
  ["/foo/*", ["/foo", "/foo/", "/foo/a/b"], ["/foobar", "/x/foo/a"]],
  ["*.png", ["/a.png", "/x/y/a.png", "/.png"], ["/a.png/b", "/apng", "/a.PNG"]],
  ["*.{png,gif}", ["/x/a.png", "/a.gif"], ["/a.jpg", "/a.png,gif"]],
  ["/img/*.{png,gif}", ["/img/a.gif", "/img/.png"], ["/img/x/a.gif", "/a.gif", "/img/a.gif/b"]],
  ["/a*a", ["/aa", "/aba"], ["/a", "/ab", "/a/a"]],
  // A regular expression would mean something by these.
  ["/a.b+(c)?", ["/a.b+(c)?"], ["/axb", "/a.bb", "/a.b"]],
  ["/$x^*|", ["/$x^|", "/$x^y|"], ["/$x^", "/"]],
];

test("what a path pattern takes, and what it does not", () => {
  for (const [pattern, yes, no] of cases) {
    for (const path of yes) assert.ok(takes(pattern, path), `${pattern} takes ${path}`);
    for (const path of no) assert.ok(!takes(pattern, path), `${pattern} does not take ${path}`);
  }
});
