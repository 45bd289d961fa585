/**
 * What servers say to each other about sessions, as bytes. A frame is the version of the sender's slot map and then
 * messages one after another; all that one event has for one server travels in one frame. Heartbeats
 * are frames of one message on a connection of their own. What the decoder does not understand ends the connection; a
 * text is taken as it comes, for its sender holds the key of the cluster.
 */
import { FlotillaError } from "../../support/errors.ts";
import { replication as limits } from "../../support/limits.ts";
import { BinaryReader } from "../binary-reader.ts";
import { Entry, type SessionChanges, type SessionEntries } from "../entry.ts";
import type { SessionLife, SessionSnapshot } from "../snapshot.ts";
import type { Expected } from "../store.ts";

/** First byte of a message. Numbers are on the wire: never renumber. */
export const MessageType = {
  beat: 1,
  op: 10,
  ack: 11,
  refuse: 12,
  touches: 13,
  /** The same as ack, from a server with a disk; on links of version 2 alone. */
  diskAck: 14,
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
  /** Its disk can't be written: give it no copy. Told on links of version 2 alone. */
  diskless: 3,
} as const;
export type PeerState = (typeof PeerState)[keyof typeof PeerState];

/** What a change does. Numbers are on the wire. */
export const OpKind = { create: 1, update: 2, destroy: 3, expire: 4 } as const;
export type OpKind = (typeof OpKind)[keyof typeof OpKind];

/** What a server asks of a session's owner. Numbers are on the wire; the first three are those of `OpKind`. */
export const RequestKind = { create: 1, update: 2, destroy: 3, load: 5, touch: 6, compareAndSet: 7 } as const;
export type RequestKind = (typeof RequestKind)[keyof typeof RequestKind];

export const ReplyStatus = {
  done: 1,
  /** Load: there is none. Update: nothing was written. */
  absent: 2,
  /** Not done and never will be: ask the owner of a newer map. */
  moved: 3,
  /** May have been done. */
  unknown: 4,
  /** CompareAndSet: nothing was written, the key is not what was expected. */
  contended: 5,
  /** Nothing was written: with what others changed meanwhile it would be too much. */
  tooLarge: 6,
  /** Nothing was written: too much waits already. */
  busy: 7,
} as const;
export type ReplyStatus = (typeof ReplyStatus)[keyof typeof ReplyStatus];

/** One change of one session. */
export interface Change {
  readonly kind: OpKind;
  /** The session's. */
  readonly key: string;
  readonly idleTimeoutMs: number;
  /** Of one that is created, else null. */
  readonly life: SessionLife | null;
  readonly changes: SessionChanges;
}

/** The same in its slot's order. */
export interface Op extends Change {
  readonly slot: number;
  readonly epoch: number;
  readonly pos: number;
}

/** A session within a copy. */
export type CopiedSession = SessionSnapshot;

/** What is asked of a session's owner. */
export interface Operation {
  readonly kind: RequestKind;
  /** The session's. */
  readonly key: string;
  readonly idleTimeoutMs: number;
  /** Of create, else null. */
  readonly life: SessionLife | null;
  readonly changes: SessionChanges;
  /** Of compareAndSet, else null. */
  readonly expected: Expected | null;
}

export interface RequestMessage extends Operation {
  readonly id: number;
  readonly slot: number;
  /** The owner's own clock, as last heard, and how much later it may still take this up. */
  readonly ownerClock: number;
  readonly freshMs: number;
}

/** A heartbeat. Times are on the clock of whoever sent the heartbeat that they are of; -1: none yet. */
export interface Beat {
  readonly sentAt: number;
  readonly state: PeerState;
  /**
   * Of the sender's memory with copies for other servers, or of its disk; above 1 they have to make room. Of one whose state is `diskless`,
   * of its memory: above 1 they have to refuse what would make it grow.
   */
  readonly fullness: number;
  /** The sending time of the receiver's newest heartbeat that has come. */
  readonly heard: number;
  /** The same of the newest on which its sender promised not to take over for a while. */
  readonly promised: number;
  /** The version of the map in which its sender last took slots over from the receiver. */
  readonly takenVersion: number;
}

/** Told of each message of a frame, in order. */
export interface MessageSink {
  onBeat(beat: Beat): void;
  onOp(op: Op): void;
  onAck(slot: number, epoch: number, pos: number): void;
  /** @param durablePos its disk has synced all up to here; -1: nothing. */
  onDiskAck(slot: number, epoch: number, pos: number, durablePos: number): void;
  onRefuse(slot: number, epoch: number, pos: number): void;
  onTouch(slot: number, epoch: number, key: string, idleTimeoutMs: number): void;
  onTransferBegin(slot: number, transfer: number, pos: number): void;
  onTransferPart(slot: number, transfer: number, sessions: readonly CopiedSession[]): void;
  onTransferEnd(slot: number, transfer: number): void;
  /** @param isComplete all of the copy; else one more part. */
  onTransferTaken(slot: number, transfer: number, isComplete: boolean): void;
  onTransferDropped(slot: number, transfer: number): void;
  onRequest(request: RequestMessage): void;
  /** @param life of a session that was loaded, as the entries are. */
  onReply(id: number, status: ReplyStatus, entries: SessionEntries | null, life: SessionLife | null): void;
  onCopyQuery(slot: number): void;
  /** @param epoch -1: there is no copy. */
  onCopyOffer(slot: number, epoch: number, pos: number, isOnDisk: boolean): void;
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

/** Reads one frame. */
class FrameReader extends BinaryReader {
  override fail(what: string): never {
    throw new MessageError(what);
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) this.fail(`flag ${value}`);
    return value === 1;
  }

