/**
 * Session ids: `<owner letter><backup letter or -><key>.<signature>`, 50 characters of base64url and one dot.
 *
 *   a - A QkD0vR...(24) . 5mB...(22)
 *   | | | |               132 bits of HMAC-SHA256 over all that stands before the dot
 *   | | | key: slot, 12 bits, then 132 random bits
 *   | | owner's process index
 *   | backup's letter, "-" while there is none
 *   owner's letter (R20)
 *
 * A cookie carries it without quoting or escaping. Every character counts: no two texts are the same id.
 * The key alone is the session's identity; what stands before it is a readable copy of who keeps it, so that any web
 * server can route any session without a shared table. An edited letter breaks the signature (A39).
 */
import {
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
  scryptSync,
  timingSafeEqual,
} from "node:crypto";
import { slotCount } from "../register/slot-map.ts";
import { deriveKey } from "../support/keys.ts";
import { session as limits } from "../support/limits.ts";
import { cookieValueAt, findCookie } from "./cookie-header.ts";

export { readCookie } from "./cookie-header.ts";

/** One of a-z A-Z 0-9; for a backup also "-". */
export type Letter = string;

export interface VerifiedId {
  /** The whole text, as the cookie carries it. */
  readonly text: string;
  readonly owner: Letter;
  /** "-" while there is none. */
  readonly backup: Letter;
  /** 0 to 4,095. */
  readonly slot: number;
  /** 0 without `processes:`, else 1 to N: together with the owner's letter it names one process. */
  readonly processIndex: number;
  /** Slot and random part: what the session is kept under. */
  readonly key: string;
}

export { slotCount };
export const processIndexMax = 63;
/** Characters of every id. */
export const idLength = 50;

const keyStart = 3;
const keyEnd = 27;
const signatureStart = keyEnd + 1;
const signatureLength = idLength - signatureStart;
const randomLength = 22;
const dot = 46;

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const none = 255;
/** Character code to its six bits, or `none`. */
const sixBits = new Uint8Array(128).fill(none);
for (let value = 0; value < alphabet.length; value++) sixBits[alphabet.charCodeAt(value)] = value;
/** "-" and "_" are the last two: below are the letters and digits. */
const lettersEnd = 62;

/**
 * Makes and checks the ids of one cluster. Ids that were found good are remembered, so that a request costs
 * one look-up; what is not good is never remembered, so no flood of forged ids can push a good one out.
 */
export class SessionIds {
  readonly #key: KeyObject;
  readonly #previousKey: KeyObject | null;
  readonly #generationMax: number;
  // Two generations instead of a linked list: a hit is one look-up and no write. When the young one is full it
  // becomes the old one; what is used again moves over, the rest is dropped with the next turn.
  #young: Map<string, VerifiedId> = new Map();
  #old: Map<string, VerifiedId> = new Map();

  /**
   * @param secret the file's secret; @param previousSecret accepted for checking, never for making.
   * @param clusterName part of every signature: an id of one cluster is no id in another.
   */
  constructor(
    secret: Buffer,
    previousSecret: Buffer | null,
    clusterName: string,
    verifiedIdsMax: number = limits.verifiedIdsMax,
  ) {
    this.#key = keyFor(secret, clusterName);
    this.#previousKey = previousSecret === null ? null : keyFor(previousSecret, clusterName);
    this.#generationMax = Math.max(1, verifiedIdsMax >>> 1);
  }

  /** Ids remembered now, at most `verifiedIdsMax`. */
  get remembered(): number {
    return this.#young.size + this.#old.size;
  }

  /**
   * A new id.
   * @param slot 0 to 4,095. @param processIndex 0 to 63.
   * @throws RangeError on a letter, slot or process index that no id can carry.
   */
  create(owner: Letter, backup: Letter, slot: number, processIndex: number): string {
    if (!(Number.isInteger(slot) && slot >= 0 && slot < slotCount)) throw new RangeError(`no slot ${slot}`);
    const random = randomBytes(17).toString("base64url").slice(0, randomLength);
    const key = `${alphabet[slot >>> 6]}${alphabet[slot & 63]}${random}`;
    return this.#sign(`${place(owner, backup, processIndex)}${key}`).text;
  }

  /**
   * The same session's id when other servers keep it: its key stays, and with it the session.
   * @throws RangeError on a letter or process index that no id can carry.
   */
  reissue(id: VerifiedId, owner: Letter, backup: Letter, processIndex: number): VerifiedId {
    return this.#sign(`${place(owner, backup, processIndex)}${id.key}`);
  }

