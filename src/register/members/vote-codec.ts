/** A voter's memory as the bytes of its file: magic, format, content, and a checksum over all of it. */
import { createHash } from "node:crypto";
import { register as limits } from "../../support/limits.ts";
import { ByteReader, ByteWriter } from "../bytes.ts";
import { encodeState, readBallot, readState, type Vote, writeBallot } from "./state.ts";

const magic = Buffer.from("flotilla-vote\n", "latin1");
const format = 1;
const checksumLength = 16;

export function encodeVote(vote: Vote): Buffer {
  const out = new ByteWriter();
  out.raw(magic);
  out.number(format);
  out.text(vote.marker);
  writeBallot(out, vote.promised);
  out.number(vote.accepted === null ? 0 : 1);
  if (vote.accepted !== null) {
    writeBallot(out, vote.accepted.ballot);
    out.raw(encodeState(vote.accepted.state));
  }
  const content = out.result();
  return Buffer.concat([content, checksum(content)]);
}

/**
 * @returns null for what is no whole, undamaged memory.
 * @throws FlotillaError FLOTILLA_REGISTER_DAMAGED for an undamaged one of another version of Flotilla: it is not lost.
 */
export function decodeVote(bytes: Buffer): Vote | null {
  const content = bytes.subarray(0, Math.max(0, bytes.length - checksumLength));
  if (!content.subarray(0, magic.length).equals(magic)) return null;
  if (!checksum(content).equals(bytes.subarray(content.length))) return null;
  return readVote(new ByteReader(content, "a voter's file"));
}

function readVote(input: ByteReader): Vote {
  input.raw(magic.length);
  const found = input.number();
  if (found !== format) input.fail(`has format ${found}; this version of Flotilla knows ${format}`);
  const marker = input.text(limits.nameBytesMax);
  const promised = readBallot(input);
  const accepted = input.number(1) === 1 ? { ballot: readBallot(input), state: readState(input) } : null;
  input.end();
  return { marker, promised, accepted };
}

function checksum(content: Uint8Array): Buffer {
  return createHash("sha256").update(content).digest().subarray(0, checksumLength);
}
