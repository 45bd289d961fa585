import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, LogRecorder } from "../../test/harness/link-pair.ts";
import type { Server } from "../config/model.ts";
import type { Resolution } from "../plain/resolver.ts";
import { upstream as limits } from "../support/limits.ts";
import { UpstreamAddresses } from "./upstream-addresses.ts";

/** A server named "app.example"; the test says what each question is answered. */
function named(address: string = "app.example") {
  const clock = new FakeClock();
  const recorder = new LogRecorder();
  const told = { resolved: 0, asked: 0 };
  let next: Resolution | Error = new Error("queryA ENOTFOUND app.example");
  const resolver = {
    resolve: async () => {
      told.asked++;
      if (next instanceof Error) throw next;
      return next;
    },
  };
  const server = { name: "app-a", address, plain: { socketPath: null } } as unknown as Server;
  const settle = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    clock,
    lines: recorder.lines,
    told,
    /** From now on. */
    answer(addresses: readonly string[] | Error, validMs: number = 30_000): void {
      next = addresses instanceof Error ? addresses : { addresses, validMs };
    },
    async start(): Promise<UpstreamAddresses> {
      const made = new UpstreamAddresses(
        server,
        { resolver, clock, log: recorder.log },
        () => void told.resolved++,
      );
      await settle();
      return made;
    },
    async pass(ms: number): Promise<void> {
      clock.advance(ms);
      await settle();
    },
  };
}

test("an IP address is never asked for", async () => {
  for (const address of ["10.0.0.1", "::1"]) {
    const { told, start } = named(address);
    const addresses = await start();
    assert.equal(addresses.take()!.host, address);
    addresses.failed(addresses.take()!, "refused", 1_000);
    assert.equal(told.asked, 0);
  }
});

test("the addresses of a name are used in turn", async () => {
  const { answer, start } = named();
  answer(["10.0.0.1", "10.0.0.2", "::1"]);
  const addresses = await start();
  const taken = Array.from({ length: 6 }, () => addresses.take()!.host);
  assert.deepEqual(taken, ["10.0.0.1", "10.0.0.2", "::1", "10.0.0.1", "10.0.0.2", "::1"]);
});

test("R11 a failed address is passed over, then taken once per recover time until it works", async () => {
  const { answer, start, clock } = named();
  answer(["10.0.0.1", "10.0.0.2"]);
  const addresses = await start();
  const first = addresses.take()!;
  addresses.failed(first, "no connection", 15_000);
  const takenOf = (count: number): string[] =>
    Array.from({ length: count }, () => addresses.take()!.host.slice(-1));
  assert.deepEqual(takenOf(3), ["2", "2", "2"]);
  clock.advance(14_999);
  assert.deepEqual(takenOf(2), ["2", "2"]);
  clock.advance(1);
  assert.deepEqual(takenOf(4), ["1", "2", "2", "2"]);
  clock.advance(15_000);
  assert.deepEqual(takenOf(3), ["1", "2", "2"]);
  addresses.worked(first);
  assert.deepEqual(takenOf(4), ["1", "2", "1", "2"]);
});

test("R11 with the only address failed it is not usable, for one request each recover time", async () => {
  const { start, clock } = named("10.0.0.1");
  const addresses = await start();
  addresses.failed(addresses.take()!, "no connection within 5000 ms", 15_000);
  assert.deepEqual([addresses.usable, addresses.take()], [false, null]);
  assert.equal(addresses.reason, "no connection within 5000 ms");
  clock.advance(15_000);
  assert.equal(addresses.usable, true);
  assert.notEqual(addresses.take(), null);
  assert.deepEqual([addresses.usable, addresses.take()], [false, null]);
});

test("a name is asked for again when its time is over; what left is told, what stayed keeps its failure", async () => {
  const { answer, start, pass, told, lines } = named();
  answer(["10.0.0.1", "10.0.0.2"], 5_000);
  const addresses = await start();
  const first = addresses.take()!;
  const second = addresses.take()!;
  addresses.failed(second, "no connection", 60_000);
  await pass(4_999);
  assert.equal(told.asked, 1);
  answer(["10.0.0.2", "10.0.0.3"], 5_000);
  await pass(1);
  assert.deepEqual([told.asked, told.resolved, first.gone, second.gone], [2, 2, true, false]);
  assert.equal(addresses.take()!.host, "10.0.0.3");
  assert.equal(addresses.take()!.host, "10.0.0.3");
  assert.deepEqual(lines, ["app-a: app.example is now 10.0.0.2, 10.0.0.3"]);
  // The same in another order is no news.
  answer(["10.0.0.3", "10.0.0.2"], 5_000);
  await pass(5_000);
  assert.deepEqual([told.asked, told.resolved, lines.length], [3, 2, 1]);
});

test("a resolver that fails leaves the last known addresses, and says so once", async () => {
  const { answer, start, pass, told, lines } = named();
  answer(["10.0.0.1"], 5_000);
  const addresses = await start();
  answer(new Error("queryA ETIMEOUT app.example"));
  await pass(5_000);
  for (let count = 0; count < 5; count++) await pass(limits.nameRetryMs);
  assert.equal(told.asked, 7);
  assert.equal(addresses.take()!.host, "10.0.0.1");
  answer(["10.0.0.1"], 5_000);
  await pass(limits.nameRetryMs);
  assert.deepEqual(lines, [
    "app-a: the name app.example can't be resolved (queryA ETIMEOUT app.example); 10.0.0.1 is used on",
    "app-a: app.example is resolved again",
  ]);
});

test("a name that does not resolve yet: not usable, and why; usable as soon as it does", async () => {
  const { answer, start, pass } = named();
  const addresses = await start();
  assert.deepEqual([addresses.usable, addresses.take()], [false, null]);
  assert.match(addresses.reason, /its name can't be resolved: queryA ENOTFOUND app\.example/);
  answer(["10.0.0.1"]);
  await pass(limits.nameRetryMs);
  assert.equal(addresses.take()!.host, "10.0.0.1");
});

test("when no address can be reached the name is asked for at once, and not more often than that", async () => {
  const { answer, start, pass, told } = named();
  answer(["10.0.0.1"], 3_600_000);
  const addresses = await start();
  await pass(10_000);
  answer(["10.0.0.2"], 3_600_000);
  addresses.failed(addresses.take()!, "refused", 15_000);
  await pass(0);
  assert.equal(told.asked, 2);
  assert.equal(addresses.take()!.host, "10.0.0.2");
  const second = addresses.take()!;
  for (let count = 0; count < 20; count++) {
    addresses.failed(second, "refused", 60_000);
    await pass(100);
  }
  assert.ok(told.asked <= 4, `${told.asked} questions`);
});

test("closed, it asks no more", async () => {
  const { start, pass, told } = named();
  const addresses = await start();
  addresses.close();
  await pass(3_600_000);
  assert.equal(told.asked, 1);
});
