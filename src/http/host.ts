/**
 * The Host field (RFC 9110 section 7.2): a DNS name, an IPv4 address or a bracketed IPv6 address, then perhaps a
 * port from 1 to 65535. What RFC 3986 allows in a reg-name besides (percent-encoding, sub-delims, an empty
 * name or port) never stands in a host that a site is known by, and is refused.
 */
import { isIPv6 } from "node:net";
import { ByteClass, byteClasses, COLON } from "./fields.ts";

const OPENING_BRACKET = 0x5b;
const portMax = 65_535;

/**
 * @param authority the field's value.
 * @returns the host, in lower case, without the port; "" when the value is not a host.
 */
export function hostOf(authority: string): string {
  const hostEnd = authority.charCodeAt(0) === OPENING_BRACKET ? bracketEnd(authority) : nameEnd(authority);
  if (hostEnd <= 0) return "";
  if (hostEnd < authority.length && !isPort(authority, hostEnd)) return "";
  return authority.slice(0, hostEnd).toLowerCase();
}

function nameEnd(authority: string): number {
  let at = 0;
  while (at < authority.length && hasClass(authority.charCodeAt(at), ByteClass.host)) at++;
  return at;
}

function bracketEnd(authority: string): number {
  const closing = authority.indexOf("]");
  // A zone ("fe80::1%eth0") means something on the client's machine only.
  const address = authority.slice(1, closing);
  return closing > 0 && !address.includes("%") && isIPv6(address) ? closing + 1 : 0;
}

/** ":" and a port from 1 to 65535, until the end. */
function isPort(authority: string, from: number): boolean {
  const digits = authority.length - from - 1;
  if (authority.charCodeAt(from) !== COLON || digits < 1 || digits > 5) return false;
  let port = 0;
  for (let at = from + 1; at < authority.length; at++) {
    const code = authority.charCodeAt(at);
    if (!hasClass(code, ByteClass.digit)) return false;
    port = port * 10 + (code - 0x30);
  }
  return port >= 1 && port <= portMax;
}

function hasClass(code: number, mask: number): boolean {
  return code < 128 && (byteClasses[code]! & mask) !== 0;
}
