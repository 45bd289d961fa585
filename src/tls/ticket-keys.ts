/**
 * Keys of session tickets (RFC 5077; RFC 8446, 4.6.1), derived from the secret of the file, so that a browser's TLS session
 * resumes on whichever worker or web server it meets (R54). They change every day at midnight UTC; those of the day
 * before and after are accepted too, and those of the previous secret.
 *
 * Who has the secret can find the keys of all days: it must not get out, and TLS 1.2 sessions that were resumed are no
 * more secret than it is (docs/tls.md). TLS 1.3 makes new keys for each connection.
 */
import { createHash, randomBytes } from "node:crypto";
import type { SecureContext } from "node:tls";
import { deriveKey } from "../support/keys.ts";

const dayMs = 86_400_000;

interface TicketKey {
  /** 16 bytes that stand in the clear in each ticket. */
  readonly name: Buffer;
  readonly hmac: Buffer;
  readonly aes: Buffer;
}

/**
 * What OpenSSL does with a ticket, in the words of SSL_CTX_set_tlsext_ticket_key_cb(3). A good one is always replaced: browsers
 * use those of TLS 1.3 once (RFC 8446, C.4), and which version it is we are not told.
 */
const Verdict = { unknown: 0, make: 1, useAndRenew: 2 } as const;

/**
 * As Node's native code takes it; it aborts the process when one of the buffers is missing.
 * The name and the initialization vector are asked for when a ticket is made.
 */
type Answer = readonly [verdict: number, hmac: Buffer, aes: Buffer, name?: Buffer, iv?: Buffer];

/** In Node since 3.0, and documented only by Node's own tests: one key alone can be given in the documented way. */
interface NativeContext {
  enableTicketKeyCallback?(): void;
  onticketkeycallback?: (name: Buffer, iv: Buffer, encrypting: boolean) => Answer;
}

export class TicketKeys {
  readonly #secrets: readonly Buffer[];
  readonly #scope: string;
  readonly #now: () => number;
  #day = Number.NaN;
  /** The first makes tickets. */
  #keys: readonly TicketKey[] = [];

  /**
   * @param secrets the first makes tickets, all are accepted.
   * @param scope tickets are good within it alone: what a client had to prove for one must be what the other asks for.
   * @param now wall-clock milliseconds since 1970: what all web servers agree on.
   */
  constructor(secrets: readonly Buffer[], scope: string, now: () => number = Date.now) {
    this.#secrets = secrets;
    this.#scope = scope;
    this.#now = now;
  }

  /** 32 characters; sessions of another id are not resumed, whatever the ticket. */
  get sessionIdContext(): string {
    return createHash("sha256").update(this.#scope).digest("hex").slice(0, 32);
  }

  /** The key of today as `ticketKeys` of Node's documented options: 48 bytes. */
  get current(): Buffer {
    const { name, hmac, aes } = this.#today()[0]!;
    return Buffer.concat([name, hmac, aes]);
  }

  /** Lets a context make and accept tickets. Where Node has the call no more, it knows today's key alone. */
  install({ context }: SecureContext): void {
    const native = context as NativeContext;
    if (native.enableTicketKeyCallback === undefined) return;
    native.onticketkeycallback = (name, _iv, encrypting) => (encrypting ? this.#make() : this.#accept(name));
    native.enableTicketKeyCallback();
  }

  #make(): Answer {
    const { name, hmac, aes } = this.#today()[0]!;
    return [Verdict.make, hmac, aes, name, randomBytes(16)];
  }

  #accept(name: Buffer): Answer {
    const keys = this.#today();
    const key = keys.find((known) => known.name.equals(name));
    const { hmac, aes } = key ?? keys[0]!;
    return [key === undefined ? Verdict.unknown : Verdict.useAndRenew, hmac, aes];
  }

  #today(): readonly TicketKey[] {
    const day = Math.floor(this.#now() / dayMs);
    if (day !== this.#day) {
      this.#day = day;
      // Tomorrow's: the clock of another web server may be ahead.
      const days = [day, day - 1, day + 1];
      this.#keys = this.#secrets.flatMap((secret) => days.map((of) => ticketKey(secret, this.#scope, of)));
    }
    return this.#keys;
  }
}

function ticketKey(secret: Buffer, scope: string, day: number): TicketKey {
  const bytes = deriveKey(secret, "tls-ticket", `${day}\0${scope}`, 48);
  return { name: bytes.subarray(0, 16), hmac: bytes.subarray(16, 32), aes: bytes.subarray(32) };
}
