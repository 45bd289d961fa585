/**
 * An address as 32 well-mixed bits. Of IPv4 that is all of it; of IPv6 the first 64 bits, for whoever has one address there has
 * them all, are hashed. Two clients that meet in one key are kept at one server, which harms neither.
 */
import { clientKey } from "../actions/rate-limit.ts";

/** @param address as `clientAddressOf` gives it. */
export function addressKey(address: string): number {
  if (!address.includes(":")) return mixed(wordOf(address));
  let key = 0;
  for (const group of clientKey(address).split(":")) key = mixed(key ^ Number.parseInt(group, 16));
  return key;
}

function wordOf(address: string): number {
  let word = 0;
  let part = 0;
  for (let at = 0; at < address.length; at++) {
    const code = address.charCodeAt(at);
    if (code === 46) {
      word = (word << 8) | part;
      part = 0;
    } else part = part * 10 + code - 48;
  }
  return (word << 8) | part;
}

/** The finalizer of MurmurHash3: each bit of what comes changes about half of what goes, and no two words become one. */
export function mixed(word: number): number {
  let bits = word;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
