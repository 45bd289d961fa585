/**
 * The first frame in each direction: who speaks, to whom, and which versions of the protocol. Its form never
 * changes (bytes after the known ones are ignored), so that any two versions can at least refuse each other.
 */
import { creditMax, helloBytesMax, readUint32, writeUint32 } from "./wire.ts";

/** Versions of the protocol that this release speaks: its own and the one before (R38). docs/link.md lists what differs. */
export const ownVersions: VersionRange = { lowest: 1, highest: 2 };

export interface VersionRange {
  readonly lowest: number;
  readonly highest: number;
}

export interface Hello {
  readonly versions: VersionRange;
  readonly pid: number;
  /** First credit of the streams that the receiver of this hello opens. */
  readonly windowBytes: number;
  readonly name: string;
  readonly incarnation: string;
  /** The server that the dialing side means to reach; "" from the accepting side. */
  readonly expected: string;
}

const magic = 0x464c_4f54; // "FLOT"
const fixedBytes = 14;
const nameBytesMax = 128;

export function encodeHello(hello: Hello): Buffer {
  const bytes = Buffer.alloc(helloBytesMax);
  writeUint32(bytes, 0, magic);
  bytes[4] = hello.versions.lowest;
  bytes[5] = hello.versions.highest;
  writeUint32(bytes, 6, hello.pid);
  writeUint32(bytes, 10, hello.windowBytes);
  let at = fixedBytes;
  for (const text of [hello.name, hello.incarnation, hello.expected]) {
    const length = Buffer.byteLength(text);
    if (length > nameBytesMax) throw new RangeError(`A name of ${length} bytes: ${text}`);
    bytes[at] = length;
    bytes.write(text, at + 1);
    at += 1 + length;
  }
  return bytes.subarray(0, at);
}

/** @returns null when it is not a hello. */
export function parseHello(bytes: Buffer): Hello | null {
  if (bytes.length < fixedBytes || readUint32(bytes, 0) !== magic) return null;
  const versions = { lowest: bytes[4]!, highest: bytes[5]! };
  const windowBytes = readUint32(bytes, 10);
  if (versions.lowest === 0 || versions.lowest > versions.highest) return null;
  if (windowBytes === 0 || windowBytes > creditMax) return null;
  const texts: string[] = [];
  let at = fixedBytes;
  while (texts.length < 3) {
    const length = bytes[at];
    if (length === undefined || length > nameBytesMax || at + 1 + length > bytes.length) return null;
    const text = bytes.toString("utf8", at + 1, at + 1 + length);
    if (!/^[^\u0000-\u0020\u007f-\u00a0]*$/.test(text)) return null;
    texts.push(text);
    at += 1 + length;
  }
  const [name, incarnation, expected] = texts as [string, string, string];
  if (name === "" || incarnation === "") return null;
  return { versions, pid: readUint32(bytes, 6), windowBytes, name, incarnation, expected };
}

/** @returns the highest version that both speak, or 0. */
export function commonVersion(ours: VersionRange, theirs: VersionRange): number {
  const version = Math.min(ours.highest, theirs.highest);
  return version >= Math.max(ours.lowest, theirs.lowest) ? version : 0;
}

/**
 * Whether one side takes the other. The refusal is said to both, so it names both.
 * @param self.expected whom we dialed, or null on the accepting side.
 * @returns why not, or "".
 */
export function refusalOf(
  self: { readonly name: string; readonly versions: VersionRange; readonly expected: string | null },
  peer: Hello,
  knows: (name: string) => boolean,
): string {
  if (commonVersion(self.versions, peer.versions) === 0) {
    const older = self.versions.highest < peer.versions.highest ? self.name : peer.name;
    return `"${self.name}" speaks ${versionText(self.versions)} of the cluster protocol, "${peer.name}" ${versionText(peer.versions)}: upgrade "${older}" (releases one protocol version apart work together)`;
  }
  if (self.expected !== null) {
    return self.expected === peer.name ? "" : wrongServer(self.name, self.expected, peer.name);
  }
  if (peer.expected !== self.name) return wrongServer(peer.name, peer.expected, self.name);
  if (peer.name === self.name) {
    return `both ends are called "${self.name}": every server has a name of its own, and one process runs it`;
  }
  if (!knows(peer.name)) {
    return `"${self.name}" finds no server "${peer.name}" in its file: give both the same flotilla.yaml`;
  }
  return "";
}

function wrongServer(dialing: string, expected: string, reached: string): string {
  return `"${dialing}" dialed "${expected}" and reached "${reached}": give both the same flotilla.yaml, and each server the address that is its own`;
}

function versionText({ lowest, highest }: VersionRange): string {
  return lowest === highest ? `version ${highest}` : `versions ${lowest} to ${highest}`;
}
