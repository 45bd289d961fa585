import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { findPlace } from "./free-ports.ts";

test("a used port is passed over, and so is one given away before", async (context) => {
  const server = createServer().listen(0, "127.0.0.1");
  context.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const taken = new Set<string>();
  const first = await findPlace({ address: "127.0.0.1", port }, taken);
  const second = await findPlace({ address: "127.0.0.1", port }, taken);
  assert.ok(first.port > port);
  assert.ok(second.port > first.port);
  assert.deepEqual([...taken], [`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`]);
});

test("an address of another machine becomes this one's", async () => {
  const place = await findPlace({ address: "192.0.2.1", port: 26_800 }, new Set());
  assert.equal(place.address, "127.0.0.1");
});
