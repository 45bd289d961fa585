/**
 * What a cell holds: a state of the register as bytes.
 *
 *   magic, format, world, version, recent: n change*, value
 */
import { register as limits } from "../../support/limits.ts";
import { ByteReader, ByteWriter } from "../bytes.ts";
import { recentAfter } from "../recent.ts";

const magic = "flotilla";
const format = 1;

export interface CellState {
  /** Of the whole register, made with its first version: another register's state is never taken for this one's. */
  readonly world: string;
  readonly version: number;
  /** Ids of the latest changes, the one that made this version last; at most `limits.recentMax`. */
  readonly recent: readonly string[];
  readonly value: Buffer;
}

export function encodeCell(state: CellState): Buffer {
  const out = new ByteWriter();
  out.text(magic);
  out.number(format);
  out.text(state.world);
  out.number(state.version);
  out.number(state.recent.length);
  for (const change of state.recent) out.text(change);
  out.bytes(state.value);
  return out.result();
}

/**
 * @param where for messages: "the key /flotilla/app in etcd".
 * @throws FlotillaError FLOTILLA_REGISTER_DAMAGED
 */
export function decodeCell(bytes: Buffer, where: string): CellState {
  const input = new ByteReader(bytes, where);
  if (input.text(limits.nameBytesMax) !== magic) input.fail("holds something that Flotilla has not written");
  const found = input.number();
  if (found !== format) input.fail(`has format ${found}; this version of Flotilla knows ${format}`);
  const world = input.text(limits.nameBytesMax);
  const version = input.number();
  const count = input.number(limits.recentMax);
  if (version === 0 || count > version) input.fail(`has ${count} changes up to version ${version}`);
  const recent: string[] = [];
  for (let i = 0; i < count; i++) recent.push(input.text(limits.nameBytesMax));
  const value = input.bytes(limits.valueBytesMax);
  input.end();
  return { world, version, recent, value };
}

/** The state that follows, made by `change`. */
export function nextState(state: CellState, change: string, value: Buffer): CellState {
  const { world, version } = state;
  return { world, version: version + 1, recent: recentAfter(state, change), value };
}
