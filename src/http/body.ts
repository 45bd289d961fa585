/**
 * Where a body ends (RFC 9112 sections 6 and 7), for requests and answers. Takes the bytes of a connection as they
 * come, hands on those of the body and stops exactly behind it. Chunks are understood in their plain form only: a
 * hexadecimal size, perhaps extensions behind ";", CR LF, the bytes, CR LF.
 */
import { http } from "../support/limits.ts";
import { ByteClass, byteClasses, CR, LF } from "./fields.ts";
import { readTrailer } from "./trailer.ts";

export type BodyKind = "none" | "length" | "chunked" | "close";

export interface BodySink {
  /** Bytes of the body; the view is valid only during the call. */
  onBodyBytes(bytes: Buffer): void;
}

/** What the next byte belongs to. */
const State = {
  done: 0,
  /** Counted by `#left`. */
  length: 1,
  close: 2,
  size: 3,
  extension: 4,
  sizeLf: 5,
  /** A chunk's bytes, counted by `#left`. */
  chunk: 6,
  chunkCr: 7,
  chunkLf: 8,
  /** The first byte of a line behind the last chunk. */
  trailerStart: 9,
  trailerLine: 10,
  trailerLf: 11,
  endLf: 12,
  refused: 13,
} as const;
type State = (typeof State)[keyof typeof State];

const SEMICOLON = 0x3b;
const sizeDigitsMax = 16;

/** Made once per connection and used for one body after the other. */
export class BodyDecoder {
  /** Allowed trailers, "name LF value LF name LF value"; "" when there are none. */
  trailer: string = "";
  /** Why `push` returned -1: one line for a person, without bytes of the body. */
  error: string = "";
  /** Bytes given to the sink since `begin`. */
  receivedBytes: number = 0;

  #state: State = State.done;
  #left = 0;
  #digits = 0;
  #extensionBytes = 0;
  #extensionLineBytes = 0;
  #trailerBytes: Buffer | null = null;
  #trailerLength = 0;

  /** The whole body, its trailers included, was seen. A body that ends with the connection needs `closeEnd`. */
  get done(): boolean {
    return this.#state === State.done;
  }

  /** @param length in bytes, for `"length"` only. */
  begin(kind: BodyKind, length: number): void {
    this.trailer = this.error = "";
    this.receivedBytes = this.#digits = this.#extensionBytes = this.#extensionLineBytes = 0;
    this.#left = kind === "length" ? length : 0;
    this.#trailerLength = 0;
    this.#state = firstState(kind, length);
  }

  /**
   * Takes what belongs to the body out of `bytes[start, end)`.
   * @returns the number of bytes taken (fewer than given only once `done`), or -1 when refused.
   */
  push(bytes: Buffer, start: number, end: number, sink: BodySink): number {
    let at = start;
    while (at < end && this.#state !== State.done) {
      if (this.#state === State.chunk || this.#state === State.length || this.#state === State.close)
        at = this.#take(bytes, at, end, sink);
      else if (this.#state === State.refused) return -1;
      else this.#state = this.#read(bytes[at++]!);
    }
    return this.#state === State.refused ? -1 : at - start;
  }

  /** The connection ended. @returns whether the body is whole; when not, `error` says so. */
  closeEnd(): boolean {
    if (this.#state === State.close) this.#state = State.done;
    if (this.#state === State.done) return true;
    if (this.#state !== State.refused)
      this.#state = this.#refuse("the connection ended in the middle of the body");
    return false;
  }

  #take(bytes: Buffer, at: number, end: number, sink: BodySink): number {
    const isClose = this.#state === State.close;
    const to = isClose ? end : Math.min(end, at + this.#left);
    this.receivedBytes += to - at;
    if (!isClose) {
      this.#left -= to - at;
      if (this.#left === 0) this.#state = this.#state === State.chunk ? State.chunkCr : State.done;
    }
    sink.onBodyBytes(at === 0 && to === bytes.length ? bytes : bytes.subarray(at, to));
    return to;
  }

  /** One byte of what frames the chunks. @returns what the next byte belongs to. */
  #read(byte: number): State {
    switch (this.#state) {
      case State.size:
        return this.#readSize(byte);
      case State.extension:
        return this.#readExtension(byte);
      case State.sizeLf:
        return this.#expect(byte, LF, this.#left === 0 ? State.trailerStart : State.chunk);
      case State.chunkCr:
        return this.#expect(byte, CR, State.chunkLf);
      case State.chunkLf:
        this.#digits = 0;
        return this.#expect(byte, LF, State.size);
      case State.trailerStart:
        return byte === CR ? State.endLf : this.#keepTrailer(byte, State.trailerLine);
      case State.trailerLine:
        return this.#keepTrailer(byte, byte === CR ? State.trailerLf : State.trailerLine);
      case State.trailerLf:
        if (byte !== LF) return this.#refuse("a trailer line does not end with CR LF");
        return this.#keepTrailer(byte, State.trailerStart);
      case State.endLf:
        return byte === LF ? this.#finish() : this.#refuse("a CR stands without its LF");
      default:
        return this.#state;
    }
  }

  #readSize(byte: number): State {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#left = this.#digits === 0 ? digit : this.#left * 16 + digit;
      this.#digits++;
      const fits = this.#digits <= sizeDigitsMax && this.#left <= Number.MAX_SAFE_INTEGER;
      return fits ? State.size : this.#refuse("a chunk size is out of bounds");
    }
    if (this.#digits === 0) return this.#refuse("a chunk does not begin with a hexadecimal size");
    if (byte === CR) return State.sizeLf;
    if (byte !== SEMICOLON) return this.#refuse("a chunk size is followed by neither CR LF nor an extension");
    this.#extensionLineBytes = 0;
    return State.extension;
  }

  #readExtension(byte: number): State {
    if (byte === CR) return State.sizeLf;
    if ((byteClasses[byte]! & ByteClass.value) === 0)
      return this.#refuse("a chunk extension holds a control byte");
    this.#extensionBytes++;
    this.#extensionLineBytes++;
    const fits =
      this.#extensionLineBytes <= http.chunkLineBytesMax &&
      this.#extensionBytes <= http.chunkExtensionBytesMax;
    return fits ? State.extension : this.#refuse("the chunk extensions are too long");
  }

  #keepTrailer(byte: number, next: State): State {
    if ((byteClasses[byte]! & ByteClass.value) === 0 && next === State.trailerLine)
      return this.#refuse("a trailer line holds a control byte");
    this.#trailerBytes ??= Buffer.allocUnsafe(http.trailerBytesMax);
    if (this.#trailerLength === http.trailerBytesMax) return this.#refuse("the trailers are too large");
    this.#trailerBytes[this.#trailerLength++] = byte;
    return next;
  }

  #finish(): State {
    const trailer = this.#trailerLength === 0 ? "" : readTrailer(this.#trailerBytes!, this.#trailerLength);
    // Trailers are rare: their room is not kept for the connection's life.
    this.#trailerBytes = null;
    if (trailer === null) return this.#refuse("a trailer line is not a field");
    this.trailer = trailer;
    return State.done;
  }

  #expect(byte: number, wanted: number, next: State): State {
    return byte === wanted ? next : this.#refuse("a chunk does not end with CR LF");
  }

  #refuse(error: string): State {
    this.error = error;
    return State.refused;
  }
}

function firstState(kind: BodyKind, length: number): State {
  switch (kind) {
    case "none":
      return State.done;
    case "length":
      return length === 0 ? State.done : State.length;
    case "chunked":
      return State.size;
    case "close":
      return State.close;
  }
}

/** @returns 0 to 15, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
