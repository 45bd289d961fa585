import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterFile } from "../config/model.ts";
import { freePort } from "./free-port.ts";

test("a port that the file gives to a server, a witness or a listener is nobody else's", async () => {
  // Two of three ports are the file's: twenty lucky guesses in a row would be one in 3,000 million.
  const places = Array.from({ length: 65_536 }, (_, port) => ({ port })).filter(({ port }) => port % 3 !== 0);
  const app = { servers: places.slice(0, 20_000), listen: [], witness: null, health: null };
  const web = { servers: [], listen: places.slice(20_000), witness: places[0], health: places[1] };
  const file = { clusters: new Map(Object.entries({ app, web })) } as unknown as ClusterFile;
  for (let round = 0; round < 20; round++) {
    const port = await freePort(file, "127.0.0.1");
    assert.ok(port > 0 && port % 3 === 0, `port ${port} is the file's`);
  }
});
