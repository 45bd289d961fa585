import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readAddress } from "./address.ts";
import { openSource } from "./open.ts";

const file = (path: string): string => `$${`{file:${path}}`}`;
const env = (name: string): string => `$${`{env:${name}}`}`;

test("an address says what is read and where, and its password is nowhere but in the URL", () => {
  const { kind, url, place, isOpen } = readAddress("rediss://me:se%3Acret@10.0.0.5:6380/2", {});
  assert.deepEqual({ kind, place, isOpen }, { kind: "redis", place: "10.0.0.5:6380/2", isOpen: true });
  assert.equal(url, "rediss://me:se%3Acret@10.0.0.5:6380/2");
  assert.equal(readAddress("postgresql://a@[fd00::5]/site?sslmode=require", {}).place, "[fd00::5]/site");
  assert.equal(readAddress("mariadb://a@h/site", {}).kind, "mysql");
  assert.equal(readAddress("redis://h", {}).isOpen, false);
  const { url: valkey, place: there } = readAddress("valkeys://h:1/2", {});
  assert.deepEqual([valkey, there], ["rediss://h:1/2", "h:1/2"]);
});

test("a part of it from a file or a variable may have any characters; all of it stands as it is", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-address-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "secret");
  writeFileSync(path, "p@ss/w:rd#%é\n");
  const { url, isOpen } = readAddress(`redis://:${file(path)}@${env("HOST")}`, { HOST: "h" });
  assert.equal(decodeURIComponent(new URL(url).password), "p@ss/w:rd#%é");
  assert.deepEqual([new URL(url).host, isOpen], ["h", false]);
  writeFileSync(path, "redis://:p%40ss@h:1/3\n");
  assert.deepEqual(readAddress(file(path), {}), {
    ...{ kind: "redis", url: "redis://:p%40ss@h:1/3", place: "h:1/3", isOpen: false },
  });
});

test("one that is wrong is told, and nothing of it is", () => {
  for (const [text, why] of [
    ["hidden", /it is no URL/],
    ["redis://a:hidden/b@h", /it is no URL/],
    ["http://hidden:hidden@h", /not from http:\/\//],
    ["postgres://hidden:hidden@h/x?sslmode=verify_full", /its sslmode is none of disable,/],
    [env("GONE"), /the environment variable "GONE" is not set/],
    [file("/gone/away"), /the file "\/gone\/away" can't be read/],
    [`redis://$${"{hide:x}"}`, /is not known; known are/],
  ] as const)
    assert.throws(() => readAddress(text, {}), {
      code: "FLOTILLA_IMPORT_FROM",
      message: new RegExp(`^(?!.*hidden)--from can't be used: .*${why.source}`),
    });
});

test("what a store has no use for, or its library does not understand, is told before anything is asked", async () => {
  const none = { prefix: null, keepsPrefix: false, table: null };
  for (const [text, options, why] of [
    ["redis://h", { ...none, table: "x" }, /a Redis has no tables/],
    ["postgres://a@h/x", { ...none, prefix: "sess:" }, /named with --table/],
    ["mysql://a@h/x", { ...none, keepsPrefix: true }, /named with --table/],
    ["redis://127.0.0.1:1/site", none, /Invalid pathname/],
    ["mysql://a:%ZZ@127.0.0.1:1/site", none, /URI malformed/],
    ["postgres://a@127.0.0.1:1/site?sslrootcert=/gone/away", none, /ENOENT.*\/gone\/away/],
  ] as const)
    await assert.rejects(openSource(readAddress(text, {}), options), {
      ...{ code: "FLOTILLA_IMPORT_FROM", message: new RegExp(`^--from can't be used: .*${why.source}`) },
    });
});
