/** A set of slots, small enough for a question: a bit for each. */
import { slotCount } from "../id.ts";

const bytes = slotCount / 8;

export class SlotSet {
  readonly #bits: Buffer;

  private constructor(bits: Buffer) {
    this.#bits = bits;
  }

  static none(): SlotSet {
    return new SlotSet(Buffer.alloc(bytes));
  }

  static all(): SlotSet {
    return new SlotSet(Buffer.alloc(bytes, 0xff));
  }

  /** @returns null: the text is none of `text`. */
  static read(text: unknown): SlotSet | null {
    if (typeof text !== "string" || text.length > bytes * 2) return null;
    const bits = Buffer.from(text, "base64url");
    return bits.length === bytes ? new SlotSet(bits) : null;
  }

  get text(): string {
    return this.#bits.toString("base64url");
  }

  get size(): number {
    let size = 0;
    for (let byte of this.#bits) for (; byte !== 0; byte &= byte - 1) size++;
    return size;
  }

  has(slot: number): boolean {
    return (this.#bits[slot >>> 3]! & (1 << (slot & 7))) !== 0;
  }

  add(slot: number): void {
    this.#bits[slot >>> 3]! |= 1 << (slot & 7);
  }

  remove(slot: number): void {
    this.#bits[slot >>> 3]! &= ~(1 << (slot & 7));
  }

  /** Takes all out that the other one has. */
  subtract(other: SlotSet): void {
    for (let i = 0; i < bytes; i++) this.#bits[i]! &= ~other.#bits[i]!;
  }

  /** The first one from here on; -1: there is none. */
  next(from: number): number {
    for (let slot = from; slot < slotCount; slot++) if (this.has(slot)) return slot;
    return -1;
  }
}
