/**
 * A request's body that is taken whole before an app server sees any of it (`buffer: true`), so that who sends slowly keeps
 * nobody but this web server busy. The first bytes stay in memory, the others go to a file that has no name any more:
 * it is gone with us, however we end. What all bodies of one process take on the disk is bounded.
 */
import { randomBytes } from "node:crypto";
import { close, mkdirSync, open, read, unlink, write } from "node:fs";
import { join } from "node:path";
import { http as httpLimits, route as limits } from "../support/limits.ts";
import { giveSlab, slabBytes, takeSlab } from "../support/slabs.ts";
import type { UpstreamStream } from "./upstream.ts";

/** Where the bodies of one process go that are too long for memory. */
export class BodyFolder {
  readonly path: string;
  readonly bytesMax: number;
  /** On the disk now. */
  bytes = 0;

  constructor(path: string, bytesMax: number = limits.bufferedDiskBytesMax) {
    this.path = path;
    this.bytesMax = bytesMax;
  }

  /** Opens a new file that nobody else can open. */
  openFile(done: (error: Error | null, fd: number) => void): void {
    const path = join(this.path, `body-${process.pid}-${randomBytes(9).toString("hex")}`);
    try {
      mkdirSync(this.path, { recursive: true, mode: 0o700 });
    } catch (error) {
      return done(error as Error, -1);
    }
    open(path, "wx+", 0o600, (error, fd) => {
      if (error !== null) return done(error, -1);
      unlink(path, (error) => done(error, fd));
    });
  }
}

export interface WholeBodyOwner {
  /** All of it is here. */
  bodyIsWhole(): void;
  /** It has room again, after `add` returned false. */
  bodyGoesOn(): void;
  /** It can't be kept, and is gone. */
  bodyFailed(error: Error): void;
}

export class WholeBody {
  bytes = 0;
  trailer = "";
  readonly #folder: BodyFolder;
  readonly #owner: WholeBodyOwner;
  readonly #memory: Buffer[] = [];
  /** Copies on their way to the file. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #memoryBytes = 0;
  #fileBytes = 0;
  #fd = -1;
  /** A call to the file system is under way; nothing is closed meanwhile. */
  #busy = false;
  #ended = false;
  #over = false;
  /** Where it goes, and how far of the file went. */
  #stream: UpstreamStream | null = null;
  #sentBytes = 0;
  #flowing = false;

  constructor(folder: BodyFolder, owner: WholeBodyOwner) {
    this.#folder = folder;
    this.#owner = owner;
  }

  /** A stream has not got all of it yet. */
  get sending(): boolean {
    return this.#stream !== null;
  }

  /** Copies the bytes. @returns false when the client has to wait for the disk. */
  add(bytes: Buffer): boolean {
    this.bytes += bytes.length;
    if (this.#memoryBytes + bytes.length <= httpLimits.replayBytesMax && this.#fileBytes === 0) {
      this.#memoryBytes += bytes.length;
      this.#memory.push(Buffer.from(bytes));
      return true;
    }
    if (this.#folder.bytes + bytes.length > this.#folder.bytesMax) {
      this.#failed(new Error(`bodies take ${this.#folder.bytes} bytes on the disk already`));
      return true;
    }
    this.#fileBytes += bytes.length;
    this.#folder.bytes += bytes.length;
    this.#waiting.push(Buffer.from(bytes));
    this.#waitingBytes += bytes.length;
    this.#writeOn();
    return this.#waitingBytes < limits.bufferedWaitingBytesMax;
  }

  end(trailer: string): void {
    this.trailer = trailer;
    this.#ended = true;
    if (!this.#busy && this.#waiting.length === 0) this.#owner.bodyIsWhole();
  }

  /** Sends it, and ends the stream's direction behind it. May be called again for another stream. */
  sendTo(stream: UpstreamStream): void {
    this.#stream = stream;
    this.#sentBytes = 0;
    this.#flowing = true;
    for (const piece of this.#memory) this.#flowing = stream.write(piece);
    this.#readOn();
  }

  /** The stream has room again. */
  goOn(): void {
    this.#flowing = true;
    this.#readOn();
  }

  /** The attempt is over. */
  stop(): void {
    this.#stream = null;
  }

  /** The request is over. */
  clear(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream = null;
    this.#folder.bytes -= this.#fileBytes;
    if (!this.#busy) this.#close();
  }

  #close(): void {
    if (this.#fd !== -1) close(this.#fd, () => {});
    this.#fd = -1;
  }

  /** The end of every call to the file system. @returns whether there is somebody who wants to know. */
  #returned(error: Error | null): boolean {
    this.#busy = false;
    if (this.#over) this.#close();
    else if (error !== null) this.#failed(error);
    else return true;
    return false;
  }

  #failed(error: Error): void {
    this.#owner.bodyFailed(error);
  }

  #writeOn(): void {
    if (this.#busy) return;
    this.#busy = true;
    if (this.#fd === -1) {
      this.#folder.openFile((error, fd) => {
        this.#fd = fd;
        if (this.#returned(error)) this.#writeOn();
      });
      return;
    }
    const bytes = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    this.#busy = true;
    write(this.#fd, bytes, 0, bytes.length, null, (error, written) => {
      if (!this.#returned(error)) return;
      this.#waitingBytes -= written;
      if (written < bytes.length) return this.#write(bytes.subarray(written));
      if (this.#waiting.length > 0) return this.#writeOn();
      if (this.#ended) this.#owner.bodyIsWhole();
      else this.#owner.bodyGoesOn();
    });
  }

  #readOn(): void {
    const stream = this.#stream;
    if (stream === null || !this.#flowing || this.#busy) return;
    if (this.#sentBytes === this.#fileBytes) {
      this.#stream = null;
      stream.end(this.trailer);
      return;
    }
    this.#busy = true;
    const slab = takeSlab();
    const length = Math.min(slabBytes, this.#fileBytes - this.#sentBytes);
    read(this.#fd, slab, 0, length, this.#sentBytes, (error, bytes) => {
      const wanted = this.#returned(error ?? (bytes === 0 ? new Error("its file has become shorter") : null));
      // The stream may have been given up, or replaced, while the disk was read.
      if (wanted && this.#stream === stream) {
        this.#sentBytes += bytes;
        this.#flowing = stream.write(slab.subarray(0, bytes));
      }
      giveSlab(slab);
      if (wanted) this.#readOn();
    });
  }
}
