/**
 * The head of the PROXY protocol, versions 1 and 2, by which a balancer in front tells who the client is (HAProxy's
 * "The PROXY protocol", 2020/03/05). Read as strictly as a request: what is not understood closes the connection.
 */
import { isIPv4, isIPv6, SocketAddress } from "node:net";
import { proxyProtocol as limits } from "../support/limits.ts";

/** Both ends of a connection. */
export interface Ends {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
}

export interface ProxyHeader {
  readonly length: number;
  /** Null: the balancer speaks for itself (LOCAL, UNKNOWN), as in its health checks; the connection's own ends hold. */
  readonly ends: Ends | null;
}

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const v1Begin = Buffer.from("PROXY ", "latin1");
/** With its CR LF. */
const v1BytesMax = 107;

/** @param bytes from the connection's first byte on. @returns null: not complete yet; a text: why it is none. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | string | null {
  if (bytes.length === 0) return null;
  if (beginsLike(bytes, v1Begin)) return parseV1(bytes);
  if (beginsLike(bytes, signature)) return parseV2(bytes);
  return "it does not begin with a PROXY header";
}

function beginsLike(bytes: Buffer, begin: Buffer): boolean {
  const length = Math.min(bytes.length, begin.length);
  return bytes.compare(begin, 0, length, 0, length) === 0;
}

function parseV1(bytes: Buffer): ProxyHeader | string | null {
  const end = bytes.subarray(0, v1BytesMax).indexOf("\r\n");
  if (end < 0) return bytes.length < v1BytesMax ? null : "its PROXY line is longer than 107 bytes";
  const length = end + 2;
  const words = bytes.latin1Slice(0, end).split(" ");
  // What stands behind UNKNOWN is to be ignored.
  if (words[1] === "UNKNOWN") return { length, ends: null };
  const [, family, address = "", localAddress = "", port = "", localPort = ""] = words;
  const isAddress = family === "TCP4" ? isIPv4 : family === "TCP6" ? isPlainIPv6 : null;
  if (isAddress === null) return "its PROXY line names no family of TCP";
  if (words.length !== 6 || !isAddress(address) || !isAddress(localAddress))
    return "its PROXY line has no two addresses of its family";
  if (!isPort(port) || !isPort(localPort)) return "its PROXY line has no two ports";
  return { length, ends: { address, port: Number(port), localAddress, localPort: Number(localPort) } };
}

function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes("%");
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65_535;
}

const v2HeadBytes = 16;

function parseV2(bytes: Buffer): ProxyHeader | string | null {
  if (bytes.length > 12 && bytes[12]! >> 4 !== 2) return "its PROXY header is of an unknown version";
  if (bytes.length < v2HeadBytes) return null;
  const command = bytes[12]! & 0x0f;
  if (command > 1) return "its PROXY header has an unknown command";
  const length = v2HeadBytes + bytes.readUInt16BE(14);
  if (length > limits.headerBytesMax) return `its PROXY header is longer than ${limits.headerBytesMax} bytes`;
  const addressBytes = v2AddressBytes(bytes[13]!);
  if (command === 1 && addressBytes < 0) return "its PROXY header speaks of no TCP connection";
  if (command === 1 && length < v2HeadBytes + addressBytes)
    return "its PROXY header is too short for its addresses";
  if (bytes.length < length) return null;
  const header = bytes.subarray(0, length);
  // Of LOCAL all behind the first 16 bytes is to be skipped.
  if (command === 0) return { length, ends: null };
  const trouble = checkExtensions(header, v2HeadBytes + addressBytes);
  return trouble ?? { length, ends: v2Ends(header, addressBytes) };
}

/** @returns -1: not TCP over IPv4 or IPv6. */
function v2AddressBytes(family: number): number {
  if (family === 0x11) return 12;
  if (family === 0x21) return 36;
  return family === 0x00 ? 0 : -1;
}

function v2Ends(header: Buffer, addressBytes: number): Ends | null {
  if (addressBytes === 0) return null;
  const size = addressBytes === 12 ? 4 : 16;
  const ports = v2HeadBytes + 2 * size;
  return {
    address: addressAt(header, v2HeadBytes, size),
    port: header.readUInt16BE(ports),
    localAddress: addressAt(header, v2HeadBytes + size, size),
    localPort: header.readUInt16BE(ports + 2),
  };
}

function addressAt(bytes: Buffer, at: number, size: number): string {
  if (size === 4) return bytes.subarray(at, at + 4).join(".");
  const groups = Array.from({ length: 8 }, (_none, group) => bytes.readUInt16BE(at + 2 * group).toString(16));
  return new SocketAddress({ address: groups.join(":"), family: "ipv6" }).address;
}

const crcType = 0x03;

/** Type, length and value of each have to fill the header; a checksum has to be right. @returns why not, or null. */
function checkExtensions(header: Buffer, start: number): string | null {
  for (let at = start; at < header.length; ) {
    if (at + 3 > header.length) return "its PROXY header ends inside an extension";
    const valueAt = at + 3;
    const next = valueAt + header.readUInt16BE(at + 1);
    if (next > header.length) return "its PROXY header ends inside an extension";
    if (header[at] === crcType && (next - valueAt !== 4 || !isIntact(header, valueAt)))
      return "the checksum of its PROXY header is wrong";
    at = next;
  }
  return null;
}

/** Over the whole header, with zeros for the checksum itself. */
function isIntact(header: Buffer, crcAt: number): boolean {
  const zeroed = Buffer.from(header);
  zeroed.fill(0, crcAt, crcAt + 4);
  return crc32c(zeroed) === header.readUInt32BE(crcAt);
}

/** CRC-32C (Castagnoli). */
export function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
