import assert from "node:assert/strict";
import test from "node:test";
import { HalfSipHash } from "../balance/half-sip-hash.ts";
import type { BalanceSettings } from "../config/model.ts";
import { type KeyedRequest, keyFinder } from "./request-key.ts";

const hash = new HalfSipHash(Buffer.from("a secret"));
const request: KeyedRequest = {
  path: "/a",
  client: "192.0.2.1",
  fields: "Host\na.example\nX-User\nada",
  cookie: "a=1; user=ada",
};

function keyOf(by: BalanceSettings["by"], name: string, some: Partial<KeyedRequest> = {}): number {
  const key = keyFinder({ policy: "consistent-hash", by, name, loadBound: 1.25 }, hash)!({
    ...request,
    ...some,
  });
  assert.ok(Number.isInteger(key) && key >= 0 && key < 2 ** 32);
  return key;
}

test("the key is what the file names, and nothing else", () => {
  assert.equal(keyOf("path", ""), hash.hash("/a"));
  assert.equal(keyOf("header", "x-user"), hash.hash("ada"));
  assert.equal(keyOf("cookie", "user"), hash.hash("ada"));
  assert.equal(keyOf("client-address", ""), hash.hash("192.0.2.1"));
});

test("all addresses of one IPv6 network of a visitor are one", () => {
  const of = (client: string): number => keyOf("client-address", "", { client });
  assert.equal(of("2001:db8:1:2::1"), of("2001:db8:1:2:3:4:5:6"));
  assert.notEqual(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
});

test("requests without the header or the cookie get keys by chance", () => {
  for (const by of ["header", "cookie"] as const) {
    const keys = Array.from({ length: 20 }, () => keyOf(by, "missing"));
    assert.ok(new Set(keys).size > 10);
  }
});

test("other policies ask for no key", () => {
  assert.equal(keyFinder({ policy: "least-load", by: "path", name: "", loadBound: 1.25 }, hash), null);
});
