/**
 * What servers say to each other about sessions, as bytes. A frame is the version of the sender's slot map and then
 * messages one after another; all that one turn of the event loop has for one server travels in one frame. Heartbeats
 * are frames of one message on a connection of their own. The decoder is strict: what it does not fully understand ends the connection.
 */
import { FlotillaError } from "../../support/errors.ts";
import { replication as limits } from "../../support/limits.ts";
import { Entry, type SessionChanges, type SessionEntries } from "../entry.ts";

/** First byte of a message. Numbers are on the wire: never renumber. */
export const MessageType = {
  beat: 1,
  beatAnswer: 2,
  op: 10,
  ack: 11,
  refuse: 12,
  touches: 13,
  transferBegin: 20,
  transferPart: 21,
  transferEnd: 22,
  transferTaken: 23,
  transferDropped: 24,
  request: 30,
  reply: 31,
  copyQuery: 40,
  copyOffer: 41,
  map: 50,
} as const;

/** What a server says of itself with each heartbeat. Numbers are on the wire. */
export const PeerState = {
  well: 0,
  /** It hands over: give it nothing new. */
  leaving: 1,
  /** It can't read the register and will have to stop serving: take over from it. */
  blind: 2,
} as const;
export type PeerState = (typeof PeerState)[keyof typeof PeerState];

/** What a change does. Numbers are on the wire. */
export const OpKind = { create: 1, update: 2, destroy: 3, expire: 4 } as const;
export type OpKind = (typeof OpKind)[keyof typeof OpKind];

/** What a server asks of a session's owner. Numbers are on the wire; the first three are those of `OpKind`. */
export const RequestKind = { create: 1, update: 2, destroy: 3, load: 5, touch: 6 } as const;
export type RequestKind = (typeof RequestKind)[keyof typeof RequestKind];

export const ReplyStatus = {
  done: 1,
  /** Load: there is none. Update: nothing was written. */
  absent: 2,
  /** Not done and never will be: ask the owner of a newer map. */
  moved: 3,
  /** May have been done. */
  unknown: 4,
} as const;
export type ReplyStatus = (typeof ReplyStatus)[keyof typeof ReplyStatus];

/** One change of one session, in its slot's order. */
export interface Op {
  readonly slot: number;
  readonly epoch: number;
  readonly pos: number;
  readonly kind: OpKind;
  readonly key: string;
  readonly idleTimeoutMs: number;
  readonly changes: SessionChanges;
}

/** A session within a copy. */
export interface CopiedSession {
  readonly key: string;
  readonly idleTimeoutMs: number;
  readonly idleForMs: number;
  readonly entries: SessionEntries;
}

export interface RequestMessage {
  readonly id: number;
  readonly kind: RequestKind;
  readonly slot: number;
  readonly key: string;
  /** The owner's own clock, as last heard, and how much later it may still take this up. */
  readonly ownerClock: number;
  readonly freshMs: number;
  readonly idleTimeoutMs: number;
  readonly changes: SessionChanges;
}

/** Told of each message of a frame, in order. */
export interface MessageSink {
  onBeat(sentAt: number, state: PeerState): void;
  onBeatAnswer(sentAt: number, clock: number, takenVersion: number): void;
  onOp(op: Op): void;
  onAck(slot: number, epoch: number, pos: number): void;
  onRefuse(slot: number, epoch: number, pos: number): void;
  onTouch(slot: number, epoch: number, key: string, idleTimeoutMs: number): void;
  onTransferBegin(slot: number, transfer: number, pos: number): void;
  onTransferPart(slot: number, transfer: number, sessions: readonly CopiedSession[]): void;
  onTransferEnd(slot: number, transfer: number): void;
  /** @param isComplete all of the copy; else one more part. */
  onTransferTaken(slot: number, transfer: number, isComplete: boolean): void;
  onTransferDropped(slot: number, transfer: number): void;
  onRequest(request: RequestMessage): void;
  onReply(id: number, status: ReplyStatus, entries: SessionEntries | null): void;
  onCopyQuery(slot: number): void;
  /** @param epoch -1: there is no copy. */
  onCopyOffer(slot: number, epoch: number, pos: number): void;
  /** @param map encoded; valid only during the call. */
  onMap(version: number, map: Buffer): void;
}

