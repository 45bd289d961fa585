/**
 * The sockets on which browsers connect, held apart from the workers that accept on them. A socket lives as long as
 * somebody holds it: connections that come while a worker dies, or is replaced, wait in its one queue for whoever
 * accepts next. (With SO_REUSEPORT each worker would have a queue of its own, and the kernel would reset what waits in
 * it when the worker ends.)
 */
import { lookup } from "node:dns/promises";
import net from "node:net";
import { getSystemErrorName } from "node:util";
import type { Endpoint } from "../config/model.ts";
import { listenError } from "../support/listen.ts";

/** Of a socket that is bound, and accepts in no process before that process listens on it. */
export interface SocketHandle {
  close(): void;
  /** @returns 0, or the negative number of a system error. */
  getsockname(out: { address?: string; port?: number }): number;
}

/**
 * Node's own `cluster` holds its sockets by this function. A `net.Server` would accept here, in the process that has
 * nobody to give the connection to. It is no documented part of Node; a test of ours fails should it go.
 * @returns the handle, or the negative number of a system error.
 */
type CreateServerHandle = (
  address: string | null,
  port: number,
  addressType: 4 | 6 | -1,
  fd: number,
  flags: number,
) => SocketHandle | number;

const createServerHandle = (net as unknown as { _createServerHandle: CreateServerHandle })
  ._createServerHandle;

/** A socket that was open before this process began: a service manager's. */
export interface InheritedSocket extends Endpoint {
  readonly handle: SocketHandle;
  /** Its name there, for messages; or "". */
  readonly name: string;
}

export class ListeningSockets {
  readonly #open: Map<string, SocketHandle> = new Map();
  /** Being opened: several workers ask for a new address at once. */
  readonly #opening: Map<string, Promise<SocketHandle>> = new Map();
  readonly #inherited: InheritedSocket[];

  constructor(inherited: readonly InheritedSocket[]) {
    this.#inherited = [...inherited];
  }

  /** Inherited ones that nobody has asked for. */
  get unused(): readonly InheritedSocket[] {
    return this.#inherited;
  }

  /** @throws FlotillaError FLOTILLA_PORT_IN_USE, FLOTILLA_NO_PERMISSION, FLOTILLA_ADDRESS_NOT_HERE, FLOTILLA_LISTEN_FAILED */
  async open(endpoint: Endpoint): Promise<SocketHandle> {
    const key = keyOf(endpoint);
    const open = this.#open.get(key) ?? this.#takeInherited(endpoint);
    if (open !== null) {
      this.#open.set(key, open);
      return open;
    }
    const opening = this.#opening.get(key) ?? this.#bind(endpoint, key);
    this.#opening.set(key, opening);
    return opening;
  }

  async #bind(endpoint: Endpoint, key: string): Promise<SocketHandle> {
    try {
      const handle = await bind(endpoint);
      this.#open.set(key, handle);
      return handle;
    } finally {
      this.#opening.delete(key);
    }
  }

  /** Closes those of other addresses. */
  keepOnly(endpoints: readonly Endpoint[]): void {
    const kept = new Set(endpoints.map(keyOf));
    for (const [key, handle] of this.#open) {
      if (kept.has(key)) continue;
      handle.close();
      this.#open.delete(key);
    }
  }

  close(): void {
    this.keepOnly([]);
  }

  #takeInherited({ address, port }: Endpoint): SocketHandle | null {
    const at = this.#inherited.findIndex(
      (socket) =>
        socket.port === port && (socket.address === address || (isAny(socket.address) && isAny(address))),
    );
    return at < 0 ? null : this.#inherited.splice(at, 1)[0]!.handle;
  }
}

/** @throws Error when the descriptor is no listening socket of TCP. */
export function inheritedSocket(fd: number, name: string): InheritedSocket {
  const handle = createServerHandle(null, 0, -1, fd, 0);
  if (typeof handle === "number") throw new Error(getSystemErrorName(handle));
  const out: { address?: string; port?: number } = {};
  // A socket of another family (AF_UNIX) has no such name.
  const failure = typeof handle.getsockname === "function" ? handle.getsockname(out) : -1;
  if (failure !== 0 || out.port === undefined) throw new Error("it is no socket of TCP");
  return { handle, name, address: out.address ?? "", port: out.port };
}

async function bind({ address, port }: Endpoint): Promise<SocketHandle> {
  try {
    const found = await lookup(address);
    const handle = createServerHandle(found.address, port, found.family === 6 ? 6 : 4, -1, 0);
    if (typeof handle === "number") throw systemError(handle);
    // What is wrong with the address is told with the first question only.
    const failure = handle.getsockname({});
    if (failure === 0) return handle;
    handle.close();
    throw systemError(failure);
  } catch (error) {
    throw listenError(error, "the address under listen:", address, port);
  }
}

function systemError(number: number): Error {
  const code = getSystemErrorName(number);
  return Object.assign(new Error(code), { code });
}

function isAny(address: string): boolean {
  return address === "::" || address === "0.0.0.0";
}

function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port}`;
}
