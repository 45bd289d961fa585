import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import test from "node:test";
import type { TLSSocket } from "node:tls";
import { linkKeys } from "./keys.ts";
import { secureClient, secureServer } from "./secure.ts";
import { readShared } from "./shared-read.ts";

test("this version of Node reads encrypted sockets into a shared buffer", async (t) => {
  const keys = linkKeys(Buffer.alloc(32, 1), null);
  const secure = secureServer(keys, () => {});
  const server = createServer((socket) => void secure.emit("connection", socket));
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const raw: Socket = connect(
    typeof address === "object" && address !== null ? address.port : 0,
    "127.0.0.1",
  );
  t.after(() => raw.destroy());
  const client = secureClient(raw, keys.current);
  const [accepted] = (await once(secure, "secureConnection")) as [TLSSocket];

  const views: Buffer[] = [];
  let received = 0;
  const done = new Promise<void>((resolve) => {
    const reads = readShared(accepted, (bytes) => {
      views.push(bytes);
      received += bytes.length;
      if (received === 1_000_000) resolve();
    });
    assert.equal(reads, true, "kBuffer, kBufferCb or useUserBuffer has gone: reads would be fresh buffers");
  });
  client.write(Buffer.alloc(1_000_000, 7));
  await done;
  assert.ok(views.length > 1);
  assert.ok(
    views.every((view) => view.buffer === views[0]!.buffer && view.byteOffset === views[0]!.byteOffset),
  );
});
