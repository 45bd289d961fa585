/** Fields of an answer of etcd, as JSON of protocol buffers writes them: 64-bit numbers are texts, what is empty is left out. */

export class Fields {
  readonly #fields: Readonly<Record<string, unknown>>;

  private constructor(fields: Readonly<Record<string, unknown>>) {
    this.#fields = fields;
  }

  /** @throws Error when it is no object; nothing of the text is in the message. */
  static parse(text: string): Fields {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = null;
    }
    return Fields.#of(value, "its answer");
  }

  static #of(value: unknown, what: string): Fields {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new Error(`${what} is not as etcd answers`);
    return new Fields(value as Record<string, unknown>);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  flag(name: string): boolean {
    return this.has(name) && this.#fields[name] === true;
  }

  /** An absent one is empty. */
  part(name: string): Fields {
    return Fields.#of(this.has(name) ? this.#fields[name] : {}, name);
  }

  /** Absent ones are none. @throws Error when there are more than `countMax`. */
  parts(name: string, countMax: number): Fields[] {
    const value = this.has(name) ? this.#fields[name] : [];
    if (!Array.isArray(value) || value.length > countMax) throw new Error(`${name} is not as etcd answers`);
    return value.map((each) => Fields.#of(each, name));
  }

  /** @throws Error when it is none, or too long. */
  text(name: string, bytesMax: number): string {
    const value = this.has(name) ? this.#fields[name] : null;
    if (typeof value !== "string" || value.length > bytesMax)
      throw new Error(`${name} is not as etcd answers`);
    return value;
  }

  /** Bytes in base64. */
  bytes(name: string, bytesMax: number): Buffer {
    return this.has(name)
      ? Buffer.from(this.text(name, Math.ceil(bytesMax / 3) * 4), "base64")
      : Buffer.alloc(0);
  }

  /** A 64-bit number in its one form. */
  revision(name: string): string {
    const value = this.text(name, 20);
    if (!/^[1-9]\d*$/.test(value)) throw new Error(`${name} is not as etcd answers`);
    return value;
  }

  /** A 32-bit number, or null. */
  small(name: string): number | null {
    const value = this.has(name) ? this.#fields[name] : null;
    return typeof value === "number" && Number.isInteger(value) ? value : null;
  }

  /** For a log: a short text without control characters, or "". */
  words(name: string): string {
    const value = this.has(name) ? this.#fields[name] : "";
    return typeof value === "string" ? value.slice(0, 200).replaceAll(/[\0-\x1f\x7f-\x9f]/g, " ") : "";
  }
}
