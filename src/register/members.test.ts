/** A proposer that was overtaken: it finds out by asking, and does not disturb who goes on. */
import assert from "node:assert/strict";
import test from "node:test";
import { systemClock } from "../support/clock.ts";
import { Acceptor, type VoteStorage } from "./acceptor.ts";
import { MembersRegister } from "./members.ts";
import type { VoterRequest } from "./messages.ts";
import type { VoterTransport } from "./patience.ts";
import type { CasOutcome } from "./register.ts";

const names = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

function storageInMemory(): VoteStorage {
  let bytes: Buffer | null = null;
  return {
    read: (done) => done(null, bytes),
    write(next, done) {
      bytes = next;
      done(null);
    },
    lock: (done) => done(null, () => {}),
  };
}

function votersInMemory(): Map<string, Acceptor> {
  const onDamage = (): never => assert.fail("damaged");
  return new Map(
    names.map((name) => [
      name,
      new Acceptor({ name, storage: storageInMemory(), newMarker: () => `of ${name}`, onDamage }),
    ]),
  );
}

function registerOn(node: string, transport: VoterTransport): MembersRegister<string> {
  return new MembersRegister({
    ...{ node, transport, fileVoters: names, clock: systemClock, random: () => 0 },
    codec: { encode: (value) => Buffer.from(value), decode: (bytes) => bytes.toString() },
    first: () => "first",
  });
}

function change(register: MembersRegister<string>, to: string): Promise<CasOutcome<string>> {
  return new Promise((resolve) => register.compareAndSet(1, to, resolve));
}

test("a change that another one has overtaken ends with one look", async () => {
  const voters = votersInMemory();
  const deliver: VoterTransport["send"] = (voter, request, done) =>
    void setImmediate(() => voters.get(voter)!.handle(request, done));
  const faster = registerOn("faster", { send: deliver });
  const asked: VoterRequest["kind"][] = [];
  let overtaking: Promise<CasOutcome<string>> | null = null;
  const slower = registerOn("slower", {
    send(voter, request, done) {
      asked.push(request.kind);
      if (request.kind !== "accept") return deliver(voter, request, done);
      // Between its promises and its proposal.
      overtaking ??= change(faster, "of the faster");
      void overtaking.then(() => deliver(voter, request, done));
    },
  });
  // Timers of a register do not keep the process alive, as in a server.
  const keepAlive = setInterval(() => {}, 1_000);
  for (const register of [faster, slower])
    await new Promise((resolve) => register.read((_error, state) => resolve(state)));
  asked.length = 0;

  const outcome = await change(slower, "of the slower");
  clearInterval(keepAlive);
  assert.equal((await overtaking!).kind, "done");
  assert.deepEqual(outcome, { kind: "conflict", state: { version: 2, value: "of the faster" } });
  assert.deepEqual(
    ["prepare", "accept", "query"].map((kind) => asked.filter((each) => each === kind).length),
    [3, 3, 3],
  );
});
