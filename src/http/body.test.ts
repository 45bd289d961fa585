/** Where bodies end, and bodies that must be refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { http } from "../support/limits.ts";
import { BodyDecoder, type BodyKind } from "./body.ts";

interface Outcome {
  body: string;
  taken: number;
  done: boolean;
  error: string;
  trailer: string;
}

/** Feeds the text in pieces of the given sizes (the last one repeats). */
function decode(kind: BodyKind, length: number, text: string, sizes: number[] = [text.length || 1]): Outcome {
  const decoder = new BodyDecoder();
  decoder.begin(kind, length);
  const bytes = Buffer.from(text, "latin1");
  let body = "";
  let taken = 0;
  const sink = {
    onBodyBytes(part: Buffer): void {
      body += part.toString("latin1");
    },
  };
  for (let at = 0, i = 0; at < bytes.length && !decoder.done; i++) {
    const end = Math.min(bytes.length, at + (sizes[i] ?? sizes[sizes.length - 1]!));
    const count = decoder.push(bytes, at, end, sink);
    if (count < 0) break;
    taken += count;
    at = end;
  }
  assert.equal(decoder.receivedBytes, body.length);
  return { body, taken, done: decoder.done, error: decoder.error, trailer: decoder.trailer };
}

function refused(text: string, error: RegExp): void {
  for (const sizes of [[text.length], [1]]) {
    const outcome = decode("chunked", 0, text, sizes);
    assert.match(outcome.error, error, JSON.stringify(text));
    assert.equal(outcome.done, false);
  }
}

test("kinds of bodies stop exactly behind the body", () => {
  assert.deepEqual(decode("none", 0, "GET"), { body: "", taken: 0, done: true, error: "", trailer: "" });
  assert.deepEqual(decode("length", 0, "GET"), { body: "", taken: 0, done: true, error: "", trailer: "" });
  assert.deepEqual(decode("length", 3, "abcGET"), {
    body: "abc",
    taken: 3,
    done: true,
    error: "",
    trailer: "",
  });
  const chunked = decode("chunked", 0, '3\r\nabc\r\n00A;x="y z"\r\n0123456789\r\n0\r\n\r\nGET');
  assert.deepEqual(chunked, { body: "abc0123456789", taken: 38, done: true, error: "", trailer: "" });
  assert.equal(decode("close", 0, "abc").done, false);
});

test("early close", () => {
  const sink = { onBodyBytes(): void {} };
  const decoder = new BodyDecoder();
  decoder.begin("close", 0);
  decoder.push(Buffer.from("abc"), 0, 3, sink);
  assert.equal(decoder.closeEnd(), true);
  assert.equal(decoder.done, true);
  for (const [kind, length] of [
    ["length", 4],
    ["chunked", 0],
  ] as const) {
    decoder.begin(kind, length);
    decoder.push(Buffer.from("1\r\n"), 0, 3, sink);
    assert.equal(decoder.closeEnd(), false);
    assert.match(decoder.error, /in the middle/);
    assert.equal(decoder.push(Buffer.from("1"), 0, 1, sink), -1);
  }
});

test("A9 chunk line ends", () => {
  refused("1;a\nZ\r\n0\r\n\r\n", /control byte/);
  refused("1\nZ\r\n0\r\n\r\n", /followed by neither/);
  refused("1\r\nZQQ", /does not end with CR LF/);
  refused("1\r\nZ\n0\r\n\r\n", /does not end with CR LF/);
  refused("1\r\rZ", /does not end with CR LF/);
  refused("1\r\nZ\r0", /does not end with CR LF/);
  refused("1;a\rb\r\nZ", /does not end with CR LF/);
  refused("0\r\n\rX", /CR stands without its LF/);
  refused("0\r\n\n", /control byte/);
});

test("A10 chunk sizes", () => {
  for (const size of ["+1", " 1", "", "-1", "x", ";a", "\t1", "G"])
    refused(`${size}\r\n0\r\n\r\n`, /hexadecimal size/);
  for (const size of ["0x1", "1 ", "1_0", "1,", "1 ;a", "1.0"]) refused(`${size}\r\n`, /followed by neither/);
  for (const size of ["11111111111111111", "00000000000000001", "FFFFFFFFFFFFFFFF", "20000000000000"])
    refused(`${size}\r\n`, /out of bounds/);
  assert.equal(decode("chunked", 0, "0000000000000001\r\nZ\r\n000\r\n\r\n").body, "Z");
  assert.equal(decode("chunked", 0, "aB\r\n").error, "");
});

