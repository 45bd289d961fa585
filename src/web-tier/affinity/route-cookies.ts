/**
 * The cookie of `affinity: cookie`: `<letter><process index>.<signature>`, 25 characters, as in `route=bA.5mB...`. It names the server
 * that a visitor came to first, and nothing else.
 *
 * A cluster has few servers, so each one's cookie is made once: a request costs a look-up, and a text that is none of those, whoever
 * wrote it, is no cookie of ours (A39). The key is bound to the cluster's name: a cookie of one is none in another.
 */
import { createHmac } from "node:crypto";
import type { AffinitySettings, Server } from "../../config/model.ts";
import { cookieValueAt, findCookie } from "../../session/cookie-header.ts";
import { deriveKey } from "../../support/keys.ts";
import { affinity as limits } from "../../support/limits.ts";

const indexes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** 132 bits. */
const signatureLength = 22;

export interface RouteCookie {
  /** The server's place in the list of its cluster. */
  readonly at: number;
  /** "route=bA.5mB...", as it stands in the Cookie field. */
  readonly pair: string;
  /** Signed with the secret of today; one of the previous secret is good for as long as that stands in the file. */
  readonly isCurrent: boolean;
}

export interface RouteCookieKeys {
  readonly secret: Buffer;
  readonly previousSecret: Buffer | null;
  /** Of the cluster. */
  readonly name: string;
}

export class RouteCookies {
  readonly #name: string;
  readonly #byValue = new Map<string, RouteCookie>();
  /** By the server's place, ready for an answer's head. */
  readonly #lines: readonly string[];
  readonly #secureLines: readonly string[];

  constructor(
    { cookieName }: Pick<AffinitySettings, "cookieName">,
    servers: readonly Pick<Server, "letter" | "processIndex">[],
    { secret, previousSecret, name }: RouteCookieKeys,
  ) {
    this.#name = cookieName;
    if (previousSecret !== null) this.#add(servers, deriveKey(previousSecret, "route-cookie", name), false);
    const values = this.#add(servers, deriveKey(secret, "route-cookie", name), true);
    this.#lines = values.map(
      (value) => `Set-Cookie: ${cookieName}=${value}; Path=/; HttpOnly; SameSite=Lax\r\n`,
    );
    this.#secureLines = this.#lines.map((line) => line.replace("\r\n", "; Secure\r\n"));
  }

  /** @param header the Cookie field, or "". @returns null when no cookie of the name is one of ours. */
  find(header: string): RouteCookie | null {
    if (header === "") return null;
    let looks = 0;
    for (let at = findCookie(header, this.#name); at !== -1; at = findCookie(header, this.#name, at)) {
      const cookie = this.#byValue.get(cookieValueAt(header, at));
      if (cookie !== undefined) return cookie;
      // Another site on a sibling domain can plant cookies of the same name before ours.
      if (++looks === limits.cookiesLookedAtMax) return null;
    }
    return null;
  }

  /** "Set-Cookie: ... CR LF". @param at the server's place. @param isSecure the visitor came over https. */
  line(at: number, isSecure: boolean): string {
    return (isSecure ? this.#secureLines : this.#lines)[at]!;
  }

  #add(
    servers: readonly Pick<Server, "letter" | "processIndex">[],
    key: Buffer,
    isCurrent: boolean,
  ): readonly string[] {
    return servers.map(({ letter, processIndex }, at) => {
      const named = `${letter}${indexes[processIndex]}`;
      const signature = createHmac("sha256", key).update(named).digest("base64url").slice(0, signatureLength);
      const value = `${named}.${signature}`;
      this.#byValue.set(value, { at, pair: `${this.#name}=${value}`, isCurrent });
      return value;
    });
  }
}
