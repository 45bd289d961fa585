/**
 * Changes on their way to the database's thread, one after another in a buffer that both threads see: the sender keeps
 * it until they are synced, so that nothing is lost with a thread, and nothing is copied. It never leaves the process,
 * so its reader trusts it.
 */
import { sessionDatabase as limits } from "../../support/limits.ts";
import { BinaryReader } from "../binary-reader.ts";
import type { DiskSession } from "../cluster/slot-disk.ts";
import { entryBytes, writeEntries } from "../entry-bytes.ts";

const ChangeType = {
  put: 1,
  remove: 2,
  add: 3,
  touch: 4,
  adopt: 5,
  begin: 6,
  end: 7,
  cancel: 8,
  drop: 9,
} as const;

/** Told of each change, in order; times of use are on the database's clock. The data are valid only during the call. */
export interface ChangeSink {
  onPut(slot: number, epoch: number, pos: number, session: StoredSession): void;
  onRemove(slot: number, epoch: number, pos: number, key: string): void;
  onAdd(slot: number, session: StoredSession): void;
  onTouch(slot: number, key: string, idleTimeoutMs: number, usedAt: number): void;
  onAdopt(slot: number, epoch: number, pos: number): void;
  onBegin(slot: number): void;
  onEnd(slot: number, epoch: number, pos: number): void;
  onCancel(slot: number): void;
  onDrop(slot: number): void;
}

/** A session as a row of the database has it. */
export interface StoredSession {
  readonly key: string;
  readonly idleTimeoutMs: number;
  readonly usedAt: number;
  readonly absoluteTimeoutMs: number;
  readonly createdAt: number;
  readonly data: Uint8Array;
}

/** More than any change takes besides its key and entries. */
const fixedBytes = 64;

export class ChangeBatch {
  /** Distinguishes it from all others of this process. */
  readonly number: number;
  /** The last place of each slot that has changes here. */
  readonly places: Map<number, { readonly epoch: number; readonly pos: number }> = new Map();
  #buffer: Buffer<SharedArrayBuffer>;
  #at = 0;

  constructor(number: number, memory: SharedArrayBuffer = new SharedArrayBuffer(limits.batchBytesMin)) {
    this.number = number;
    this.#buffer = Buffer.from(memory);
  }

  get byteLength(): number {
    return this.#at;
  }

  /** Those of the next turn go into another one. */
  get isFull(): boolean {
    return this.#at >= limits.batchBytesMax;
  }

  get bytes(): Uint8Array<SharedArrayBuffer> {
    return this.#buffer.subarray(0, this.#at);
  }

  get memory(): SharedArrayBuffer {
    return this.#buffer.buffer;
  }

  /** @param now on the database's clock. */
  put(slot: number, epoch: number, pos: number, session: DiskSession, now: number): void {
    this.#begin(ChangeType.put, slot, session.key, entryBytes(session.entries));
    this.#place(slot, epoch, pos);
    this.#session(session, now);
  }

  remove(slot: number, epoch: number, pos: number, key: string): void {
    this.#begin(ChangeType.remove, slot, key);
    this.#place(slot, epoch, pos);
    this.#text(key);
  }

  add(slot: number, session: DiskSession, now: number): void {
    this.#begin(ChangeType.add, slot, session.key, entryBytes(session.entries));
    this.#session(session, now);
  }

  touch(slot: number, key: string, idleTimeoutMs: number, usedAt: number): void {
    this.#begin(ChangeType.touch, slot, key);
    this.#text(key);
    this.#number(idleTimeoutMs);
    this.#number(usedAt);
  }

  adopt(slot: number, epoch: number, pos: number): void {
    this.#begin(ChangeType.adopt, slot);
    this.#place(slot, epoch, pos);
  }

  begin(slot: number): void {
    this.#begin(ChangeType.begin, slot);
    this.places.delete(slot);
  }

  end(slot: number, epoch: number, pos: number): void {
    this.#begin(ChangeType.end, slot);
    this.#place(slot, epoch, pos);
  }

  cancel(slot: number): void {
    this.#begin(ChangeType.cancel, slot);
    this.places.delete(slot);
  }

  drop(slot: number): void {
    this.#begin(ChangeType.drop, slot);
    this.places.delete(slot);
  }

  #begin(type: number, slot: number, key: string = "", dataBytes: number = 0): void {
    this.#reserve(fixedBytes + key.length * 3 + dataBytes);
    this.#at = this.#buffer.writeUInt8(type, this.#at);
    this.#at = this.#buffer.writeUInt16BE(slot, this.#at);
  }

  #place(slot: number, epoch: number, pos: number): void {
    this.#number(epoch);
    this.#number(pos);
    this.places.set(slot, { epoch, pos });
  }

  #session(session: DiskSession, now: number): void {
    this.#text(session.key);
    this.#number(session.idleTimeoutMs);
    this.#number(now - session.idleForMs);
    this.#number(session.absoluteTimeoutMs);
    this.#number(now - session.ageMs);
    const dataBytes = entryBytes(session.entries);
    this.#at = this.#buffer.writeUInt32BE(dataBytes, this.#at);
    writeEntries(this.#buffer, this.#at, session.entries);
    this.#at += dataBytes;
  }

  #text(text: string): void {
    const bytes = this.#buffer.write(text, this.#at + 4);
    this.#buffer.writeUInt32BE(bytes, this.#at);
    this.#at += 4 + bytes;
  }

  #number(value: number): void {
    this.#at = this.#buffer.writeDoubleBE(value, this.#at);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.from(new SharedArrayBuffer(Math.max(this.#buffer.length * 2, this.#at + bytes)));
    larger.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = larger;
  }
}

/** Hands each change to the sink. */
export function readChanges(bytes: Uint8Array, sink: ChangeSink): void {
  const from = new ChangeReader(bytes);
  while (!from.isOver) readChange(from, sink);
}

function readChange(from: ChangeReader, sink: ChangeSink): void {
  const type = from.u8();
  const slot = from.u16();
  switch (type) {
    case ChangeType.put:
      return sink.onPut(slot, from.f64(), from.f64(), from.session());
    case ChangeType.remove:
      return sink.onRemove(slot, from.f64(), from.f64(), from.text());
    case ChangeType.add:
      return sink.onAdd(slot, from.session());
    case ChangeType.touch:
      return sink.onTouch(slot, from.text(), from.f64(), from.f64());
    case ChangeType.adopt:
      return sink.onAdopt(slot, from.f64(), from.f64());
    case ChangeType.begin:
      return sink.onBegin(slot);
    case ChangeType.end:
      return sink.onEnd(slot, from.f64(), from.f64());
    case ChangeType.cancel:
      return sink.onCancel(slot);
    case ChangeType.drop:
      return sink.onDrop(slot);
    default:
      throw new Error(`change ${type} of the session database does not exist`);
  }
}

class ChangeReader extends BinaryReader {
  session(): StoredSession {
    return {
      key: this.text(),
      idleTimeoutMs: this.f64(),
      usedAt: this.f64(),
      absoluteTimeoutMs: this.f64(),
      createdAt: this.f64(),
      data: this.bytes(),
    };
  }
}
