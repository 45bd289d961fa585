/**
 * The map of slots as bytes. Neighbours that say the same are one run, and a holder is written once and then
 * named by its number, so that a usual map has a few kilobytes and the worst one some sixty.
 *
 *   format, where it moved (format 2 alone), letters: n (entry, letter)*, holders: n (server, incarnation)*, runs: (length, epoch, owner, backup, prior)*
 *
 * A holder's number counts from 1 in the order of first use; 0 is nobody. One map has exactly one encoding.
 */
import { register as limits } from "../support/limits.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { ValueCodec } from "./register.ts";
import { type Holder, type Slot, type SlotMap, sameHolder, slotCount } from "./slot-map.ts";

const format = 1;
/** The last version in an engine that was left. */
const movedFormat = 2;

export const slotMapCodec: ValueCodec<SlotMap> = { encode: encodeSlotMap, decode: decodeSlotMap };

/** For who goes on where the register went. To others it can't be read, so that nobody builds on it. */
export const movingMapCodec: ValueCodec<SlotMap> = {
  encode: encodeSlotMap,
  decode: (bytes) => decode(bytes, true),
};

export function encodeSlotMap(map: SlotMap): Buffer {
  if (map.slots.length !== slotCount) throw new RangeError(`${map.slots.length} slots are not ${slotCount}`);
  const numbers = new HolderNumbers();
  const runs = new ByteWriter();
  for (let start = 0, end = 0; start < slotCount; start = end) {
    const slot = map.slots[start]!;
    while (end < slotCount && sameSlot(map.slots[end]!, slot)) end++;
    runs.number(end - start);
    runs.number(slot.epoch);
    runs.number(numbers.of(slot.owner));
    runs.number(numbers.of(slot.backup));
    runs.number(numbers.of(slot.prior));
  }
  const out = new ByteWriter();
  out.number(map.movedTo === undefined ? format : movedFormat);
  if (map.movedTo !== undefined) out.text(map.movedTo);
  out.number(map.letters.size);
  for (const [entry, letter] of map.letters) {
    out.text(entry);
    out.text(letter);
  }
  out.number(numbers.holders.length);
  for (const holder of numbers.holders) {
    out.text(holder.server);
    out.text(holder.incarnation);
  }
  out.raw(runs.result());
  return out.result();
}

/** @throws FlotillaError FLOTILLA_REGISTER_DAMAGED */
export function decodeSlotMap(bytes: Buffer): SlotMap {
  return decode(bytes, false);
}

function decode(bytes: Buffer, mayHaveMoved: boolean): SlotMap {
  const input = new ByteReader(bytes, "the map of slots");
  const found = input.number();
  if (found !== format && found !== movedFormat)
    input.fail(`has format ${found}; this version of Flotilla knows ${format} and ${movedFormat}`);
  const movedTo = found === movedFormat ? input.text(limits.placeBytesMax) : null;
  if (movedTo !== null && !mayHaveMoved)
    input.fail(
      `is in ${movedTo} now, and this server looks for it elsewhere: its file is an old one; restart it with the one of the others`,
    );
  const letters = readLetters(input);
  const holders = readHolders(input);
  const slots: Slot[] = [];
  let highest = 0;
  let previous: Slot | null = null;
  const readHolder = (): Holder | null => {
    const number = input.number(holders.length);
    if (number > highest + 1) input.fail("numbers its holders out of order");
    highest = Math.max(highest, number);
    return holders[number - 1] ?? null;
  };
  while (slots.length < slotCount) {
    const length = input.number(slotCount - slots.length);
    if (length === 0) input.fail("has an empty run");
    const epoch = input.number();
    const slot: Slot = Object.freeze({
      epoch,
      owner: readHolder(),
      backup: readHolder(),
      prior: readHolder(),
    });
    if (previous !== null && sameSlot(previous, slot)) input.fail("has two runs that are one");
    previous = slot;
    for (let i = 0; i < length; i++) slots.push(slot);
  }
  if (highest !== holders.length) input.fail("names holders that hold nothing");
  input.end();
  return { letters, slots, ...(movedTo === null ? {} : { movedTo }) };
}

function readLetters(input: ByteReader): Map<string, string> {
  const letters = new Map<string, string>();
  const count = input.number(limits.lettersMax);
  for (let i = 0; i < count; i++) {
    const entry = input.text(limits.nameBytesMax);
    const letter = input.text(1);
    if (!/^[a-zA-Z0-9]$/.test(letter)) input.fail(`has the letter ${JSON.stringify(letter)}`);
    if (letters.has(entry)) input.fail(`has the entry ${JSON.stringify(entry)} twice`);
    letters.set(entry, letter);
  }
  if (new Set(letters.values()).size !== letters.size) input.fail("has a letter twice");
  return letters;
}

function readHolders(input: ByteReader): Holder[] {
  const holders: Holder[] = [];
  const seen = new Set<string>();
  const count = input.number(limits.holdersMax);
  for (let i = 0; i < count; i++) {
    const server = input.text(limits.nameBytesMax);
    const incarnation = input.text(limits.nameBytesMax);
    if (seen.has(`${server}\0${incarnation}`)) input.fail(`has the holder ${server} twice`);
    seen.add(`${server}\0${incarnation}`);
    holders.push(Object.freeze({ server, incarnation }));
  }
  return holders;
}

class HolderNumbers {
  readonly holders: Holder[] = [];
  readonly #numbers: Map<string, number> = new Map();

  of(holder: Holder | null): number {
    if (holder === null) return 0;
    const key = `${holder.server}\0${holder.incarnation}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.holders.push(holder);
    this.#numbers.set(key, this.holders.length);
    return this.holders.length;
  }
}

function sameSlot(one: Slot, other: Slot): boolean {
  return (
    one === other ||
    (one.epoch === other.epoch &&
      sameHolder(one.owner, other.owner) &&
      sameHolder(one.backup, other.backup) &&
      sameHolder(one.prior, other.prior))
  );
}
