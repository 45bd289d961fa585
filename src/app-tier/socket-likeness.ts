/**
 * What the two sockets of this tier have in common with a net.Socket besides the flow of bytes: addresses, the
 * settings of a connection, the idle timer. A mixin, because one is a plain EventEmitter and the other a Duplex.
 */
import type { EventEmitter } from "node:events";
import type { AddressInfo } from "node:net";

export interface SocketLikeness {
  /** The lines of the opening metadata (http/link-request.ts). */
  head: readonly string[];
  /** Milliseconds given to setTimeout. */
  timeout: number;
  idleTimer: NodeJS.Timeout | null;
  /** True as on a TLSSocket when the browser speaks https, else undefined as on a net.Socket. */
  readonly encrypted: true | undefined;
  /** Browsers show no certificate: false under https, as on a TLSSocket, else undefined. */
  readonly authorized: false | undefined;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: string;
  readonly localAddress: string;
  readonly localPort: number;
  readonly localFamily: string;
  readonly connecting: boolean;
  readonly pending: boolean;
  readonly readyState: "open" | "readOnly" | "writeOnly" | "closed";
  readonly bufferSize: number;
  address(): AddressInfo;
  /** These four are settings of the connection to the browser, or of the link: not one stream's to change. */
  setNoDelay(): this;
  setKeepAlive(): this;
  ref(): this;
  unref(): this;
  /** As net.Socket: `timeout` is emitted after so many milliseconds without a byte in either direction; 0 ends it. */
  setTimeout(delayMs: number, callback?: () => void): this;
  stopIdleTimer(): void;
  /** The idle timer fired. */
  onIdle(): void;
}

interface ByteSocket extends EventEmitter {
  readonly readable: boolean;
  readonly writable: boolean;
  readonly destroyed: boolean;
  readonly writableLength: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a mixin's constructor takes what its base takes (TS2545).
type Constructor<T> = new (...args: any[]) => T;
export type WithSocketLikeness<Base> = Base & Constructor<SocketLikeness>;

export function withSocketLikeness<Base extends Constructor<EventEmitter>>(
  base: Base,
): WithSocketLikeness<Base> {
  const ByteSocketBase = base as unknown as Constructor<ByteSocket>;
  class SocketLike extends ByteSocketBase implements SocketLikeness {
    head: readonly string[] = [];
    timeout = 0;
    idleTimer: NodeJS.Timeout | null = null;

    get encrypted(): true | undefined {
      return this.head[3] === "https" || undefined;
    }

    get authorized(): false | undefined {
      return this.encrypted && false;
    }

    get remoteAddress(): string {
      return this.head[4]!;
    }

    get remotePort(): number {
      return Number(this.head[5]);
    }

    get remoteFamily(): string {
      return familyOf(this.remoteAddress);
    }

    get localAddress(): string {
      return this.head[6]!;
    }

    get localPort(): number {
      return Number(this.head[7]);
    }

    get localFamily(): string {
      return familyOf(this.localAddress);
    }

    get connecting(): boolean {
      return false;
    }

    get pending(): boolean {
      return false;
    }

    get readyState(): "open" | "readOnly" | "writeOnly" | "closed" {
      if (this.readable) return this.writable ? "open" : "readOnly";
      return this.writable ? "writeOnly" : "closed";
    }

    get bufferSize(): number {
      return this.writableLength;
    }

    address(): AddressInfo {
      return { address: this.localAddress, family: this.localFamily, port: this.localPort };
    }

    setNoDelay(): this {
      return this;
    }

    setKeepAlive(): this {
      return this;
    }

    ref(): this {
      return this;
    }

    unref(): this {
      return this;
    }

    setTimeout(delayMs: number, callback?: () => void): this {
      if (this.destroyed) return this;
      this.timeout = delayMs;
      this.stopIdleTimer();
      if (delayMs > 0) this.idleTimer = setTimeout(onIdle, delayMs, this).unref();
      if (callback !== undefined) {
        if (delayMs > 0) this.once("timeout", callback);
        else this.removeListener("timeout", callback);
      }
      return this;
    }

    stopIdleTimer(): void {
      if (this.idleTimer !== null) clearTimeout(this.idleTimer);
      this.idleTimer = null;
    }

    onIdle(): void {
      this.emit("timeout");
    }
  }
  return SocketLike as unknown as WithSocketLikeness<Base>;
}

function onIdle(socket: SocketLikeness): void {
  socket.onIdle();
}

function familyOf(address: string): "IPv4" | "IPv6" {
  return address.includes(":") ? "IPv6" : "IPv4";
}
