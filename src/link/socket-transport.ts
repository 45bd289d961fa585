/** A link's way to the kernel: an encrypted socket after its handshake. */
import type { TLSSocket } from "node:tls";
import { codeOf } from "../support/errors.ts";
import * as limits from "../support/limits.ts";
import type { LinkConnection } from "./connection.ts";
import type { LinkTransport } from "./sender.ts";
import { readShared } from "./shared-read.ts";

export class SocketTransport implements LinkTransport {
  readonly #socket: TLSSocket;
  #connection: LinkConnection | null = null;
  readonly #written: () => void = () => this.#connection?.written();

  constructor(socket: TLSSocket) {
    this.#socket = socket;
  }

  /** The socket's bytes go to the connection from now on. */
  carry(connection: LinkConnection): void {
    this.#connection = connection;
    const socket = this.#socket;
    let failure = "";
    const receive = (bytes: Buffer): void => connection.receive(bytes);
    // Bytes that came with the handshake wait in the socket already.
    for (let early = socket.read(); early !== null; early = socket.read()) receive(early);
    if (!readShared(socket, receive)) socket.on("data", receive);
    socket.on("error", (error) => {
      const code = codeOf(error);
      // We wrote before we read that the other side has closed.
      failure = code === "EPIPE" ? "" : code || error.message;
    });
    socket.on("end", () => connection.lost(""));
    socket.on("close", () => connection.lost(failure));
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes, this.#written);
  }

  close(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    socket.destroySoon();
    const timer = setTimeout(() => socket.destroy(), limits.link.closeTimeoutMs);
    timer.unref();
    socket.once("close", () => clearTimeout(timer));
  }
}
