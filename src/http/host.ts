/**
 * The Host field (RFC 9110 section 7.2): a DNS name, an IPv4 address or a bracketed IPv6 address, then perhaps a
 * port from 1 to 65535. What RFC 3986 allows in a reg-name besides (percent-encoding, sub-delims, an empty
 * name, label or port) never stands in a host that a site is known by, and is refused. One host has one form: rules
 * and cache keys must not be got round by another spelling of it.
 */
import { isIPv6 } from "node:net";
import { ByteClass, byteClasses, COLON } from "./fields.ts";

const OPENING_BRACKET = 0x5b;
const portMax = 65_535;

/**
 * @param authority the field's value.
 * @returns the host without the port, in lower case, without the dot that may end a full DNS name (RFC 1034 section
 * 3.1), an IPv6 address in its shortest form (RFC 5952); "" when the value is not a host.
 */
export function hostOf(authority: string): string {
  const isAddress = authority.charCodeAt(0) === OPENING_BRACKET;
  const hostEnd = isAddress ? bracketEnd(authority) : nameEnd(authority);
  if (hostEnd <= 0) return "";
  if (hostEnd < authority.length && !isPort(authority, hostEnd)) return "";
  const host = authority.slice(0, hostEnd).toLowerCase();
  if (isAddress) return new URL(`http://${host}/`).hostname;
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  return emptyLabel.test(name) ? "" : name;
}

const emptyLabel = /^\.|\.\.|\.$|^$/;

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
