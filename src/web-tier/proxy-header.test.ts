import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { proxyProtocol as limits } from "../support/limits.ts";
import { crc32c, parseProxyHeader } from "./proxy-header.ts";

const v2Signature = "\r\n\r\n\0\r\nQUIT\n";

function v2(command: number, family: number, content: Buffer): Buffer {
  const head = Buffer.from(`${v2Signature}\0\0\0\0`, "latin1");
  head[12] = command;
  head[13] = family;
  head.writeUInt16BE(content.length, 14);
  return Buffer.concat([head, content]);
}

const tcp4 = Buffer.from([192, 0, 2, 7, 10, 0, 0, 1, 0x9c, 0xb0, 0x01, 0xbb]);
const ends4 = { address: "192.0.2.7", port: 40_112, localAddress: "10.0.0.1", localPort: 443 };
const tcp6 = Buffer.concat([
  Buffer.from("20010db8000000000000000000000007", "hex"),
  Buffer.from("00000000000000000000ffffc0000207", "hex"),
  tcp4.subarray(8),
]);
const ends6 = { address: "2001:db8::7", port: 40_112, localAddress: "::ffff:192.0.2.7", localPort: 443 };

function tlv(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 255]), value]);
}

const good: readonly [string, Buffer, object | null][] = [
  ["v1 IPv4", Buffer.from("PROXY TCP4 192.0.2.7 10.0.0.1 40112 443\r\n"), ends4],
  ["v1 IPv6", Buffer.from("PROXY TCP6 2001:db8::7 ::ffff:192.0.2.7 40112 443\r\n"), ends6],
  ["v1 UNKNOWN", Buffer.from("PROXY UNKNOWN\r\n"), null],
  ["v1 UNKNOWN with more", Buffer.from("PROXY UNKNOWN ffff::1 what 1\r\n"), null],
  ["v1 UNKNOWN, the longest", Buffer.from(`PROXY UNKNOWN ${"x".repeat(91)}\r\n`), null],
  ["v2 IPv4", v2(0x21, 0x11, tcp4), ends4],
  ["v2 IPv6", v2(0x21, 0x21, tcp6), ends6],
  [
    "v2 with extensions",
    v2(0x21, 0x11, Buffer.concat([tcp4, tlv(1, Buffer.from("h2")), tlv(4, Buffer.alloc(9))])),
    ends4,
  ],
  ["v2 LOCAL", v2(0x20, 0x00, Buffer.alloc(0)), null],
  ["v2 LOCAL with anything", v2(0x20, 0x31, Buffer.from("skip me")), null],
  ["v2 of no family", v2(0x21, 0x00, Buffer.alloc(0)), null],
  ["v2, the longest", v2(0x20, 0x00, Buffer.alloc(limits.headerBytesMax - 16)), null],
];

test("the check value of CRC-32C", () => {
  assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
});

test("whole headers, and in any pieces: the same, and never a byte too early or too late", () => {
  for (const [name, bytes, ends] of good) {
    const followed = Buffer.concat([bytes, Buffer.from("GET / HTTP/1.1\r\n\r\n")]);
    assert.deepEqual(parseProxyHeader(followed), { length: bytes.length, ends }, name);
    for (let length = 0; length < bytes.length; length++)
      assert.equal(parseProxyHeader(bytes.subarray(0, length)), null, `${name}, ${length} bytes of it`);
  }
});

test("a checksum has to be right", () => {
  const bytes = v2(0x21, 0x11, Buffer.concat([tcp4, tlv(3, Buffer.alloc(4))]));
  bytes.writeUInt32BE(crc32c(bytes), bytes.length - 4);
  assert.deepEqual(parseProxyHeader(bytes), { length: bytes.length, ends: ends4 });
  bytes[16]! ^= 1;
  assert.match(String(parseProxyHeader(bytes)), /checksum/);
  assert.match(
    String(parseProxyHeader(v2(0x21, 0x11, Buffer.concat([tcp4, tlv(3, Buffer.alloc(3))])))),
    /checksum/,
  );
});

test("A17 what is no header of TCP is refused", () => {
  const line = (text: string): Buffer => Buffer.from(`PROXY ${text}\r\n`, "latin1");
  const wrong: readonly Buffer[] = [
    Buffer.from("GET / HTTP/1.1\r\n"),
    Buffer.from("\x16\x03\x01"),
    Buffer.from("proxy TCP4"),
    Buffer.from(" PROXY TCP4"),
    line("TCP4 192.0.2.7 10.0.0.1 40112"),
    line("TCP4 192.0.2.7 10.0.0.1 40112 443 "),
    line("TCP4  192.0.2.7 10.0.0.1 40112 443"),
    line("TCP4 192.0.2.07 10.0.0.1 40112 443"),
    line("TCP4 ::1 ::1 40112 443"),
    line("TCP6 192.0.2.7 10.0.0.1 40112 443"),
    line("TCP6 fe80::1%eth0 ::1 40112 443"),
    line("TCP4 192.0.2.7 10.0.0.1 65536 443"),
    line("TCP4 192.0.2.7 10.0.0.1 0443 443"),
    line("TCP4 192.0.2.7 10.0.0.1 +443 443"),
    line("UDP4 192.0.2.7 10.0.0.1 40112 443"),
    Buffer.from(`PROXY UNKNOWN ${"x".repeat(92)}\r\n`),
    v2(0x11, 0x11, tcp4),
    v2(0x22, 0x11, tcp4),
    v2(0x21, 0x12, tcp4),
    v2(0x21, 0x22, tcp6),
    v2(0x21, 0x31, Buffer.alloc(216)),
    v2(0x21, 0x01, tcp4),
    v2(0x21, 0x11, tcp4.subarray(1)),
    v2(0x21, 0x21, tcp4),
    v2(0x21, 0x11, Buffer.concat([tcp4, Buffer.from([1])])),
    v2(0x21, 0x11, Buffer.concat([tcp4, Buffer.from([1, 0, 2, 0])])),
    v2(0x20, 0x00, Buffer.alloc(limits.headerBytesMax - 15)),
  ];
  for (const bytes of wrong)
    assert.equal(typeof parseProxyHeader(bytes), "string", JSON.stringify(bytes.latin1Slice()));
});

test("whatever comes: an answer, no later than the longest header", () => {
  const begin = fc.constantFrom("", "PROXY ", "PROXY TCP4 ", v2Signature, `${v2Signature}!\x11`);
  fc.assert(
    fc.property(begin, fc.uint8Array({ maxLength: 300 }), (text, more) => {
      const bytes = Buffer.concat([Buffer.from(text, "latin1"), more]);
      const found = parseProxyHeader(bytes);
      if (found === null) assert.ok(bytes.length < limits.headerBytesMax);
      else if (typeof found !== "string") assert.ok(found.length <= bytes.length);
      // What was decided stays so, whatever follows.
      if (found !== null) assert.deepEqual(parseProxyHeader(Buffer.concat([bytes, Buffer.alloc(9)])), found);
    }),
    { seed: 17, numRuns: 2_000 },
  );
});
