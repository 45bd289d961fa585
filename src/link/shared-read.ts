/**
 * Reads an encrypted socket into one buffer that all links share. Node offers that (`onread`) only for sockets that
 * it connects itself, and not for a TLS socket made on top of another one; what the option does inside is done here.
 * Without it every read is a fresh buffer, and a long transfer leaves tens of megabytes of them to the collector.
 */
import type { TLSSocket } from "node:tls";
import * as limits from "../support/limits.ts";

interface ReadingHandle {
  useUserBuffer(buffer: Buffer): void;
}

interface ReadingSocket {
  readonly _handle: Partial<ReadingHandle> | null;
  [key: symbol]: unknown;
}

const sharedBuffer = Buffer.allocUnsafeSlow(limits.http.readBytes);

/**
 * @param receive gets a view that is valid during the call only.
 * @returns false when this version of Node has no such thing: then `data` events must do.
 */
export function readShared(socket: TLSSocket, receive: (bytes: Buffer) => void): boolean {
  const target = socket as unknown as ReadingSocket;
  const symbols = Object.getOwnPropertySymbols(socket);
  const bufferKey = symbols.find((symbol) => symbol.description === "kBuffer");
  const callbackKey = symbols.find((symbol) => symbol.description === "kBufferCb");
  const handle = target._handle;
  if (bufferKey === undefined || callbackKey === undefined || handle?.useUserBuffer === undefined)
    return false;
  target[bufferKey] = sharedBuffer;
  target[callbackKey] = (count: number): boolean => {
    receive(sharedBuffer.subarray(0, count));
    return true;
  };
  handle.useUserBuffer(sharedBuffer);
  socket.resume();
  return true;
}
