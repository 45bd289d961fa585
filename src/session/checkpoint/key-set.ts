/**
 * Keys that were seen: two 32-bit hashes of each in a table with open addressing, 16 to 32 bytes per key, so that a file of ten million
 * sessions can be checked in 300 MB. Of ten million different keys two are taken for one once in about 400,000 such files.
 */
export class KeySet {
  #table: Uint32Array = new Uint32Array(2 * 1_024);
  #size = 0;

  /** @returns false when it was there. */
  add(key: string): boolean {
    if ((this.#size + 1) * 4 > this.#table.length) this.#grow();
    let one = 0x811c_9dc5;
    let other = 0x9747_b28c;
    for (let i = 0; i < key.length; i++) {
      const code = key.charCodeAt(i);
      one = Math.imul(one ^ code, 0x0100_0193);
      other = Math.imul(other ^ code, 0x85eb_ca6b);
      other ^= other >>> 13;
    }
    // Zero stands for a free place.
    const isNew = put(this.#table, one >>> 0 || 1, other >>> 0);
    if (isNew) this.#size++;
    return isNew;
  }

  #grow(): void {
    const table = new Uint32Array(this.#table.length * 2);
    for (let at = 0; at < this.#table.length; at += 2)
      if (this.#table[at] !== 0) put(table, this.#table[at]!, this.#table[at + 1]!);
    this.#table = table;
  }
}

function put(table: Uint32Array, one: number, other: number): boolean {
  const places = table.length / 2;
  for (let place = ((one ^ (one >>> 16)) >>> 0) % places; ; place = (place + 1) % places) {
    const at = place * 2;
    if (table[at] === 0) {
      table[at] = one;
      table[at + 1] = other;
      return true;
    }
    if (table[at] === one && table[at + 1] === other) return false;
  }
}
