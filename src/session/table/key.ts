/** A key as it is looked for: in UTF-8, and its hash. One is enough for a process: it is set, used and forgotten within a call. */
export class Key {
  bytes: Buffer = Buffer.alloc(64);
  length = 0;
  hash = 0;

  set(key: string): this {
    if (key.length * 3 > this.bytes.length) this.bytes = Buffer.alloc(key.length * 3);
    this.length = this.bytes.write(key, 0, "utf8");
    // FNV-1a. Keys are made here, at random: nobody can choose them so that they meet.
    let hash = 0x811c_9dc5;
    for (let i = 0; i < this.length; i++) hash = Math.imul(hash ^ this.bytes[i]!, 0x0100_0193);
    this.hash = (hash ^ (hash >>> 15)) >>> 0;
    return this;
  }
}
