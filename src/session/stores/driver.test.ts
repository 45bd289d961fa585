import assert from "node:assert/strict";
import { test } from "node:test";
import { loadDriver } from "./driver.ts";

test("a library that is not installed is told with how to install it; any other trouble of it is its own", async () => {
  assert.equal(await loadDriver("pg", async () => "loaded"), "loaded");
  const missing = Object.assign(new Error("Cannot find package 'redis'"), { code: "ERR_MODULE_NOT_FOUND" });
  await assert.rejects(
    loadDriver("redis", () => Promise.reject(missing)),
    { code: "FLOTILLA_SESSION_STORE_DRIVER", message: /npm install redis/ },
  );
  const broken = new SyntaxError("Unexpected token");
  await assert.rejects(
    loadDriver("mysql2", () => Promise.reject(broken)),
    broken,
  );
});