test("A11 chunk extensions are capped, one by one and together", () => {
  refused(`1;${"x".repeat(http.chunkLineBytesMax + 1)}\r\nZ\r\n`, /extensions are too long/);
  const line = `1;${"x".repeat(200)}\r\nZ\r\n`;
  refused(line.repeat(Math.ceil(http.chunkExtensionBytesMax / 200) + 1), /extensions are too long/);
  const few = `${line.repeat(10)}0\r\n\r\n`;
  assert.equal(decode("chunked", 0, few).done, true);
});

test("A12 trailers that may go on, and those that are dropped", () => {
  const trailer = (lines: string) => decode("chunked", 0, `0\r\n${lines}\r\n`).trailer;
  assert.equal(trailer("Server-Timing: a\r\nX-Sum:  1 \r\n"), "Server-Timing\na\nX-Sum\n1");
  const names = [
    "Content-Length",
    "Host",
    "Authorization",
    "Transfer-Encoding",
    "cookie",
    "Set-Cookie",
    "Connection",
  ];
  names.push(
    "X-Forwarded-For",
    "forwarded",
    "If-Match",
    "Content-Type",
    "X_a",
    "Upgrade",
    "TE",
    "Trailer",
    "X-Request-Id",
  );
  for (const name of names) {
    assert.equal(trailer(`${name}: 1\r\n`), "", name);
    assert.equal(trailer(`A: b\r\n${name}: 1\r\nC: d\r\n`), "A\nb\nC\nd", name);
  }
});

test("A12 trailers are read as strictly as a head", () => {
  for (const line of ["X : 1", " X: 1", "nocolon", ": 1"]) refused(`0\r\n${line}\r\n\r\n`, /not a field/);
  for (const line of ["X: \0", "X\n: 1", "X: 1\nY: 2"]) refused(`0\r\n${line}\r\n\r\n`, /control byte/);
  refused("0\r\nX: 1\r\r\n\r\n", /CR LF/);
  refused("0\r\nX: 1\rY: 2\r\n\r\n", /CR LF/);
  refused(`0\r\nX: ${"y".repeat(http.trailerBytesMax)}\r\n\r\n`, /too large/);
  const most = `X: ${"y".repeat(http.trailerBytesMax - 5)}\r\n`;
  assert.equal(decode("chunked", 0, `0\r\n${most}\r\n`).done, true);
});

test("a decoder used again keeps nothing of the body before", () => {
  const decoder = new BodyDecoder();
  const parts: string[] = [];
  const sink = { onBodyBytes: (bytes: Buffer) => void parts.push(bytes.toString()) };
  for (const text of ["2;a\r\nab\r\n0\r\nX: y\r\n\r\n", "zz", "1\r\nc\r\n0\r\n\r\n"]) {
    decoder.begin("chunked", 0);
    decoder.push(Buffer.from(text), 0, text.length, sink);
  }
  assert.equal(decoder.done, true);
  assert.equal(decoder.trailer, "");
  assert.equal(decoder.error, "");
  assert.equal(decoder.receivedBytes, 1);
  assert.deepEqual(parts, ["ab", "c"]);
});

test("the outcome does not depend on how the bytes were cut", () => {
  const chunk = fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" });
  const extension = fc.constantFrom("", ";a", ";a=b;c", ';q="x"');
  const chunks = fc.array(fc.tuple(chunk, extension), { maxLength: 6 });
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 30 });
  const damage = fc.option(fc.tuple(fc.nat(), fc.constantFrom("", "\n", "\r", "0", ";", "\0", "X")), {
    freq: 2,
  });
  fc.assert(
    fc.property(
      chunks,
      fc.constantFrom("", "A: b\r\n", "Host: x\r\nC:d\r\n"),
      sizes,
      damage,
      (list, trailer, cuts, hit) => {
        let text = list.map(([data, ext]) => `${data.length.toString(16)}${ext}\r\n${data}\r\n`).join("");
        text += `0\r\n${trailer}\r\nNEXT`;
        if (hit !== null) {
          const at = hit[0] % text.length;
          text = text.slice(0, at) + hit[1] + text.slice(at + 1);
        }
        const whole = decode("chunked", 0, text);
        const { taken, ...cut } = decode("chunked", 0, text, cuts);
        const { taken: takenWhole, ...expected } = whole;
        assert.deepEqual(cut, expected);
        if (expected.error === "") assert.equal(taken, takenWhole);
        if (hit === null) assert.equal(whole.body, list.map(([data]) => data).join(""));
      },
    ),
    { seed: 9, numRuns: 2_000 },
  );
});
