/** The cluster port over real sockets and TLS on loopback. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { silentLog } from "../support/log.ts";
import { type Link, type StreamHandler, StreamKind, type StreamService } from "./api.ts";
import { dialOnce } from "./dialer.ts";
import { linkKeys } from "./keys.ts";
import { LinkListener } from "./listener.ts";

const echo: StreamService = {
  onStream(stream, meta, ended) {
    stream.write(`meta ${meta};`);
    if (ended) stream.end();
    return {
      onData(from, bytes) {
        from.write(bytes);
        from.consumed(bytes.length);
      },
      onEnd(from, trailer) {
        from.end(trailer);
      },
      onReset() {},
      onDrain() {},
    };
  },
};
const observer = { onUp() {}, onChange() {}, onDown() {} };
const keys = linkKeys(Buffer.alloc(32, 1), null);

test("smoke", async () => {
  const listener = new LinkListener({
    self: { name: "app-a", incarnation: "x" },
    address: "127.0.0.1",
    port: 0,
    keys,
    knows: () => true,
    services: new Map([[StreamKind.http, echo]]),
    observer,
    log: silentLog,
  });
  await listener.listen();
  const link: Link = await dialOnce({
    self: { name: "@cli", incarnation: "y" },
    expected: "app-a",
    address: "127.0.0.1",
    port: listener.port,
    keys,
    services: new Map(),
    log: silentLog,
    timeoutMs: 3000,
  });
  let text = "";
  await new Promise<void>((resolve) => {
    const handler: StreamHandler = {
      onData(s, b) {
        text += b.toString();
        s.consumed(b.length);
      },
      onEnd(_s, t) {
        text += t;
        resolve();
      },
      onReset(_s, c, m) {
        text += `reset ${c} ${m}`;
        resolve();
      },
      onDrain() {},
    };
    const s = link.open(StreamKind.http, "hi", false, handler)!;
    s.write("body ");
    s.write(Buffer.from("more"));
    s.end("trail");
  });
  assert.equal(text, "meta hi;body moretrail");
  assert.equal(link.streamCount, 0);
  await listener.close();
  void once;
});
