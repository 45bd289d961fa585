/** Questions to voters over a link: answers of any size that is allowed, and every way in which none comes. */
import assert from "node:assert/strict";
import test from "node:test";
import { MemoryLink } from "../../../test/harness/memory-link.ts";
import { type Link, ResetCode, type StreamService } from "../../link/api.ts";
import type { FlotillaError } from "../../support/errors.ts";
import { unreachable } from "../unreachable.ts";
import { Acceptor, type VoteStorage } from "./acceptor.ts";
import type { VoterAnswer, VoterRequest } from "./messages.ts";
import { LinkVoterTransport, registerService } from "./register-service.ts";
import { noBallot } from "./state.ts";

function memoryStorage(failing = false): VoteStorage {
  let bytes: Buffer | null = null;
  return {
    read: (done) => done(null, bytes),
    write: (given, done) => {
      bytes = given;
      done(failing ? unreachable("no space left on device") : null);
    },
    lock: (done) => done(null, () => {}),
  };
}

function acceptor(storage: VoteStorage = memoryStorage()): Acceptor {
  return new Acceptor({ name: "b", storage, newMarker: () => "m", onDamage: () => assert.fail() });
}

function linkTo(service: StreamService, state: { usable?: boolean; silent?: boolean } = {}): Link {
  const memory = new MemoryLink(service);
  return {
    usable: true,
    silent: false,
    ...state,
    open: (_kind: number, meta: string, ended: boolean, handler: Parameters<Link["open"]>[3]) =>
      memory.open(meta, ended, handler),
  } as unknown as Link;
}

function ask(
  links: readonly Link[],
  request: VoterRequest,
  register = "app",
): Promise<{ error: FlotillaError | null; answer: VoterAnswer | null }> {
  const transport = new LinkVoterTransport(register, () => links, null);
  return new Promise((resolve) =>
    transport.send("b", request, (error, answer) => resolve({ error, answer })),
  );
}

const query: VoterRequest = { kind: "query", have: noBallot };

test("a question and its answer, with a value of many frames", async () => {
  const link = linkTo(registerService(new Map([["app", acceptor()]])));
  const first = await ask([link], query);
  assert.equal(first.answer?.marker, "m");
  const ballot = { counter: 1, node: "n" };
  const voters = { current: [{ name: "b", marker: "m" }], next: null };
  const state = { world: "w", version: 1, recent: ["c"], voters, value: Buffer.alloc(500_000, "x") };
  assert.equal((await ask([link], { kind: "accept", ballot, marker: "m", state })).answer?.ok, true);
  assert.deepEqual((await ask([link], query)).answer?.accepted, { ballot, state });
});

test("no vote for this register here", async () => {
  const link = linkTo(registerService(new Map()));
  assert.match((await ask([link], query, "shop")).error!.message, /no vote for the register "shop" here/);
});

test("a disk that fails is told", async () => {
  const link = linkTo(registerService(new Map([["app", acceptor(memoryStorage(true))]])));
  assert.match((await ask([link], query)).error!.message, /no space left on device/);
});

test("what is no question is refused", async () => {
  const memory = new MemoryLink(registerService(new Map([["app", acceptor()]])));
  const told = await new Promise<[ResetCode, string]>((resolve) => {
    const stream = memory.open("app", false, {
      onData: () => assert.fail(),
      onEnd: () => assert.fail(),
      onReset: (_stream, code, message) => resolve([code, message]),
      onDrain: () => {},
    });
    stream.write("GET / HTTP/1.1\r\n");
    stream.end();
  });
  assert.equal(told[0], ResetCode.protocol);
  assert.match(told[1], /a question to a voter has format 71/);
});

test("a process that is silent is asked only when there is no other", async () => {
  const mute: StreamService = { onStream: () => assert.fail("the silent one was asked") };
  const links = [
    linkTo(mute, { silent: true }),
    linkTo(mute, { usable: false }),
    linkTo(registerService(new Map([["app", acceptor()]]))),
  ];
  assert.equal((await ask(links, query)).answer?.marker, "m");
  assert.match((await ask([], query)).error!.message, /no link to the voter at b/);
});

test("nothing comes: the question ends by itself", async () => {
  const handler = { onData: () => {}, onEnd: () => {}, onReset: () => {}, onDrain: () => {} };
  const mute: StreamService = { onStream: () => handler };
  const keepAlive = setTimeout(() => {}, 5_000);
  assert.match((await ask([linkTo(mute)], query)).error!.message, /did not answer in time/);
  clearTimeout(keepAlive);
});
