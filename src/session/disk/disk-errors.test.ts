/** Each error of a disk has words for a person, whoever says it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inWords, inWordsWithRemedy } from "./disk-errors.ts";

test("each error of a disk has words, and says what to do", () => {
  const words = (fields: object): string => inWordsWithRemedy(Object.assign(new Error("native"), fields));
  assert.equal(words({ code: "ENOSPC" }), "the disk is full: make room");
  assert.equal(words({ code: "EDQUOT" }), "the quota of this user is used up: make room, or raise it");
  assert.match(
    words({ code: "EROFS" }),
    /^its file system can only be read: dmesg says why; stop this server/,
  );
  assert.match(words({ code: "EIO" }), /^the disk reports errors: /);
  assert.match(words({ code: "EACCES" }), /^this user has no permission: give it back to user \d+ /);
  assert.equal(words({ code: "ENOTDIR" }), "a part of its path is a file, not a folder: mend the folder");
  assert.equal(words({ code: "EMFILE" }), "native: mend the folder");
  // SQLite's, with details above the lowest byte.
  const sqlite = (errcode: number): string =>
    inWords(Object.assign(new Error("native"), { code: "ERR_SQLITE_ERROR", errcode }));
  assert.equal(sqlite(13), "the disk is full");
  assert.equal(sqlite(10 | (4 << 8)), "the disk reports errors");
  assert.equal(sqlite(8 | (3 << 8)), "its file system can only be read");
  assert.equal(sqlite(14), "this user has no permission");
  assert.equal(sqlite(1), "native");
});
