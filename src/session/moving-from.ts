/**
 * Cookies of before: a site that moved in from express-session or @fastify/session, and took its sessions along (`flotilla sessions import
 * --from`), still gets them from its visitors. One that was signed with the old secret leads to the key under which its session is kept
 * now, and the visitor is given an id of ours over the same key: nothing has to be moved.
 *
 *   s%3A<sid>.<signature>    connect.sid of express-session, percent-encoded
 *   <sid>.<signature>        sessionId of @fastify/session
 *
 * The signature is base64 of HMAC-SHA256 over the sid, without "=", as the package cookie-signature makes it.
 */
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { session as limits } from "../support/limits.ts";
import { cookieValueAt, findCookie, isCookieName } from "./cookie-header.ts";
import { keyOfSid } from "./foreign/key-of-sid.ts";

/** What `session()` is told of them. */
export interface MovingFrom {
  /** Default "connect.sid"; that of @fastify/session is "sessionId" unless it was named. */
  name?: string;
  /** With which they were signed: the library's `secret`; or several, as it was given. */
  secret: string | Buffer | readonly (string | Buffer)[];
}

const defaultName = "connect.sid";
/** Characters of a signature. */
const signatureLength = 43;
const signedMark = "s:";

export class OldCookies {
  readonly #name: string;
  readonly #keys: readonly KeyObject[];

  private constructor(name: string, keys: readonly KeyObject[]) {
    this.#name = name;
    this.#keys = keys;
  }

  /** Of what has nothing wrong. */
  static of({ name = defaultName, secret }: MovingFrom): OldCookies {
    return new OldCookies(name, secretsOf(secret).map(keyOf));
  }

  /**
   * The session of a Cookie field: the key of the first cookie of that name that is signed. Another site on a sibling domain can plant
   * cookies of the same name.
   */
  keyIn(header: string): string | null {
    let candidates = 0;
    for (let at = findCookie(header, this.#name); at !== -1; at = findCookie(header, this.#name, at)) {
      const sid = this.#sidOf(cookieValueAt(header, at));
      if (sid !== null) return keyOfSid(sid);
      if (++candidates === limits.cookiesVerifiedMax) return null;
    }
    return null;
  }

  #sidOf(value: string): string | null {
    if (value.length > limits.oldCookieCharsMax) return null;
    const text = decoded(value);
    const dot = text.lastIndexOf(".");
    if (dot === -1 || text.length - dot - 1 !== signatureLength) return null;
    const sid = text.slice(text.startsWith(signedMark) ? signedMark.length : 0, dot);
    const given = Buffer.from(text.slice(dot + 1));
    return this.#keys.some((key) => isSignedBy(key, sid, given)) ? sid : null;
  }
}

/** @returns what is wrong with it, or null. */
export function whyNotMovingFrom(given: MovingFrom): string | null {
  if (typeof given !== "object" || given === null) return `it is { name, secret }, not ${String(given)}`;
  const { name, secret, ...others } = given;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return `${JSON.stringify(unknown)} is none of name, secret`;
  if (name !== undefined && !isCookieName(name)) return `${JSON.stringify(name)} is no name for a cookie`;
  const secrets = secretsOf(secret);
  const areRight = secrets.every(
    (one) => (typeof one === "string" || Buffer.isBuffer(one)) && one.length > 0,
  );
  if (areRight && secrets.length > 0 && secrets.length <= limits.oldSecretsMax) return null;
  return `its secret is what the cookies were signed with, or a list of up to ${limits.oldSecretsMax}`;
}

function secretsOf(secret: MovingFrom["secret"]): readonly (string | Buffer)[] {
  return Array.isArray(secret) ? (secret as readonly (string | Buffer)[]) : [secret as string | Buffer];
}

function keyOf(secret: string | Buffer): KeyObject {
  return createSecretKey(typeof secret === "string" ? Buffer.from(secret) : secret);
}

function isSignedBy(key: KeyObject, sid: string, given: Buffer): boolean {
  const right = createHmac("sha256", key).update(sid).digest("base64").slice(0, signatureLength);
  // Of characters beyond ASCII it has more bytes.
  return given.length === right.length && timingSafeEqual(given, Buffer.from(right));
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