  /** What the id says, or null when it was not made with this cluster's key. */
  verify(id: string): VerifiedId | null {
    if (id.length !== idLength) return null;
    return this.#young.get(id) ?? this.#verifySlowly(id);
  }

  /**
   * The session of a Cookie field: the first cookie of that name whose value is an id of this cluster. Another
   * site on a sibling domain can plant a cookie of the same name; a planted one that is not signed changes nothing.
   */
  fromCookie(header: string, name: string): VerifiedId | null {
    let candidates = 0;
    for (let at = findCookie(header, name); at !== -1; at = findCookie(header, name, at)) {
      const id = this.verify(cookieValueAt(header, at));
      if (id !== null) return id;
      if (++candidates === limits.cookiesVerifiedMax) return null;
    }
    return null;
  }

  #verifySlowly(id: string): VerifiedId | null {
    const aged = this.#old.get(id);
    if (aged !== undefined) {
      this.#remember(aged);
      return aged;
    }
    if (!hasShape(id) || !this.#isSigned(id)) return null;
    const verified = parse(unsliced(id));
    this.#remember(verified);
    return verified;
  }

  #sign(signed: string): VerifiedId {
    const id = parse(unsliced(`${signed}.${signature(this.#key, signed)}`));
    this.#remember(id);
    return id;
  }

  #isSigned(text: string): boolean {
    const given = Buffer.from(text.slice(signatureStart), "latin1");
    const signed = text.slice(0, keyEnd);
    if (timingSafeEqual(given, Buffer.from(signature(this.#key, signed), "latin1"))) return true;
    if (this.#previousKey === null) return false;
    return timingSafeEqual(given, Buffer.from(signature(this.#previousKey, signed), "latin1"));
  }

  #remember(id: VerifiedId): void {
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id.text, id);
  }
}

/** Whether a text can be a session's key: what stands between the letters and the signature of its id. */
export function isKey(text: string): boolean {
  if (text.length !== keyEnd - keyStart) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127 || sixBits[code] === none) return false;
  }
  return true;
}

export function slotOfKey(key: string): number {
  return (sixBits[key.charCodeAt(0)]! << 6) | sixBits[key.charCodeAt(1)]!;
}

/** For stores, of a session of which only the key is known: its text is no id that a cookie could carry. */
export function idOfKey(key: string): VerifiedId {
  return { text: "", owner: "", backup: "-", slot: slotOfKey(key), processIndex: 0, key };
}

/**
 * Two files whose ids are the same have the same: 16 hex digits, no secret. As slow as a guess of a weak secret should be.
 */
export function idKeyFingerprint(secret: Buffer, clusterName: string): string {
  const key = deriveKey(secret, "session-id", clusterName);
  return scryptSync(key, "flotilla session id key", 8, { N: 4_096, r: 8, p: 1 }).toString("hex");
}

function keyFor(secret: Buffer, clusterName: string): KeyObject {
  return createSecretKey(deriveKey(secret, "session-id", clusterName));
}

function signature(key: KeyObject, signed: string): string {
  return createHmac("sha256", key).update(signed, "latin1").digest("base64url").slice(0, signatureLength);
}

/** What stands before the key. */
function place(owner: Letter, backup: Letter, processIndex: number): string {
  if (!isLetter(owner)) throw new RangeError(`"${owner}" is not a server's letter (a-z A-Z 0-9)`);
  if (backup !== "-" && !isLetter(backup))
    throw new RangeError(`"${backup}" is not a server's letter or "-"`);
  if (!(Number.isInteger(processIndex) && processIndex >= 0 && processIndex <= processIndexMax))
    throw new RangeError(`no process index ${processIndex}`);
  return `${owner}${backup}${alphabet[processIndex]}`;
}

function isLetter(letter: string): boolean {
  return letter.length === 1 && (sixBits[letter.charCodeAt(0)] ?? none) < lettersEnd;
}

/** Looks only at the characters; no hash is computed for a text that can't be an id. */
function hasShape(id: string): boolean {
  for (let i = 0; i < idLength; i++) {
    const code = id.charCodeAt(i);
    if (i === keyEnd ? code !== dot : code > 127 || sixBits[code] === none) return false;
  }
  return sixBits[id.charCodeAt(0)]! < lettersEnd;
}

/** A copy of its own. A slice keeps the whole request head alive for as long as the id is remembered. */
function unsliced(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

function parse(text: string): VerifiedId {
  return {
    text,
    owner: text.charAt(0),
    backup: text.charAt(1),
    processIndex: sixBits[text.charCodeAt(2)]!,
    slot: (sixBits[text.charCodeAt(3)]! << 6) | sixBits[text.charCodeAt(4)]!,
    key: text.slice(keyStart, keyEnd),
  };
}
