/** Seeded damage to heads: the parsers never throw, never look outside, decide the same however the bytes were cut. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findHeadEnd, type HeadLimits, parseRequestHead, RequestHead } from "../../src/http/request-head.ts";
import { parseResponseHead, ResponseHead } from "../../src/http/response-head.ts";
import { seededRandom } from "../../src/support/clock.ts";
import { answerHead, damaged, requestHead } from "./heads.ts";

const limits: HeadLimits = { headBytesMax: 400, fieldsMax: 8, targetBytesMax: 60 };
const runs = 10_000;

/** The text between surroundings that would change the outcome if they were looked at. */
function surrounded(text: string, before: string, after: string): [Buffer, number, number] {
  return [Buffer.from(before + text + after, "latin1"), before.length, before.length + text.length];
}

function request(text: string, before = "", after = ""): { length: number; head: RequestHead } {
  const head = new RequestHead();
  const length = parseRequestHead(...surrounded(text, before, after), limits, head);
  return { length, head };
}

function answer(text: string, before = "", after = ""): { length: number; head: ResponseHead } {
  const head = new ResponseHead();
  const length = parseResponseHead(...surrounded(text, before, after), limits, head);
  return { length, head };
}

const unsafe = /[\r\n\0]/;

function checkRequest(text: string): void {
  const whole = request(text);
  assert.deepEqual(
    request(text, "GET / HT", "\r\n\r\nHost: b\r\n\r\n"),
    whole,
    "bytes outside are not looked at",
  );
  for (let length = 0; length < text.length; length++) {
    const part = request(text.slice(0, length));
    if (part.length !== 0) assert.deepEqual(part, whole, `the same with the first ${length} bytes`);
  }
  if (whole.length <= 0) {
    assert.equal(whole.head.error === null, whole.length === 0);
    return;
  }
  const { head } = whole;
  assert.ok(whole.length <= text.length && text.slice(0, whole.length).endsWith("\r\n\r\n"));
  assert.equal(
    findHeadEnd(Buffer.from(text, "latin1"), text.startsWith("\r\n") ? 2 : 0, text.length),
    whole.length,
  );
  const parts = head.fields === "" ? [] : head.fields.split("\n");
  assert.equal(parts.length, head.fieldCount * 2);
  for (let i = 0; i < parts.length; i += 2) {
    assert.match(parts[i]!, /^[!#$%&'*+\-.^`|~0-9A-Za-z]+$/);
    assert.doesNotMatch(parts[i + 1]!, /[\0-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/);
  }
  assert.match(head.target, /^(\/[!-~]*|\*)$/);
  assert.ok(!(head.chunked && head.contentLength >= 0));
  for (const value of [
    head.cookie,
    head.userAgent,
    head.via,
    head.host,
    head.xForwardedFor,
    head.upgrade,
    head.requestId,
  ])
    assert.doesNotMatch(value, unsafe);
  checkAgain(head, parts);
}

/** What goes on is understood in the same way by the next strict reader. */
function checkAgain(head: RequestHead, parts: string[]): void {
  const lines: string[] = [];
  for (let i = 0; i < parts.length; i += 2) lines.push(`${parts[i]}: ${parts[i + 1]}\r\n`);
  const again = request(`${head.method} ${head.target} HTTP/1.${head.versionMinor}\r\n${lines.join("")}\r\n`);
  assert.ok(again.length > 0, again.head.error?.code);
  assert.equal(again.head.fields, head.fields);
  assert.equal(again.head.target, head.target);
  assert.equal(again.head.cookie, head.cookie);
}

function checkAnswer(text: string): void {
  const whole = answer(text);
  assert.deepEqual(answer(text, "HTTP/1.1 2", "00 OK\r\n\r\n"), whole);
  for (let length = 0; length < text.length; length++) {
    const part = answer(text.slice(0, length));
    if (part.length !== 0) assert.deepEqual(part, whole);
  }
  if (whole.length <= 0) {
    assert.equal(whole.head.error === "", whole.length === 0);
    return;
  }
  const { head } = whole;
  assert.doesNotMatch(head.reason, unsafe);
  assert.match(head.fields, /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\r\n\0]*\r\n)*$/);
  assert.ok(!(head.chunked && head.contentLength >= 0));
}

test("damaged requests", () => {
  const random = seededRandom(1);
  let accepted = 0;
  for (let run = 0; run < runs; run++) {
    const text = damaged(random, requestHead(random));
    checkRequest(text);
    if (request(text).length > 0) accepted++;
  }
  // The generator is of use only while both outcomes are common.
  assert.ok(accepted > runs / 50 && accepted < runs / 2, String(accepted));
});

test("damaged answers", () => {
  const random = seededRandom(2);
  let accepted = 0;
  for (let run = 0; run < runs; run++) {
    const text = damaged(random, answerHead(random));
    checkAnswer(text);
    if (answer(text).length > 0) accepted++;
  }
  assert.ok(accepted > runs / 50 && accepted < runs / 2, String(accepted));
});

test("noise", () => {
  const random = seededRandom(3);
  for (let run = 0; run < 2_000; run++) {
    const bytes = Array.from({ length: Math.floor(random() * 500) }, () => Math.floor(random() * 256));
    const text = String.fromCharCode(...bytes);
    assert.ok(request(text).length <= 0);
    assert.ok(answer(text).length <= 0);
  }
});
