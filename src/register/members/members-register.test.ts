/** A proposer that was overtaken finds out by asking, and does not disturb who goes on; one that knows more than the voter that is left says so. */
import assert from "node:assert/strict";
import test from "node:test";
import { systemClock } from "../../support/clock.ts";
import type { CasOutcome } from "../register.ts";
import { unreachable } from "../unreachable.ts";
import { Acceptor, type VoteStorage } from "./acceptor.ts";
import { MembersRegister } from "./members-register.ts";
import type { VoterRequest } from "./messages.ts";
import type { VoterTransport } from "./patience.ts";

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

function votersInMemory(among: readonly string[] = names): Map<string, Acceptor> {
  const onDamage = (): never => assert.fail("damaged");
  return new Map(
    among.map((name) => [
      name,
      new Acceptor({ name, storage: storageInMemory(), newMarker: () => `of ${name}`, onDamage }),
    ]),
  );
}

function registerOn(
  node: string,
  transport: VoterTransport,
  fileVoters: readonly string[] = names,
): MembersRegister<string> {
  return new MembersRegister({
    ...{ node, transport, fileVoters, clock: systemClock, random: () => 0 },
    codec: { encode: (value) => Buffer.from(value), decode: (bytes) => bytes.toString() },
    first: () => "first",
    afterFork: (kept) => kept,
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

test("of two voters, the one that is left and missed a change leads nobody back who knows it", async () => {
  const pair = names.slice(0, 2);
  const [first] = pair;
  const voters = votersInMemory(pair);
  const down = new Set<string>();
  const transport: VoterTransport = {
    send: (voter, request, done) =>
      void setImmediate(() => {
        if (down.has(voter)) done(unreachable(`${voter} is down`), null);
        else voters.get(voter)!.handle(request, done);
      }),
  };
  const keepAlive = setInterval(() => {}, 1_000);
  const register = registerOn("one", transport, pair);
  await new Promise((resolve) => register.read((_error, state) => resolve(state)));

  down.add(pair[1]!);
  assert.equal((await change(register, "missed by the second")).kind, "done");
  down.delete(pair[1]!);
  down.add(first!);
  const state = await new Promise((resolve) => register.read((_error, found) => resolve(found)));
  clearInterval(keepAlive);
  assert.deepEqual(state, { version: 2, value: "missed by the second" });
});
