/** Requests as texts for the tests of the parser: read, and expected to be accepted or refused. */
import assert from "node:assert/strict";
import { type HeadLimits, parseRequestHead, RequestHead } from "../../src/http/request-head.ts";

export const limits: HeadLimits = { headBytesMax: 16_384, fieldsMax: 100, targetBytesMax: 8_192 };

/** The bytes as they are. */
export function parseRaw(text: string): { head: RequestHead; length: number } {
  const bytes = Buffer.from(text, "latin1");
  const head = new RequestHead();
  return { head, length: parseRequestHead(bytes, 0, bytes.length, limits, head) };
}

/** A text in which LF stands for CR LF. */
export function accepted(text: string): RequestHead {
  const raw = text.replaceAll("\n", "\r\n");
  const { head, length } = parseRaw(raw);
  assert.equal(head.error, null, text);
  assert.equal(length, raw.length, text);
  return head;
}

/** @param code without "FLOTILLA_HTTP_". */
export function refused(raw: string, status: number, code: string): void {
  const { head, length } = parseRaw(raw);
  assert.equal(length, -1, JSON.stringify(raw));
  assert.equal(head.error?.code, `FLOTILLA_HTTP_${code}`, JSON.stringify(raw));
  assert.equal(head.error?.status, status);
}
