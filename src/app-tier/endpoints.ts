/** Who speaks with whom over which connection, as an application asks its socket: the browser and the web tier's address. */

export class Endpoints {
  /** The lines of the opening metadata (http/link-request.ts); ports are read only when somebody asks. */
  readonly #head: readonly string[];

  constructor(head: readonly string[]) {
    this.#head = head;
  }

  /** The browser's connection is TLS. */
  get encrypted(): boolean {
    return this.#head[3] === "https";
  }

  get remoteAddress(): string {
    return this.#head[4]!;
  }

  get remotePort(): number {
    return Number(this.#head[5]);
  }

  get localAddress(): string {
    return this.#head[6]!;
  }

  get localPort(): number {
    return Number(this.#head[7]);
  }
}

/** @returns Node's name of the address family. */
export function familyOf(address: string): "IPv4" | "IPv6" {
  return address.includes(":") ? "IPv6" : "IPv4";
}
