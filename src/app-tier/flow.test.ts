/** Whatever the sizes of pieces and of the link's window: bodies arrive whole in both directions, and callbacks in order. */
import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryLink } from "../../test/harness/memory-link.ts";
import { attachServer } from "./virtual-listener.ts";

interface Piece {
  readonly bytes: number;
  readonly kind: "buffer" | "latin1" | "utf8" | "hex";
  readonly pause: "go on" | "tick" | "turn" | "drain";
}

const pieces: fc.Arbitrary<Piece[]> = fc.array(
  fc.record({
    bytes: fc.oneof(fc.nat(40), fc.nat(90_000)),
    kind: fc.constantFrom("buffer", "latin1", "utf8", "hex"),
    pause: fc.constantFrom("go on", "tick", "turn", "drain"),
  }),
  { maxLength: 12 },
);

function contentOf(piece: Piece, seed: number): Buffer {
  const bytes = Buffer.alloc(piece.bytes);
  for (let index = 0; index < bytes.length; index++) bytes[index] = 97 + ((index * 7 + seed) % 26);
  return bytes;
}

async function writeAll(res: http.ServerResponse, all: readonly Piece[], corked: boolean): Promise<number[]> {
  const called: number[] = [];
  res.writeHead(200, { Trailer: "X-End" });
  for (const [index, piece] of all.entries()) {
    const bytes = contentOf(piece, index);
    if (corked) res.cork();
    const done = (): void => void called.push(index);
    const more =
      piece.kind === "buffer"
        ? res.write(bytes, done)
        : res.write(bytes.toString(piece.kind), piece.kind, done);
    if (corked) res.uncork();
    if (piece.pause === "tick") await new Promise<void>((resolve) => process.nextTick(resolve));
    if (piece.pause === "turn") await new Promise((resolve) => setImmediate(resolve));
    if (piece.pause === "drain" && !more && res.writableNeedDrain)
      await new Promise((resolve) => res.once("drain", resolve));
  }
  res.addTrailers({ "X-End": "yes" });
  await new Promise<void>((resolve) => res.end(resolve));
  return called;
}

/** The chunks of a chunked body, joined. */
function unchunk(answer: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = answer.indexOf("\r\n\r\n") + 4;
  for (;;) {
    const lineEnd = answer.indexOf("\r\n", at);
    const size = Number.parseInt(answer.toString("latin1", at, lineEnd), 16);
    assert.ok(size >= 0, "a chunk size");
    if (size === 0) {
      assert.equal(answer.toString("latin1", at), "0\r\nX-End: yes\r\n\r\n");
      return Buffer.concat(parts);
    }
    parts.push(answer.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

test("random pieces through random windows", async () => {
  await fc.assert(
    fc.asyncProperty(
      pieces,
      pieces,
      fc.integer({ min: 1_000, max: 300_000 }),
      fc.boolean(),
      async (up, down, window, corked) => {
        const came: Buffer[] = [];
        let called: number[] = [];
        const server = http.createServer(async (req, res) => {
          for await (const bytes of req) came.push(bytes as Buffer);
          called = await writeAll(res, down, corked);
        });
        const service = attachServer(server, {
          address: "::1",
          port: 1,
          counter: { requests: 0 },
          compat: false,
          onClose() {},
        });
        const link = new MemoryLink(service, window);
        const answer: Buffer[] = [];
        await new Promise<void>((resolve, reject) => {
          const meta = [
            "POST",
            "/",
            "1.1",
            "http",
            "::1",
            "1",
            "::1",
            "80",
            "",
            "Host",
            "a",
            "Transfer-Encoding",
            "chunked",
          ];
          const stream = link.open(meta.join("\n"), false, {
            onData(own, bytes) {
              answer.push(Buffer.from(bytes));
              own.consumed(bytes.length);
            },
            onEnd: () => resolve(),
            onReset: (_stream, code) => reject(new Error(`reset ${code}`)),
            onDrain() {},
          });
          for (const [index, piece] of up.entries()) stream.write(contentOf(piece, index));
          stream.end();
        });
        assert.deepEqual(Buffer.concat(came), Buffer.concat(up.map(contentOf)));
        assert.deepEqual(unchunk(Buffer.concat(answer)), Buffer.concat(down.map(contentOf)));
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
        assert.deepEqual(called, [...down.keys()]);
      },
    ),
    { numRuns: 60, seed: 20_261 },
  );
});
