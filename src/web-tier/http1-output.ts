/** Step "reply" in HTTP/1.1: an answer as bytes of a connection, framed anew. */
import type { Socket } from "node:net";
import type { RequestHead } from "../http/request-head.ts";
import { http as limits } from "../support/limits.ts";
import { answerHead, trailerLines } from "./answer-head.ts";
import type { AnswerBody, AnswerHead } from "./client.ts";
import { CopiedWrites } from "./copied-writes.ts";

/** Its methods return false when the client reads too slowly: the socket's `drain` follows. */
export class Http1Output {
  /** Another request may follow, as told in the answer's head. */
  keepOpen = false;
  readonly #socket: Socket;
  readonly #copied: CopiedWrites;
  #chunking = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#copied = new CopiedWrites(socket);
  }

  /** @returns the head of an answer to this request. @param reusable the connection may take another request. */
  frame(answer: AnswerHead, body: AnswerBody, request: RequestHead, reusable: boolean): string {
    this.#chunking = body === "stream" && request.versionMinor === 1;
    // HTTP/1.0 has no chunks: there the end of the connection ends the body.
    const framed = body !== "stream" || this.#chunking;
    this.keepOpen = framed && reusable && request.keepAlive && request.upgrade === "";
    return answerHead(answer, this.#chunking, this.keepOpen, request.versionMinor);
  }

  /** Latin1, as it is. */
  text(text: string): boolean {
    return this.#socket.write(text, "latin1");
  }

  /** A copy of them, as they are. */
  bytes(bytes: Buffer): boolean {
    return this.#copied.write(bytes);
  }

  /** A piece of the body. */
  piece(bytes: Buffer): boolean {
    if (!this.#chunking) return this.#copied.write(bytes);
    const size = bytes.length.toString(16);
    if (bytes.length <= limits.oneWriteBytesMax)
      return this.text(`${size}\r\n${bytes.latin1Slice(0, bytes.length)}\r\n`);
    this.#socket.cork();
    this.text(`${size}\r\n`);
    this.#copied.write(bytes);
    const flowing = this.text("\r\n");
    this.#socket.uncork();
    return flowing;
  }

  end(trailer: string): boolean {
    return !this.#chunking || this.text(`0\r\n${trailerLines(trailer)}\r\n`);
  }

  /**
   * Bytes that the kernel has taken. The socket itself counts a write once it is complete, and one write may be some
   * hundred KiB: who reads that slowly would be taken for one who does not read. The handle knows better; Node's
   * own socket timeout looks there too.
   */
  get takenBytes(): number {
    const { _handle } = this.#socket as unknown as {
      _handle: (WriteHandle & { _parent?: WriteHandle }) | null;
    };
    if (_handle === null) return 0;
    // TLS lies upon the handle of TCP.
    const handle = _handle._parent ?? _handle;
    return handle.bytesWritten - handle.writeQueueSize;
  }
}

interface WriteHandle {
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}
