import assert from "node:assert/strict";
import { test } from "node:test";
import { seenInWords, seenServers } from "./seen-servers.ts";
import type { ServerView } from "./server-news.ts";

function view(name: string, some: Partial<ServerView> = {}): ServerView {
  const up = { state: "up", reason: "", forMs: 3_200, takesRequests: true, inFlight: 2 } as const;
  return { name, ...up, weight: 1, fullWeight: 1, slowness: 1, load: "", latencyMs: 1.26, ...some };
}

test("workers that see the same are one", () => {
  const [seen] = seenServers([view("app-a"), view("app-a")]);
  assert.deepEqual(seen, {
    ...{
      name: "app-a",
      state: "up",
      reason: "",
      forMs: 3_200,
      share: 1,
      workers: 2,
      inFlight: 4,
      latencyMs: 1.3,
      slowness: 1,
      load: "",
    },
  });
  assert.equal(seenInWords(seen!, 2), "");
});

test("one that has much else to do is told in its own words, the slowest", () => {
  const load = "2.1 times its usual time: waits 52% of the time that it wants a CPU";
  const views = [view("app-a"), view("app-a", { slowness: 2.1, load }), view("app-a", { load: "as usual" })];
  assert.equal(seenInWords(seenServers(views)[0]!, 3), `app-a takes ${load}`);
});

test("where they differ the worst is told, with how many see it", () => {
  const down = view("app-b", { state: "down", reason: "silent for 700 ms" });
  const told = (...views: ServerView[]): string => seenInWords(seenServers(views)[0]!, views.length);
  assert.equal(told(view("app-b"), down), "app-b is down for 3 s: silent for 700 ms (1 of 2 workers)");
  assert.equal(told(down), "app-b is down for 3 s: silent for 700 ms");
  assert.equal(
    told(view("app-b", { state: "recovering", reason: "ECONNREFUSED", forMs: 300_000 })),
    "app-b is down for 5 min, and is tried: ECONNREFUSED",
  );
  assert.equal(
    told(view("app-b", { state: "slow-start", weight: 0.34 })),
    "app-b starts slowly for 3 s: it gets 34% of its share",
  );
  assert.equal(
    told(view("app-b"), view("app-b", { reason: "it has requests waiting and answers nothing" })),
    "app-b is up: it has requests waiting and answers nothing (1 of 2 workers)",
  );
  const reason = "no new visitors get there, for its weight is 0 (its agent says it)";
  for (const state of ["up", "slow-start"] as const)
    assert.equal(told(view("app-b", { state, reason, weight: 0, fullWeight: 0 })), `app-b is up: ${reason}`);
  assert.equal(
    told(view("app-b", { state: "maintenance", reason: "an operator wants it" })),
    "app-b is in maintenance for 3 s: an operator wants it",
  );
});
