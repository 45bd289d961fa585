/**
 * What proposers ask voters, and the answers, with their forms as bytes. Any process at a voter's address may
 * answer for it: all memory is in the voter's file.
 */
import { register as limits } from "../../support/limits.ts";
import { ByteReader, ByteWriter } from "../bytes.ts";
import {
  type Accepted,
  type Ballot,
  compareBallots,
  encodeState,
  noBallot,
  type RegisterState,
  readBallot,
  readState,
  writeBallot,
} from "./state.ts";

export type VoterRequest =
  /** What do you know? Promises nothing and writes nothing. */
  | { readonly kind: "query"; readonly have: Ballot }
  /** Accept nothing below `ballot` any more, and tell what you have accepted. */
  | { readonly kind: "prepare"; readonly ballot: Ballot; readonly have: Ballot }
  /** Keep this, unless you promised otherwise. `marker`: only the voter that has this memory is meant. */
  | {
      readonly kind: "accept";
      readonly ballot: Ballot;
      readonly marker: string;
      readonly state: RegisterState;
    }
  /** You shall become a voter of this register: forget what was never committed of the making of another. */
  | { readonly kind: "enlist"; readonly marker: string; readonly world: string };

export interface VoterAnswer {
  /** Done as asked. Else `promised` (or `marker`, or for "enlist" the world) says why not. */
  readonly ok: boolean;
  readonly marker: string;
  readonly promised: Ballot;
  /** `noBallot`: a voter that has accepted nothing. */
  readonly acceptedBallot: Ballot;
  /** Null also when its ballot is the one that the request said to `have`. */
  readonly accepted: Accepted | null;
}

const format = 1;
const kinds = ["query", "prepare", "accept", "enlist"] as const;

export function encodeRequest(request: VoterRequest): Buffer {
  const out = new ByteWriter();
  out.number(format);
  out.number(kinds.indexOf(request.kind));
  switch (request.kind) {
    case "query":
      writeBallot(out, request.have);
      break;
    case "prepare":
      writeBallot(out, request.ballot);
      writeBallot(out, request.have);
      break;
    case "accept":
      writeBallot(out, request.ballot);
      out.text(request.marker);
      out.raw(encodeState(request.state));
      break;
    case "enlist":
      out.text(request.marker);
      out.text(request.world);
      break;
  }
  return out.result();
}

/** @throws FlotillaError FLOTILLA_REGISTER_DAMAGED */
export function decodeRequest(bytes: Buffer): VoterRequest {
  const input = openMessage(bytes, "a question to a voter");
  const kind = kinds[input.number(kinds.length - 1)]!;
  const request = readRequest(input, kind);
  input.end();
  return request;
}

function readRequest(input: ByteReader, kind: VoterRequest["kind"]): VoterRequest {
  switch (kind) {
    case "query":
      return { kind, have: readBallot(input) };
    case "prepare":
      return { kind, ballot: readBallot(input), have: readBallot(input) };
    case "accept":
      return { kind, ballot: readBallot(input), marker: readName(input), state: readState(input) };
    case "enlist":
      return { kind, marker: readName(input), world: readName(input) };
  }
}

export function encodeAnswer(answer: VoterAnswer): Buffer {
  const out = new ByteWriter();
  out.number(format);
  out.number(answer.ok ? 1 : 0);
  out.text(answer.marker);
  writeBallot(out, answer.promised);
  writeBallot(out, answer.acceptedBallot);
  out.number(answer.accepted === null ? 0 : 1);
  if (answer.accepted !== null) out.raw(encodeState(answer.accepted.state));
  return out.result();
}

/** @throws FlotillaError FLOTILLA_REGISTER_DAMAGED */
export function decodeAnswer(bytes: Buffer): VoterAnswer {
  const input = openMessage(bytes, "a voter's answer");
  const ok = input.number(1) === 1;
  const marker = readName(input);
  const promised = readBallot(input);
  const ballot = readBallot(input);
  const state = input.number(1) === 1 ? readState(input) : null;
  if (state !== null && compareBallots(ballot, noBallot) === 0) input.fail("has a state without a ballot");
  input.end();
  const accepted = state === null ? null : { ballot, state };
  return { ok, marker, promised, acceptedBallot: ballot, accepted };
}

function openMessage(bytes: Buffer, what: string): ByteReader {
  const input = new ByteReader(bytes, what);
  const found = input.number();
  if (found !== format) input.fail(`has format ${found}; this version of Flotilla knows ${format}`);
  return input;
}

function readName(input: ByteReader): string {
  return input.text(limits.nameBytesMax);
}
