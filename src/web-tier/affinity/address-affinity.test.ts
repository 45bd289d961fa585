/** `affinity: { by: client-address }` in several workers, in simulated time: where addresses go, and that all workers agree. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../../test/harness/link-pair.ts";
import type { MovedAddresses } from "../../member/moved-addresses.ts";
import { type Random, seededRandom } from "../../support/clock.ts";
import { affinity as limits } from "../../support/limits.ts";
import type { RoutedRequest } from "../routed-request.ts";
import type { Upstream } from "../upstream.ts";
import { AddressAffinity } from "./address-affinity.ts";
import { addressKey } from "./address-key.ts";
import { KeptAddresses } from "./kept-addresses.ts";

const keptMs = 60_000;
const tellMs = limits.tellMs + 5;

/** A server as all workers see it, all at the same time. */
class TestServer {
  readonly server: object;
  order: "ready" | "drain" | "maint" = "ready";
  isReachable = true;
  readonly placeInQueue = -1;
  readonly name: string;

  constructor(letter: string, more: object = {}) {
    this.name = `app-${letter}`;
    this.server = { name: this.name, letter, processIndex: 0, weight: 1, isBackup: false, ...more };
  }

  get health(): { readonly isOpen: boolean } {
    return { isOpen: this.order === "ready" };
  }

  get keeps(): boolean {
    return this.isReachable && this.order !== "maint";
  }
}

class Site {
  readonly clock = new FakeClock();
  /** Messages between workers, and addresses in them. */
  messages = 0;
  told = 0;
  servers: TestServer[];
  readonly workers: { kept: KeptAddresses; affinity: AddressAffinity }[];

  constructor(workers: number, servers: TestServer[]) {
    this.servers = servers;
    this.workers = Array.from({ length: workers }, () => {
      const kept = new KeptAddresses("app", this.clock);
      kept.tell = (moved) => this.#pass(moved);
      return { kept, affinity: this.#affinity(kept) };
    });
    for (const { affinity } of this.workers) affinity.update();
  }

  /** As after a reload. */
  serve(servers: TestServer[]): void {
    this.servers = servers;
    for (const worker of this.workers) worker.affinity = this.#affinity(worker.kept);
    this.update();
  }

  update(): void {
    for (const { affinity } of this.workers) affinity.update();
  }

  /** @returns the name of the server that gets it, or "". */
  ask(worker: number, address: string, tried: string = ""): string {
    const excluded = this.servers.find(({ name }) => name === tried) ?? null;
    const request = { addressKey: addressKey(address) } as RoutedRequest;
    const keeper = this.workers[worker]!.affinity.keeper(request, excluded as unknown as Upstream | null);
    return keeper?.name ?? "";
  }

  #affinity(kept: KeptAddresses): AddressAffinity {
    return new AddressAffinity(keptMs, this.servers as unknown as Upstream[], kept);
  }

  #pass(moved: MovedAddresses): void {
    this.messages++;
    this.told += moved.keys.length;
    this.clock.after(1, () => {
      for (const { kept } of this.workers) kept.hear(moved);
    });
  }
}

const serversOf = (letters: string): TestServer[] => [...letters].map((letter) => new TestServer(letter));
const addressOf = (at: number): string => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
const addresses = Array.from({ length: 3_000 }, (_, at) => addressOf(at));

function askAll(site: Site, worker: number, of: readonly string[] = addresses): Map<string, string> {
  return new Map(of.map((address) => [address, site.ask(worker, address)]));
}

function countOf(found: ReadonlyMap<string, string>, name: string): number {
  return [...found.values()].filter((server) => server === name).length;
}

test("addresses are spread, and all workers agree without a word", () => {
  const site = new Site(2, serversOf("abc"));
  const first = askAll(site, 0);
  for (const { name } of site.servers) assert.ok(Math.abs(countOf(first, name) - 1_000) < 100, name);
  assert.deepEqual(askAll(site, 1), first);
  site.clock.advance(keptMs * 3);
  assert.deepEqual(askAll(site, 1), first);
  assert.equal(site.messages, 0);
});

test("by the weights of the file; without weight and as a backup only what is left over", () => {
  const site = new Site(1, [
    new TestServer("a", { weight: 3 }),
    new TestServer("b"),
    new TestServer("c", { isBackup: true }),
  ]);
  const found = askAll(site, 0);
  assert.ok(Math.abs(countOf(found, "app-a") - 2_250) < 100, `${countOf(found, "app-a")}`);
  assert.equal(countOf(found, "app-c"), 0);
  for (const server of site.servers.slice(0, 2)) server.isReachable = false;
  assert.equal(countOf(askAll(site, 0), "app-c"), addresses.length);
  site.servers[2]!.isReachable = false;
  assert.equal(site.ask(0, "10.0.0.1"), "");
});

test("a new server gets new addresses; nobody moves, whichever worker is asked and when", () => {
  const site = new Site(2, serversOf("ab"));
  const known = addresses.slice(0, 2_000);
  const first = askAll(site, 0, known);
  site.serve([...site.servers, new TestServer("c")]);
  // At once, before the other worker can have been told.
  assert.deepEqual(askAll(site, 1, known.slice(0, 1_000)), new Map([...first].slice(0, 1_000)));
  site.clock.advance(limits.settleMs);
  assert.deepEqual(askAll(site, 1, known), first);
  const newcomers = addresses.slice(2_000);
  const found = askAll(site, 1, newcomers);
  assert.ok(Math.abs(countOf(found, "app-c") - 333) < 60, `${countOf(found, "app-c")}`);
  assert.deepEqual(askAll(site, 0, newcomers), found);
});

