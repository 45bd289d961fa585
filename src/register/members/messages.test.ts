/** Questions and answers as bytes: one form each, and damage is told as such, whatever the bytes. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  type VoterAnswer,
  type VoterRequest,
} from "./messages.ts";
import { noBallot, type RegisterState } from "./state.ts";

const ballot = { counter: 2 ** 45, node: "app-a#ä" };
const state: RegisterState = {
  world: "w",
  version: 3,
  recent: ["a.1", "b.1", "a.2"],
  voters: { current: [{ name: "10.0.0.1", marker: "m" }], next: [{ name: "10.0.0.2", marker: "" }] },
  value: Buffer.from([0, 255, 128]),
};
const requests: VoterRequest[] = [
  { kind: "query", have: noBallot },
  { kind: "prepare", ballot, have: noBallot },
  { kind: "accept", ballot, marker: "m", state },
  { kind: "enlist", marker: "m", world: "w" },
];
const answers: VoterAnswer[] = [
  { ok: false, marker: "m", promised: ballot, acceptedBallot: noBallot, accepted: null },
  { ok: true, marker: "m", promised: ballot, acceptedBallot: ballot, accepted: { ballot, state } },
];

test("what was written is read", () => {
  for (const request of requests) assert.deepEqual(decodeRequest(encodeRequest(request)), request);
  for (const answer of answers) assert.deepEqual(decodeAnswer(encodeAnswer(answer)), answer);
});

test("cut, prolonged or changed bytes are damage, or another message in its own only form", () => {
  const forms: [Buffer, (bytes: Buffer) => Buffer][] = [
    ...requests.map((one): (typeof forms)[0] => [
      encodeRequest(one),
      (bytes) => encodeRequest(decodeRequest(bytes)),
    ]),
    ...answers.map((one): (typeof forms)[0] => [
      encodeAnswer(one),
      (bytes) => encodeAnswer(decodeAnswer(bytes)),
    ]),
  ];
  const damaged = { code: "FLOTILLA_REGISTER_DAMAGED" };
  const change = fc.tuple(fc.constantFrom(...forms), fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(change, ([[bytes, again], where, flip]) => {
      const at = where % bytes.length;
      assert.throws(() => again(bytes.subarray(0, at)), damaged);
      assert.throws(() => again(Buffer.concat([bytes, Buffer.of(0)])), damaged);
      const changed = Buffer.from(bytes);
      changed[at]! ^= flip;
      let form: Buffer;
      try {
        form = again(changed);
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, damaged.code);
        return;
      }
      assert.deepEqual(form, changed);
    }),
    { seed: 5, numRuns: 2_000 },
  );
});
