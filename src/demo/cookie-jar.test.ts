import assert from "node:assert/strict";
import { test } from "node:test";
import { CookieJar } from "./cookie-jar.ts";

test("what was set is sent back, the newest value of each name", () => {
  const jar = new CookieJar();
  jar.store("sid=one; Path=/; HttpOnly; SameSite=Lax");
  jar.store("theme=dark");
  jar.store("sid=two; Path=/");
  assert.equal(jar.header("/cart"), "sid=two; theme=dark");
  assert.equal(jar.get("sid"), "two");
});

test("values keep their own equals signs", () => {
  const jar = new CookieJar();
  jar.store("sid=a=b==; Path=/");
  assert.equal(jar.header("/"), "sid=a=b==");
});

test("a path covers what is below it, not what only begins alike", () => {
  const jar = new CookieJar();
  jar.store("a=1; Path=/shop");
  assert.equal(jar.header("/shop"), "a=1");
  assert.equal(jar.header("/shop/cart"), "a=1");
  assert.equal(jar.header("/shopping"), "");
});

test("Max-Age and Expires end a cookie, Max-Age first", () => {
  let now = Date.UTC(2026, 0, 1);
  const jar = new CookieJar(() => now);
  jar.store("short=1; Max-Age=10");
  jar.store("both=1; Max-Age=20; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
  jar.store("gone=1");
  jar.store("gone=; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
  assert.equal(jar.header("/"), "short=1; both=1");
  now += 15_000;
  assert.equal(jar.header("/"), "both=1");
  jar.store("both=; Max-Age=0");
  assert.equal(jar.header("/"), "");
});

test("no cookie, and none that only TLS may carry, is kept from plain HTTP", () => {
  const jar = new CookieJar();
  for (const field of ["", "=x", "nothing", "sid=x; Secure"]) jar.store(field);
  assert.equal(jar.header("/"), "");
});
