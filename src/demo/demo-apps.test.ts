import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type DemoApp, exampleApps, installApp, shopApp } from "./demo-apps.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "flotilla-apps-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test("the shop and an example are put into a folder with all that they import", async (t) => {
  const [shop, example] = [folder(t), folder(t)];
  await installApp(shopApp, shop);
  assert.ok(existsSync(join(shop, "shop", "server.js")));
  await installApp(exampleApps.get("koa")!, example);
  for (const file of ["server.js", "flotilla.yaml", "node_modules/koa/package.json"])
    assert.ok(existsSync(join(example, file)), file);
  const { name } = JSON.parse(readFileSync(join(example, "node_modules/flotilla/package.json"), "utf8"));
  assert.equal(name, "flotilla");
});

test("a package that is not installed is told, and how to get it", async (t) => {
  const app: DemoApp = { ...exampleApps.get("http")!, name: "own", folder: folder(t) };
  const dependencies = { "no-such-package": "1.0.0" };
  writeFileSync(join(app.folder, "package.json"), JSON.stringify({ dependencies }));
  await assert.rejects(installApp(app, folder(t)), {
    code: "FLOTILLA_DEMO_PACKAGE",
    message: /application own needs the package no-such-package, .*npm install no-such-package/,
  });
});
