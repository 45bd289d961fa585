/** Ticket keys: the same wherever the secret is the same, changed every day, and nobody else's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createSecureContext } from "node:tls";
import { TicketKeys } from "./ticket-keys.ts";

const dayMs = 86_400_000;
const secret = Buffer.alloc(32, "a");
const other = Buffer.alloc(32, "b");

/** What the native code would be told. */
function ask(keys: TicketKeys): (name: Buffer | null) => readonly unknown[] {
  const context = { context: { enableTicketKeyCallback: () => {} } };
  keys.install(context);
  const { onticketkeycallback } = context.context as unknown as {
    onticketkeycallback: (name: Buffer, iv: Buffer, encrypting: boolean) => readonly unknown[];
  };
  return (name) => onticketkeycallback(name ?? Buffer.alloc(16), Buffer.alloc(16), name === null);
}

function nameOf(answer: readonly unknown[]): Buffer {
  return answer[3] as Buffer;
}

test("R54 one secret, one day, one scope: one key; anything else: another", () => {
  const at = (key: Buffer, scope: string, now: number): string =>
    new TicketKeys([key], scope, () => now).current.toString("hex");
  const key = at(secret, "web", 10 * dayMs);
  assert.equal(key.length, 2 * 48);
  assert.equal(at(secret, "web", 11 * dayMs - 1), key);
  for (const different of [
    at(secret, "web", 11 * dayMs),
    at(secret, "web", 10 * dayMs - 1),
    at(secret, "web2", 10 * dayMs),
    at(other, "web", 10 * dayMs),
  ])
    assert.notEqual(different, key);
});

test("R54 tickets of yesterday, tomorrow and the previous secret are accepted, older ones are not", () => {
  let now = 10.5 * dayMs;
  const keys = new TicketKeys([secret, other], "web", () => now);
  const answer = ask(keys);
  const today = nameOf(answer(null));
  assert.equal(answer(today)[0], 2);
  const accepted = (key: Buffer, day: number): unknown => {
    const theirs = ask(new TicketKeys([key], "web", () => day * dayMs));
    return answer(nameOf(theirs(null)))[0];
  };
  assert.deepEqual(
    [8, 9, 10, 11, 12].map((day) => accepted(secret, day)),
    [0, 2, 2, 2, 0],
  );
  assert.deepEqual(
    [8, 9, 10, 11, 12].map((day) => accepted(other, day)),
    [0, 2, 2, 2, 0],
  );
  now += dayMs;
  assert.equal(answer(today)[0], 2);
  assert.notDeepEqual(nameOf(answer(null)), today);
  now += dayMs;
  assert.equal(answer(today)[0], 0);
});

test("each answer has the buffers without which Node aborts", () => {
  const answer = ask(new TicketKeys([secret], "web"));
  for (const name of [Buffer.alloc(16, "?"), null]) {
    const [, ...buffers] = answer(name);
    assert.deepEqual(
      buffers.map((buffer) => (buffer as Buffer).length),
      name === null ? [16, 16, 16, 16] : [16, 16],
    );
  }
});

test("this Node has the call", () => {
  assert.equal(typeof createSecureContext().context.enableTicketKeyCallback, "function");
});
