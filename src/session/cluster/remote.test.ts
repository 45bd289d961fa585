/** A change that waits for an owner: not made any more when its requester has been told, or is about to be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { session as limits } from "../../support/limits.ts";
import { noEntries } from "../entry.ts";
import type { VerifiedId } from "../id.ts";
import type { Context } from "./context.ts";
import { RequestKind } from "./messages.ts";
import type { Owner } from "./owner.ts";
import { Remote } from "./remote.ts";

/** One slot without an owner, which this process may come to own. */
function withoutOwner(): { remote: Remote; made: string[]; pass: (ms: number) => void; own: () => void } {
  let now = 0;
  const slot = { index: 0, isServing: false, sessions: new Map([["key", {}]]) };
  const made: string[] = [];
  const context = { clock: { now: () => now }, slots: [slot], map: null, peers: new Map() };
  const owner = {
    mayShow: () => true,
    submitNow: (_slot: unknown, { key }: { key: string }) => made.push(key),
  };
  const withWriter = { ...context, writerTo: () => null, options: { later: () => {} } };
  const remote = new Remote(withWriter as unknown as Context, owner as unknown as Owner, () => {});
  const pass = (ms: number): void => {
    now += ms;
  };
  const own = (): void => {
    slot.isServing = true;
    remote.retry();
  };
  return { remote, made, pass, own };
}

function change(remote: Remote, told: string[]): void {
  const id = { key: "key", slot: 0 } as VerifiedId;
  const operation = {
    kind: RequestKind.update,
    key: "key",
    idleTimeoutMs: 1_000,
    life: null,
    changes: noEntries,
    expected: null,
  };
  remote.change(id, operation, (error) => told.push(error?.code ?? "done"));
}

test("a change that waits is made when this process becomes the owner in time", () => {
  const { remote, made, pass, own } = withoutOwner();
  change(remote, []);
  pass(limits.commitTimeoutMs - 1);
  own();
  assert.deepEqual(made, ["key"]);
});

test("one that has waited for as long as its requester does is not made, and that is told", () => {
  const { remote, made, pass, own } = withoutOwner();
  const told: string[] = [];
  change(remote, told);
  pass(limits.commitTimeoutMs);
  // Before the next tick.
  own();
  remote.tick();
  assert.deepEqual(made, []);
  assert.deepEqual(told, ["FLOTILLA_SESSION_UNAVAILABLE"]);
});
