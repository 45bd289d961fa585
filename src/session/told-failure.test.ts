import assert from "node:assert/strict";
import { test } from "node:test";
import { FlotillaError } from "../support/errors.ts";
import { busy, unknownOutcome } from "./cluster/failures.ts";
import { contended, sessionGone, tooLarge } from "./store.ts";
import { damaged, errorOf, unavailable } from "./stores/store-errors.ts";
import { toldFailure } from "./told-failure.ts";

const where = "PostgreSQL at 10.0.0.5:5432";
const refused = {
  outcome: "unfit",
  why: `${where} refuses NUL`,
  cause: null,
  isWorthRetrying: false,
} as const;

test("an error says what it may to a visitor, and by its status whose turn it is", () => {
  for (const [failure, status, message] of [
    [sessionGone(), 409, /^the session was destroyed or has expired meanwhile; nothing was written$/],
    [unavailable(`${where} did not answer`), 503, /can't be reached now; nothing was written$/],
    [busy(), 503, /nothing was written$/],
    [contended("cart"), 503, /again and again; nothing was written$/],
    [unknownOutcome(), 503, /may have been changed or not$/],
    [damaged("0123456789", where, "no JSON"), 503, /^the session can't be read$/],
    [errorOf(refused, ["cart"]), 500, /^a value .* can't be kept/],
    [new FlotillaError("FLOTILLA_OTHER", `${where}: what nobody thought of`), 503, /may have been changed/],
  ] as const) {
    const told = toldFailure(failure);
    const { code, source, retry } = failure;
    const marks = { code, source, retry, status, statusCode: status, expose: status === 409 };
    assert.partialDeepStrictEqual({ ...told }, marks);
    assert.match(told.message, message);
    assert.doesNotMatch(told.message, /PostgreSQL|10\.0\.0\.5|01234567|cart/);
    assert.deepEqual([told.cause, told.stack], [failure, failure.stack], "for logs");
    assert.ok(!("status" in failure));
    // By one operation to another, and then to the application.
    assert.equal(toldFailure(told), told);
  }
});

test("what the application has done wrong, and what is thrown by others, is told as it is", () => {
  const server = { source: "server" } as const;
  for (const failure of [
    tooLarge(new Map()),
    new FlotillaError("FLOTILLA_SESSION_COOKIE", "no time", server),
    new TypeError("update(key, fn)"),
    "thrown",
    undefined,
  ])
    assert.equal(toldFailure(failure), failure);
});
