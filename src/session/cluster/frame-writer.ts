/** Messages (messages.ts) as bytes: one frame is gathered in a buffer that is used again for the next. */
import type { SessionChanges, SessionEntries } from "../entry.ts";
import type { SessionLife } from "../snapshot.ts";
import type { Expected } from "../store.ts";
import {
  type Beat,
  type CopiedSession,
  MessageType,
  type Op,
  type ReplyStatus,
  RequestKind,
  type RequestMessage,
} from "./messages.ts";

const headBytes = 8;

/** Gathers one frame. The buffer is used again for the next: a frame is to be sent before more is written. */
export class FrameWriter {
  #buffer: Buffer;
  #view: DataView;
  #at: number = headBytes;

  constructor(bytes: number = 1_024) {
    this.#buffer = Buffer.allocUnsafe(bytes);
    this.#view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, bytes);
  }

  get isEmpty(): boolean {
    return this.#at === headBytes;
  }

  get bytes(): number {
    return this.#at;
  }

  /** The frame, with the version of the sender's map in front: a view, valid until the next message is written. */
  take(version: number): Uint8Array {
    this.#view.setFloat64(0, version);
    const frame = this.#buffer.subarray(0, this.#at);
    this.#at = headBytes;
    return frame;
  }

  clear(): void {
    this.#at = headBytes;
  }

  beat(beat: Beat): void {
    this.#u8(MessageType.beat);
    this.#f64(beat.sentAt);
    this.#u8(beat.state);
    this.#f64(beat.fullness);
    this.#f64(beat.heard);
    this.#f64(beat.promised);
    this.#f64(beat.takenVersion);
  }

  op(op: Op): void {
    this.#slotMessage(MessageType.op, op.slot, op.epoch);
    this.#f64(op.pos);
    this.#u8(op.kind);
    this.#text(op.key);
    this.#f64(op.idleTimeoutMs);
    this.#lifeOrNone(op.life);
    this.#changes(op.changes);
  }

  ack(slot: number, epoch: number, pos: number): void {
    this.#slotMessage(MessageType.ack, slot, epoch);
    this.#f64(pos);
  }

  diskAck(slot: number, epoch: number, pos: number, durablePos: number): void {
    this.#slotMessage(MessageType.diskAck, slot, epoch);
    this.#f64(pos);
    this.#f64(durablePos);
  }

  refuse(slot: number, epoch: number, pos: number): void {
    this.#slotMessage(MessageType.refuse, slot, epoch);
    this.#f64(pos);
  }

  touch(slot: number, epoch: number, key: string, idleTimeoutMs: number): void {
    this.#slotMessage(MessageType.touches, slot, epoch);
    this.#text(key);
    this.#f64(idleTimeoutMs);
  }

  transferBegin(slot: number, transfer: number, pos: number): void {
    this.#slotMessage(MessageType.transferBegin, slot, transfer);
    this.#f64(pos);
  }

  transferPart(slot: number, transfer: number, sessions: readonly CopiedSession[]): void {
    this.#slotMessage(MessageType.transferPart, slot, transfer);
    this.#u32(sessions.length);
    for (const session of sessions) {
      this.#text(session.key);
      this.#f64(session.idleTimeoutMs);
      this.#f64(session.idleForMs);
      this.#life(session);
      this.#changes(session.entries);
    }
  }

  transferEnd(slot: number, transfer: number): void {
    this.#slotMessage(MessageType.transferEnd, slot, transfer);
  }

  transferTaken(slot: number, transfer: number, isComplete: boolean): void {
    this.#slotMessage(MessageType.transferTaken, slot, transfer);
    this.#u8(isComplete ? 1 : 0);
  }

  transferDropped(slot: number, transfer: number): void {
    this.#slotMessage(MessageType.transferDropped, slot, transfer);
  }

  request(request: RequestMessage): void {
    this.#slotMessage(MessageType.request, request.slot, request.id);
    this.#u8(request.kind);
    this.#text(request.key);
    this.#f64(request.ownerClock);
    this.#f64(request.freshMs);
    this.#f64(request.idleTimeoutMs);
    this.#lifeOrNone(request.life);
    this.#changes(request.changes);
    if (request.kind === RequestKind.compareAndSet) this.#expected(request.expected!);
  }

  /** @param life of a session that was loaded, as the entries are. */
  reply(id: number, status: ReplyStatus, entries: SessionEntries | null, life: SessionLife | null): void {
    this.#u8(MessageType.reply);
    this.#u32(id);
    this.#u8(status);
    this.#u8(entries === null ? 0 : 1);
    if (entries === null) return;
    this.#changes(entries);
    this.#life(life!);
  }

  copyQuery(slot: number): void {
    this.#slotMessage(MessageType.copyQuery, slot, 0);
  }

  copyOffer(slot: number, epoch: number, pos: number, isOnDisk: boolean): void {
    this.#slotMessage(MessageType.copyOffer, slot, isOnDisk ? 1 : 0);
    this.#f64(epoch);
    this.#f64(pos);
  }

  map(version: number, map: Uint8Array): void {
    this.#u8(MessageType.map);
    this.#f64(version);
    this.#u32(map.length);
    this.#room(map.length);
    this.#buffer.set(map, this.#at);
    this.#at += map.length;
  }

  #slotMessage(type: number, slot: number, number: number): void {
    this.#u8(type);
    this.#room(6);
    this.#view.setUint16(this.#at, slot);
    this.#view.setUint32(this.#at + 2, number);
    this.#at += 6;
  }

  #lifeOrNone(life: SessionLife | null): void {
    this.#u8(life === null ? 0 : 1);
    if (life !== null) this.#life(life);
  }

  #life({ ageMs, absoluteTimeoutMs }: SessionLife): void {
    this.#f64(ageMs);
    this.#f64(absoluteTimeoutMs);
  }

  #expected(expected: Expected): void {
    this.#u32(expected.size);
    for (const [key, text] of expected) {
      this.#text(key);
      this.#u8(text === null ? 0 : 1);
      if (text !== null) this.#text(text);
    }
  }

  #changes(changes: SessionChanges): void {
    this.#u32(changes.size);
    for (const [key, entry] of changes) {
      this.#text(key);
      this.#u8(entry === null ? 0 : 1);
      if (entry !== null) this.#text(entry.text);
    }
  }

  #text(text: string): void {
    const room = text.length * 3;
    this.#room(4 + room);
    const bytes = this.#buffer.write(text, this.#at + 4, "utf8");
    this.#view.setUint32(this.#at, bytes);
    this.#at += 4 + bytes;
  }

  #u8(value: number): void {
    this.#room(1);
    this.#view.setUint8(this.#at++, value);
  }

  #u32(value: number): void {
    this.#room(4);
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  #f64(value: number): void {
    this.#room(8);
    this.#view.setFloat64(this.#at, value);
    this.#at += 8;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
    this.#view = new DataView(larger.buffer, larger.byteOffset, larger.length);
  }
}