/** A message that does not follow the protocol: the peer is of another make, or broken. */
export class MessageError extends FlotillaError {
  constructor(what: string) {
    super(
      "FLOTILLA_SESSION_PROTOCOL",
      `a server sent a malformed session message (${what}); its connection is closed`,
    );
  }
}

const headBytes = 8;

/** Gathers one frame. The buffer is reused: what `take` returns is a copy. */
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

  /** The frame, with the version of the sender's map in front. */
  take(version: number): Uint8Array {
    this.#view.setFloat64(0, version);
    const frame = Uint8Array.prototype.slice.call(this.#buffer, 0, this.#at);
    this.#at = headBytes;
    return frame;
  }

  clear(): void {
    this.#at = headBytes;
  }

  beat(sentAt: number, state: PeerState): void {
    this.#u8(MessageType.beat);
    this.#f64(sentAt);
    this.#u8(state);
  }

  beatAnswer(sentAt: number, clock: number, takenVersion: number): void {
    this.#u8(MessageType.beatAnswer);
    this.#f64(sentAt);
    this.#f64(clock);
    this.#f64(takenVersion);
  }

  op(op: Op): void {
    this.#slotMessage(MessageType.op, op.slot, op.epoch);
    this.#f64(op.pos);
    this.#u8(op.kind);
    this.#text(op.key);
    this.#f64(op.idleTimeoutMs);
    this.#changes(op.changes);
  }

  ack(slot: number, epoch: number, pos: number): void {
    this.#slotMessage(MessageType.ack, slot, epoch);
    this.#f64(pos);
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
    this.#changes(request.changes);
  }

  reply(id: number, status: ReplyStatus, entries: SessionEntries | null): void {
    this.#u8(MessageType.reply);
    this.#u32(id);
    this.#u8(status);
    this.#u8(entries === null ? 0 : 1);
    if (entries !== null) this.#changes(entries);
  }

  copyQuery(slot: number): void {
    this.#slotMessage(MessageType.copyQuery, slot, 0);
  }

  copyOffer(slot: number, epoch: number, pos: number): void {
    this.#slotMessage(MessageType.copyOffer, slot, 0);
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

/** Reads one frame. */
class FrameReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isOver(): boolean {
    return this.#at === this.#buffer.length;
  }

  u8(): number {
    return this.#buffer[this.#take(1)]!;
  }

  u16(): number {
    return this.#buffer.readUInt16BE(this.#take(2));
  }

  u32(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) throw new MessageError(`flag ${value}`);
    return value === 1;
  }

  /** A finite number, not below -1: times, positions and versions. */
  number(): number {
    const value = this.#buffer.readDoubleBE(this.#take(8));
    if (!(value >= -1 && value < Number.POSITIVE_INFINITY)) throw new MessageError(`number ${value}`);
    return value;
  }

  /** A duration; Infinity for "never". */
  duration(): number {
    const value = this.#buffer.readDoubleBE(this.#take(8));
    if (!(value >= 0)) throw new MessageError(`duration ${value}`);
    return value;
  }

  text(): string {
    const bytes = this.u32();
    const from = this.#take(bytes);
    return this.#buffer.toString("utf8", from, from + bytes);
  }

  bytes(): Buffer {
    const length = this.u32();
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  changes(): SessionChanges {
    const count = this.u32();
    const changes = new Map<string, Entry | null>();
    for (let i = 0; i < count; i++) {
      const key = this.text();
      changes.set(key, this.flag() ? entryOf(key, this.text()) : null);
    }
    if (changes.size !== count) throw new MessageError("a key twice");
    return changes;
  }

  entries(): SessionEntries {
    const changes = this.changes();
    for (const entry of changes.values()) if (entry === null) throw new MessageError("an entry without text");
    return changes as SessionEntries;
  }

  oneOf<Value extends number>(values: { readonly [name: string]: Value }, what: string): Value {
    const value = this.u8();
    for (const name in values) if (values[name] === value) return values[name];
    throw new MessageError(`${what} ${value}`);
  }

  #take(bytes: number): number {
    const from = this.#at;
    if (bytes > this.#buffer.length - from) throw new MessageError("cut off");
    this.#at = from + bytes;
    return from;
  }
}

function entryOf(key: string, text: string): Entry {
  try {
    return new Entry(key, text);
  } catch {
    throw new MessageError("a value that can't be read");
  }
}

/**
 * Hands each message of a frame to the sink.
 * @param onVersion told of the sender's version first.
 * @throws MessageError
 */
export function readFrame(bytes: Uint8Array, sink: MessageSink, onVersion: (version: number) => void): void {
  if (bytes.byteLength > limits.frameBytesMax) throw new MessageError("too large");
  const reader = new FrameReader(bytes);
  onVersion(reader.number());
  while (!reader.isOver) readMessage(reader, sink);
}

function readMessage(from: FrameReader, sink: MessageSink): void {
  const type = from.u8();
  switch (type) {
    case MessageType.beat:
      return sink.onBeat(from.number(), from.oneOf(PeerState, "state"));
    case MessageType.beatAnswer:
      return sink.onBeatAnswer(from.number(), from.number(), from.number());
    case MessageType.op:
      return sink.onOp(readOp(from));
    case MessageType.ack:
      return sink.onAck(from.u16(), from.u32(), from.number());
    case MessageType.refuse:
      return sink.onRefuse(from.u16(), from.u32(), from.number());
    case MessageType.touches:
      return sink.onTouch(from.u16(), from.u32(), from.text(), from.duration());
    case MessageType.transferBegin:
      return sink.onTransferBegin(from.u16(), from.u32(), from.number());
    case MessageType.transferPart:
      return sink.onTransferPart(from.u16(), from.u32(), readSessions(from));
    case MessageType.transferEnd:
      return sink.onTransferEnd(from.u16(), from.u32());
    case MessageType.transferTaken:
      return sink.onTransferTaken(from.u16(), from.u32(), from.flag());
    case MessageType.transferDropped:
      return sink.onTransferDropped(from.u16(), from.u32());
    case MessageType.request:
      return sink.onRequest(readRequest(from));
    case MessageType.reply:
      return sink.onReply(from.u32(), from.oneOf(ReplyStatus, "status"), from.flag() ? from.entries() : null);
    case MessageType.copyQuery: {
      const slot = from.u16();
      from.u32();
      return sink.onCopyQuery(slot);
    }
    case MessageType.copyOffer: {
      const slot = from.u16();
      from.u32();
      return sink.onCopyOffer(slot, from.number(), from.number());
    }
    case MessageType.map:
      return sink.onMap(from.number(), from.bytes());
    default:
      throw new MessageError(`type ${type}`);
  }
}

function readOp(from: FrameReader): Op {
  return {
    slot: from.u16(),
    epoch: from.u32(),
    pos: from.number(),
    kind: from.oneOf(OpKind, "kind of change"),
    key: from.text(),
    idleTimeoutMs: from.duration(),
    changes: from.changes(),
  };
}

function readSessions(from: FrameReader): CopiedSession[] {
  const sessions: CopiedSession[] = [];
  for (let count = from.u32(); count > 0; count--) {
    sessions.push({
      key: from.text(),
      idleTimeoutMs: from.duration(),
      idleForMs: from.duration(),
      entries: from.entries(),
    });
  }
  return sessions;
}

function readRequest(from: FrameReader): RequestMessage {
  const slot = from.u16();
  return {
    id: from.u32(),
    slot,
    kind: from.oneOf(RequestKind, "kind of request"),
    key: from.text(),
    ownerClock: from.number(),
    freshMs: from.duration(),
    idleTimeoutMs: from.duration(),
    changes: from.changes(),
  };
}
