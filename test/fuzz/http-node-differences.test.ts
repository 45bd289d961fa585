/**
 * The same bytes for our parser and for Node's own (llhttp, in its default form): where the two differ, the table says
 * why. A line of the table that stops being true fails, so that a newer Node is noticed.
 */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { Duplex } from "node:stream";
import { after, test } from "node:test";
import { type HeadLimits, parseRequestHead, RequestHead } from "../../src/http/request-head.ts";

const limits: HeadLimits = { headBytesMax: 16_384, fieldsMax: 100, targetBytesMax: 8_192 };
const server: Server = createServer();
after(() => server.close());

const G = "GET / HTTP/1.1\r\nHost: a\r\n";
const P = "POST / HTTP/1.1\r\nHost: a\r\n";

/** Both accept, and see the same method, target and framing. */
const alike: [string, string][] = [
  ["plain", `${G}\r\n`],
  ["HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n"],
  ["one empty line in front", `\r\n${G}\r\n`],
  ["length", `${P}Content-Length: 0\r\n\r\n`],
  ["chunked", `${P}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ["Chunked with blanks", `${P}Transfer-Encoding: \t Chunked \t\r\n\r\n0\r\n\r\n`],
  ["obs-text in a value", `${G}X: \xe4\r\n\r\n`],
  ["PROPFIND", `PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"],
];

/** Both refuse. */
const refusedByBoth: [string, string][] = [
  ["A1 length and chunked", `${P}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ["A2 chunked, identity", `${P}Transfer-Encoding: chunked, identity\r\n\r\n`],
  ["A6 plus sign", `${P}Content-Length: +1\r\n\r\n`],
  ["A6 two lengths", `${P}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`],
  ["A6 list", `${P}Content-Length: 1,1\r\n\r\n`],
  ["A6 too large", `${P}Content-Length: 18446744073709551617\r\n\r\n`],
  ["A7 bare CR", `${G}X: a\rb\r\n\r\n`],
  ["A7 bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n"],
  ["A8 folded", `${G}X: a\r\n b\r\n\r\n`],
  ["A21 byte over 0x7f", "GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["A13 blank before the colon", `${G}X : 1\r\n\r\n`],
  ["A13 empty name", `${G}: 1\r\n\r\n`],
  ["A14 NUL", `${G}X: a\0b\r\n\r\n`],
  ["A18 no Host", "GET / HTTP/1.1\r\n\r\n"],
  ["lower-case method", "get / HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
];

/** We refuse (with this code) what Node accepts. */
const stricter: [string, string, string, string][] = [
  [
    "A2 empty element",
    `${P}Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n`,
    "BAD_TRANSFER_CODING",
    "others read it as no coding",
  ],
  [
    "A2 identity",
    `${P}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n`,
    "BAD_TRANSFER_CODING",
    "RFC 9112 has no identity",
  ],
  [
    "A2 gzip",
    `${P}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    "TRANSFER_CODING_UNKNOWN",
    "nobody would undo it",
  ],
  [
    "A3",
    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "CODING_ON_HTTP10",
    "an HTTP/1.0 hop ignores it",
  ],
  ["A18 two Hosts", `${G}Host: b\r\n\r\n`, "TWO_HOSTS", "Node takes the first, others the last"],
  ["A18 odd Host", "GET / HTTP/1.1\r\nHost: a/b@c\r\n\r\n", "BAD_HOST", "Node does not look at the value"],
  ["A19 mismatch", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "HOST_MISMATCH", "two readers, two hosts"],
  ["A21 backslash", "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", "BAD_TARGET_BYTE", "some take it for a slash"],
  [
    "A21 fragment",
    "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "BAD_TARGET_BYTE",
    "never sent by a client that follows the RFC",
  ],
  ["A21 percent", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "BAD_PERCENT", "decoders differ"],
  [
    "A21 above the root",
    "GET /../a HTTP/1.1\r\nHost: a\r\n\r\n",
    "PATH_ABOVE_ROOT",
    "no honest client sends it",
  ],
  [
    "A5 expectation",
    `${P}Content-Length: 1\r\nExpect: x\r\n\r\nx`,
    "EXPECTATION",
    "left to the app's checkExpectation there",
  ],
  [
    "A16 framing named",
    `${G}Connection: Host\r\n\r\n`,
    "CONNECTION_NAMES_FRAMING",
    "Node does not forward, so does not mind",
  ],
  ["HTTP/0.9", "GET /\r\n\r\n", "NO_VERSION", "no head, no status: no way to tell an error"],
  ["TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "METHOD_REFUSED", "it echoes cookies"],
  ["two empty lines in front", `\r\n\r\n${G}\r\n`, "EMPTY_LINES", "one is for old clients, more are noise"],
];

/** We accept what Node refuses. */
const milder: [string, string, string][] = [
  [
    "a method Node does not know",
    "VERSION-CONTROL / HTTP/1.1\r\nHost: a\r\n\r\n",
    "plain HTTP app servers may know it",
  ],
];

function ours(text: string): { code: string; seen: string } {
  const bytes = Buffer.from(text, "latin1");
  const head = new RequestHead();
  const length = parseRequestHead(bytes, 0, bytes.length, limits, head);
  if (length <= 0) return { code: head.error?.code.replace("FLOTILLA_HTTP_", "") ?? "incomplete", seen: "" };
  return { code: "", seen: `${head.method} ${head.target} ${head.chunked ? "chunked" : head.contentLength}` };
}

/** What a server of Node makes of the bytes: "" and what it saw, or its error code. */
function nodes(text: string): Promise<{ code: string; seen: string }> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = new Duplex({
      read() {},
      write(part: Buffer, _encoding, done) {
        answer += part.toString("latin1");
        done();
      },
    });
    const settle = (code: string, seen: string) => {
      server
        .removeAllListeners("request")
        .removeAllListeners("checkExpectation")
        .removeAllListeners("clientError");
      socket.destroy();
      resolve({ code, seen });
    };
    const onRequest = ({ method, url, headers }: IncomingMessage) =>
      settle(
        "",
        `${method} ${url} ${headers["transfer-encoding"] === undefined ? (headers["content-length"] ?? -1) : "chunked"}`,
      );
    server.once("request", onRequest);
    server.once("checkExpectation", onRequest);
    server.once("clientError", (error: NodeJS.ErrnoException) => settle(error.code ?? "error", ""));
    // A missing Host is answered by the server itself, without an event.
    socket.once("finish", () => settle(answer.slice(9, 12) || "closed", ""));
    server.emit("connection", socket);
    socket.push(Buffer.from(text, "latin1"));
  });
}

test("accepted by both", async () => {
  for (const [name, text] of alike) {
    const [mine, node] = [ours(text), await nodes(text)];
    assert.equal(node.code, "", name);
    assert.deepEqual(mine, node, name);
  }
});

test("refused by both", async () => {
  for (const [name, text] of refusedByBoth) {
    assert.notEqual(ours(text).code, "", name);
    assert.notEqual((await nodes(text)).code, "", name);
  }
});

test("refused by us only", async () => {
  for (const [name, text, code, why] of stricter) {
    assert.equal(ours(text).code, code, `${name}: ${why}`);
    assert.equal((await nodes(text)).code, "", `Node refuses ${name} now: move it to refusedByBoth`);
  }
});

test("refused by Node only", async () => {
  for (const [name, text, why] of milder) {
    assert.equal(ours(text).code, "", `${name}: ${why}`);
    assert.notEqual((await nodes(text)).code, "", `Node accepts ${name} now: move it to alike`);
  }
});
