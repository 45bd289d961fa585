import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { isKey, slotOfKey } from "../id.ts";
import { keyOfSid } from "./key-of-sid.ts";

test("the key of another library's id is the begin of its SHA-256, and stays the same for ever", () => {
  assert.equal(keyOfSid("nzVPBB4bZSj0sqcKQmqUEQP4kKhV2hZy"), "WEpHzm4zr4zsHF0Taw5-CcR2");
});

test("it is a key as ids carry it, whose slot is the digest's first 12 bits", () => {
  for (const sid of ["", "a", "é/+ ", "x".repeat(10_000)]) {
    const digest = createHash("sha256").update(sid).digest();
    const key = keyOfSid(sid);
    assert.ok(isKey(key), key);
    assert.equal(slotOfKey(key), digest.readUInt16BE() >>> 4);
    assert.deepEqual(Buffer.from(key, "base64url"), digest.subarray(0, 18));
  }
});
