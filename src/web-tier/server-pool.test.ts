/** Which servers the policy of a cluster chooses from, as their states change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeCluster } from "../../test/harness/health.ts";
import type { Cluster } from "../config/model.ts";
import type { ServerHealth } from "../health/server-health.ts";
import { noNews, type ServerNews } from "../health/server-news.ts";
import { TimerWheel } from "../support/timer-wheel.ts";
import type { RoutedRequest } from "./routed-request.ts";
import { ServerPool } from "./server-pool.ts";
import type { Upstream } from "./upstream.ts";

/** As any upstream with room: the rest of it plays no part in a choice. */
class TestUpstream {
  readonly name: string;
  readonly health: ServerHealth;
  readonly server: object;
  readonly full = false;
  readonly inFlight = 0;
  readonly inFlightElsewhere = 0;

  constructor(health: ServerHealth, at: number) {
    this.health = health;
    this.name = `app-${at}`;
    this.server = { name: this.name, letter: "a", processIndex: at, isBackup: false };
  }

  get usable(): boolean {
    return this.health.usable;
  }

  get keeps(): boolean {
    return this.health.keeps;
  }

  get weight(): number {
    return this.health.weight;
  }

  get fullWeight(): number {
    return this.health.fullWeight;
  }
}

test("consistent-hash: while a server takes no strangers no path but its own moves, and these come back", () => {
  const kinds = Array.from({ length: 60 }, () => "link" as const);
  const { watch, servers } = new FakeCluster(kinds, { slowStartMs: 0, recoverTimeMs: 15_000 });
  const upstreams = servers.map((health, at) => new TestUpstream(health, at));
  const balance = { policy: "consistent-hash", by: "path", name: "", loadBound: 1.25 };
  const cluster = { name: "app", balance, affinity: null, sessions: null, retryBudget: 0.2 };
  const pool = new ServerPool(cluster as unknown as Cluster, upstreams as unknown as Upstream[], {
    ...{ secret: Buffer.alloc(32, 7), previousSecret: null, previous: null, addresses: null },
    ...{ queueTimeoutMs: 1_000, wheel: new TimerWheel(), watch },
  });
  const owners = (): string[] =>
    Array.from({ length: 5_000 }, (_, at) => {
      const request = { path: `/${at}`, cookie: "" };
      return pool.choose(request as RoutedRequest, null)!.name;
    });
  const before = owners();
  const own = servers[1]!;
  const hear = (news: Partial<ServerNews>) => () => own.hear({ ...noNews(own.name), ...news });
  const ways: readonly { readonly out: () => void; readonly back: () => void }[] = [
    { out: hear({ order: "drain" }), back: hear({}) },
    { out: hear({ order: "maint" }), back: hear({}) },
    { out: hear({ check: { passed: false, reason: "a test" } }), back: hear({}) },
    { out: () => own.lost("closed"), back: () => own.connected("one") },
    { out: () => own.leaving(), back: () => own.connected("one") },
    { out: () => own.judge("failing", "a test"), back: () => own.pardon() },
  ];
  for (const { out, back } of ways) {
    out();
    const during = owners();
    const moved = before.filter((owner, at) => during[at] !== owner);
    assert.ok(moved.length > 50);
    assert.deepEqual(new Set(moved), new Set(["app-1"]), `${own.state}: ${own.reason}`);
    back();
    assert.deepEqual(owners(), before);
  }
});
