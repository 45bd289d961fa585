/** A channel that breaks while it is made leaves no connection behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RedisClient, RedisSource } from "./client.ts";
import type { RedisConnection } from "./connection.ts";
import { RedisNotices } from "./notices.ts";

test("the commands' connection is lost before there is one for notices: none is made", async () => {
  let lose: (cause: unknown) => void = () => {};
  const connection = {
    name: "Redis at 10.0.0.5:6379",
    whenLost(listener: (cause: unknown) => void) {
      lose = listener;
      return () => {};
    },
  } as unknown as RedisConnection;
  let connected = 0;
  const client = { connect: async () => void connected++ } as unknown as RedisClient;
  const source = {
    make: async () => {
      lose(new Error("the cable was pulled"));
      return client;
    },
  } as unknown as RedisSource;
  await assert.rejects(
    RedisNotices.open(source, connection, "channel", () => {}),
    {
      ...{ outcome: "nothing", message: /Redis at 10\.0\.0\.5:6379 .*the cable was pulled/ },
    },
  );
  assert.equal(connected, 0);
});
