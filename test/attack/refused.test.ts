/**
 * Rows A1 to A24 and A31 of the attack list that must be refused: as bytes on a real socket of a web tier, in front of
 * an origin that records every byte, and in front of an app server on the link. One answer, the connection closed,
 * nothing behind it; what stands behind the attack must not be taken for a request.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { chunkedP, refusedRows } from "./refused-rows.ts";
import { answersIn, startTargets } from "./targets.ts";

const targets = await startTargets();

/** What a smuggler would want to be taken for a request. */
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

for (const [name, status, requests] of refusedRows) {
  for (const target of targets) {
    test(`${name}: ${status}, nothing reaches the app server (${target.name})`, async () => {
      for (const request of requests) await target.refuses(request + smuggled, status);
    });
  }
}

test("A9 A10 A11 A12 chunks that go wrong behind the head's read: 400, never a whole request, nothing behind it", async () => {
  const wrong = [
    "1\r\nZQQ",
    "1;a\nZ\r\n",
    "0x1\r\nZ\r\n",
    `1;${"x".repeat(16_384)}\r\nZ\r\n`,
    "0\r\nX : 1\r\n\r\n",
  ];
  for (const target of targets) {
    for (const body of wrong) {
      const outcome = await target.sendInTwo(`${chunkedP}3\r\nabc\r\n`, body + smuggled);
      const what = `${target.name}: ${JSON.stringify(body.slice(0, 80))}`;
      assert.match(outcome.client, /^HTTP\/1\.1 400 /, what);
      assert.equal(answersIn(outcome.client), 1, what);
      assert.equal(outcome.reached.length, 1, what);
      assert.equal(outcome.reached[0]!.whole, false, what);
      assert.match(outcome.reached[0]!.body, /^abcZ?$/, what);
    }
  }
});