  /** A finite number, not below -1: times, positions and versions. */
  number(): number {
    const value = this.f64();
    if (!(value >= -1 && value < Number.POSITIVE_INFINITY)) this.fail(`number ${value}`);
    return value;
  }

  /** A duration; Infinity for "never". */
  duration(): number {
    const value = this.f64();
    if (!(value >= 0)) this.fail(`duration ${value}`);
    return value;
  }

  changes(): SessionChanges {
    const count = this.u32();
    const changes = new Map<string, Entry | null>();
    for (let i = 0; i < count; i++) {
      const key = this.text();
      changes.set(key, this.flag() ? entryOf(key, this.text()) : null);
    }
    if (changes.size !== count) this.fail("a key twice");
    return changes;
  }

  expected(): Expected {
    const count = this.u32();
    const expected = new Map<string, string | null>();
    for (let i = 0; i < count; i++) expected.set(this.text(), this.flag() ? this.text() : null);
    if (expected.size !== count) this.fail("a key twice");
    return expected;
  }

  life(): SessionLife {
    return { ageMs: this.duration(), absoluteTimeoutMs: this.duration() };
  }

  entries(): SessionEntries {
    const changes = this.changes();
    for (const entry of changes.values()) if (entry === null) this.fail("an entry without text");
    return changes as SessionEntries;
  }

  oneOf<Value extends number>(values: { readonly [name: string]: Value }, what: string): Value {
    const value = this.u8();
    for (const name in values) if (values[name] === value) return values[name];
    this.fail(`${what} ${value}`);
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
      return sink.onBeat(readBeat(from));
    case MessageType.op:
      return sink.onOp(readOp(from));
    case MessageType.ack:
      return sink.onAck(from.u16(), from.u32(), from.number());
    case MessageType.diskAck:
      return sink.onDiskAck(from.u16(), from.u32(), from.number(), from.number());
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
      return readReply(from, sink);
    case MessageType.copyQuery: {
      const slot = from.u16();
      from.u32();
      return sink.onCopyQuery(slot);
    }
    case MessageType.copyOffer: {
      const slot = from.u16();
      const isOnDisk = from.u32() === 1;
      return sink.onCopyOffer(slot, from.number(), from.number(), isOnDisk);
    }
    case MessageType.map:
      return sink.onMap(from.number(), from.bytes());
    default:
      throw new MessageError(`type ${type}`);
  }
}

function readBeat(from: FrameReader): Beat {
  return {
    sentAt: from.number(),
    state: from.oneOf(PeerState, "state"),
    fullness: from.duration(),
    heard: from.number(),
    promised: from.number(),
    takenVersion: from.number(),
  };
}

function readOp(from: FrameReader): Op {
  return {
    slot: from.u16(),
    epoch: from.u32(),
    pos: from.number(),
    kind: from.oneOf(OpKind, "kind of change"),
    key: from.text(),
    idleTimeoutMs: from.duration(),
    life: from.flag() ? from.life() : null,
    changes: from.changes(),
  };
}

function readReply(from: FrameReader, sink: MessageSink): void {
  const id = from.u32();
  const status = from.oneOf(ReplyStatus, "status");
  if (from.flag()) sink.onReply(id, status, from.entries(), from.life());
  else sink.onReply(id, status, null, null);
}

function readSessions(from: FrameReader): CopiedSession[] {
  const sessions: CopiedSession[] = [];
  for (let count = from.u32(); count > 0; count--) {
    sessions.push({
      key: from.text(),
      idleTimeoutMs: from.duration(),
      idleForMs: from.duration(),
      ...from.life(),
      entries: from.entries(),
    });
  }
  return sessions;
}

function readRequest(from: FrameReader): RequestMessage {
  const slot = from.u16();
  const id = from.u32();
  const kind = from.oneOf(RequestKind, "kind of request");
  const request = {
    id,
    slot,
    kind,
    key: from.text(),
    ownerClock: from.number(),
    freshMs: from.duration(),
    idleTimeoutMs: from.duration(),
    life: from.flag() ? from.life() : null,
    changes: from.changes(),
  };
  return { ...request, expected: kind === RequestKind.compareAndSet ? from.expected() : null };
}