test("a draining server keeps its addresses and gets no new ones; one in maintenance loses them for good", () => {
  const site = new Site(2, serversOf("abc"));
  const known = addresses.slice(0, 1_500);
  const first = askAll(site, 0, known);
  const [gone] = site.servers;
  gone!.order = "drain";
  site.update();
  site.clock.advance(limits.settleMs);
  assert.deepEqual(askAll(site, 1, known), first);
  assert.equal(countOf(askAll(site, 1, addresses.slice(1_500)), gone!.name), 0);
  gone!.order = "maint";
  site.update();
  const moved = askAll(site, 0, known);
  assert.equal(countOf(moved, gone!.name), 0);
  for (const [address, name] of first) if (name !== gone!.name) assert.equal(moved.get(address), name);
  gone!.order = "ready";
  site.update();
  site.clock.advance(tellMs);
  assert.deepEqual(askAll(site, 1, known), moved, "they stay where they are now");
});

test("who was moved stays at the new server for the set time after the last request, in all workers", () => {
  const site = new Site(3, serversOf("ab"));
  const [home, other] = site.servers;
  const address = addresses.find((one) => site.ask(0, one) === home!.name)!;
  home!.isReachable = false;
  assert.equal(site.ask(0, address), other!.name);
  home!.isReachable = true;
  site.clock.advance(tellMs);
  for (let round = 0; round < 20; round++) {
    site.clock.advance(keptMs * 0.95);
    assert.equal(site.ask(1, address), other!.name, `round ${round}`);
    site.clock.advance(tellMs);
  }
  // One that was never asked knows it all the same, and for no longer than a sixteenth too much.
  assert.equal(site.ask(2, address), other!.name);
  site.clock.advance(keptMs * (1 + 1 / 16) + 100);
  for (const worker of [0, 1, 2]) assert.equal(site.ask(worker, address), home!.name);
});

test("two workers that moved an address differently at the same time agree soon", () => {
  const site = new Site(2, serversOf("abc"));
  const address = addresses[0]!;
  const home = site.ask(0, address);
  const [one, two] = site.servers.filter(({ name }) => name !== home);
  const at = site.servers.find(({ name }) => name === home)!;
  at.isReachable = two!.isReachable = false;
  site.ask(0, address);
  two!.isReachable = true;
  one!.isReachable = false;
  site.ask(1, address);
  at.isReachable = one!.isReachable = true;
  site.clock.advance(tellMs);
  const agreed = site.ask(0, address);
  assert.notEqual(agreed, home);
  assert.equal(site.ask(1, address), agreed);
});

test("a request that failed at its server goes to another one, and the next ones follow it", () => {
  const site = new Site(1, serversOf("abc"));
  const first = site.ask(0, "10.0.0.1");
  const second = site.ask(0, "10.0.0.1", first);
  assert.notEqual(second, first);
  assert.equal(site.ask(0, "10.0.0.1"), second);
});

test("whatever happens: an address whose server can keep it is never anywhere else", () => {
  for (let seed = 1; seed <= 20; seed++) simulate(seededRandom(seed), seed);
});

function simulate(random: Random, seed: number): void {
  const below = (count: number): number => Math.floor(random() * count);
  const site = new Site(3, serversOf("abcd"));
  const some = addresses.slice(0, 40);
  const at = new Map<string, string>();
  const usedAt = new Map<string, number>();
  const change = (): void => {
    const server = site.servers[below(site.servers.length)]!;
    const what = below(6);
    if (what === 0) server.isReachable = !server.isReachable;
    else if (what === 1) server.order = "drain";
    else if (what === 2) server.order = "maint";
    else if (what === 3 && site.servers.length < 8)
      return site.serve([...site.servers, new TestServer("efgh".charAt(site.servers.length - 4))]);
    else server.order = "ready";
    site.update();
  };
  for (let step = 0; step < 2_000; step++) {
    if (below(20) === 0) change();
    site.clock.advance(tellMs + below(500));
    const address = some[below(some.length)]!;
    const found = site.ask(below(3), address);
    const known = site.servers.find(({ name }) => name === at.get(address));
    const isRecent = site.clock.now() - (usedAt.get(address) ?? Number.NEGATIVE_INFINITY) < keptMs;
    if (isRecent && known?.keeps === true) assert.equal(found, known.name, `seed ${seed}, step ${step}`);
    if (found === "") continue;
    at.set(address, found);
    usedAt.set(address, site.clock.now());
  }
}

test("the table is bounded: the address whose last request is longest ago makes room", () => {
  const clock = new FakeClock();
  const kept = new KeptAddresses("app", clock, 1_024);
  kept.update([{ place: 1, seed: 0, weight: 1 }], keptMs);
  for (let key = 0; key < 2_000; key++) {
    clock.advance(100);
    kept.keep(key, 2, false);
    kept.find(0);
  }
  assert.equal(kept.find(1), -1);
  assert.equal(kept.find(0), 2);
  assert.equal(kept.find(1_999), 2);
});

test("of IPv6 the first 64 bits count, of IPv4 all", () => {
  const alike = ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:DB8:1:2::"].map(addressKey);
  assert.equal(new Set(alike).size, 1);
  const others = ["2001:db8:1:3::1", "2001:db8::1", "::1", "fe80::1%eth0"].map(addressKey);
  assert.equal(new Set([...alike, ...others]).size, 5);
  const all = new Set(addresses.map(addressKey));
  assert.equal(all.size, addresses.length);
});
