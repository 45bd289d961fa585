/** Sessions in Redis keep the rules of all engines, with each client that may be given, and those of all stores. */

import { after, before, describe } from "node:test";
import { Redis as Ioredis } from "ioredis";
import { createClient } from "redis";
import {
  type EngineSuite,
  engineConformance,
  sessionConformance,
} from "../../src/session/conformance/index.ts";
import type { SessionEngine } from "../../src/session/stores/engine.ts";
import { redisStore } from "../../src/session/stores/redis/index.ts";
import { Redis, whyNoRedis } from "../harness/redis.ts";

describe("Redis", { skip: whyNoRedis() ?? false }, () => {
  let server: Redis;
  let made = 0;
  before(async () => {
    server = await Redis.start();
  });
  after(() => server.remove());

  const clients: Readonly<Record<string, (prefix: string) => SessionEngine>> = {
    "Redis by a url": (prefix) => redisStore({ url: server.url, prefix }),
    "Redis by a client of redis": (prefix) =>
      redisStore({ client: createClient({ url: server.url }), prefix }),
    "Redis by a client of ioredis": (prefix) =>
      redisStore({ client: new Ioredis(server.url, { lazyConnect: true, keyPrefix: "shop:" }), prefix }),
  };
  for (const [name, connect] of Object.entries(clients)) {
    const suite: EngineSuite = {
      name,
      waitingRulesAtOnce: 4,
      open: async () => {
        const prefix = `test[${made++}]:`;
        return { connect: () => connect(prefix), end: () => Promise.resolve() };
      },
    };
    engineConformance(suite);
    if (name === "Redis by a url") sessionConformance(suite);
  }
});
