import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { upstream as limits } from "../support/limits.ts";
import { type ResolverParts, SystemResolver } from "./resolver.ts";

type Zone = Readonly<Record<string, readonly [type: number, ttl: number, bytes: readonly number[]][]>>;

/** A DNS server (RFC 1035) of one zone; a name that ends in ".fails" gets SERVFAIL, another unknown one NXDOMAIN. */
async function dnsServer(t: TestContext, zone: Zone): Promise<Resolver> {
  const socket: Socket = createSocket("udp4");
  socket.on("message", (query, peer) => {
    const labels: string[] = [];
    let at = 12;
    for (; query[at] !== 0; at += query[at]! + 1)
      labels.push(query.toString("latin1", at + 1, at + 1 + query[at]!));
    const type = query.readUInt16BE(at + 1);
    const name = labels.join(".");
    const records = (zone[name] ?? []).filter(([recordType]) => recordType === type);
    const code = name.endsWith(".fails") ? 2 : name in zone ? 0 : 3;
    const header = Buffer.from([
      query[0]!,
      query[1]!,
      0x81,
      0x80 | code,
      0,
      1,
      0,
      records.length,
      0,
      0,
      0,
      0,
    ]);
    const answers = records.map(([, ttl, bytes]) => {
      const fixed = Buffer.alloc(12);
      fixed.writeUInt16BE(0xc00c, 0);
      fixed.writeUInt16BE(type, 2);
      fixed.writeUInt16BE(1, 4);
      fixed.writeUInt32BE(ttl, 6);
      fixed.writeUInt16BE(bytes.length, 10);
      return Buffer.concat([fixed, Buffer.from(bytes)]);
    });
    socket.send(Buffer.concat([header, query.subarray(12, at + 5), ...answers]), peer.port, peer.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => void socket.close());
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([`127.0.0.1:${(socket.address() as AddressInfo).port}`]);
  return resolver;
}

const A = 1;
const AAAA = 28;

async function resolverOf(
  t: TestContext,
  zone: Zone,
  parts: Partial<ResolverParts> = {},
): Promise<SystemResolver> {
  return new SystemResolver({
    dns: await dnsServer(t, zone),
    lookup: async (name) => [`system:${name}`],
    hosts: async () =>
      "127.0.0.1 localhost\n# 10.9.9.9 commented.example\n10.0.0.9 fixed.example alias.example",
    ...parts,
  });
}

test("addresses of both families, each once, are good for the shortest TTL within bounds", async (t) => {
  const resolver = await resolverOf(t, {
    "app.example": [
      [A, 30, [10, 0, 0, 1]],
      [A, 20, [10, 0, 0, 2]],
      [A, 20, [10, 0, 0, 2]],
      [AAAA, 60, [0xfd, ...Array<number>(14).fill(0), 1]],
    ],
    "now.example": [[A, 0, [10, 0, 0, 3]]],
    "ever.example": [[A, 1_000_000, [10, 0, 0, 4]]],
  });
  assert.deepEqual(await resolver.resolve("app.example"), {
    addresses: ["10.0.0.1", "10.0.0.2", "fd00::1"],
    validMs: 20_000,
  });
  assert.equal((await resolver.resolve("now.example")).validMs, limits.ttlMsMin);
  assert.equal((await resolver.resolve("ever.example")).validMs, limits.ttlMsMax);
});

test("a name of /etc/hosts, a single label, and what DNS does not know are asked of the system", async (t) => {
  const resolver = await resolverOf(t, {
    "fixed.example": [[A, 30, [10, 0, 0, 1]]],
    "commented.example": [[A, 30, [10, 0, 0, 2]]],
    "empty.example": [],
  });
  const system = (name: string) => ({ addresses: [`system:${name}`], validMs: limits.nameIntervalMs });
  for (const name of [
    "fixed.example",
    "alias.example",
    "app",
    "unknown.example",
    "empty.example",
    "dns.fails",
  ])
    assert.deepEqual(await resolver.resolve(name), system(name));
  assert.deepEqual((await resolver.resolve("commented.example")).addresses, ["10.0.0.2"]);
});

test("of more addresses than we use the first are taken", async (t) => {
  const zone = { "many.example": Array.from({ length: 20 }, (_, at) => [A, 30, [10, 0, 1, at]] as const) };
  const resolver = await resolverOf(t, zone as unknown as Zone);
  assert.equal((await resolver.resolve("many.example")).addresses.length, 20);
  const all = Array.from({ length: 100 }, (_, at) => `10.0.0.${at}`);
  const flooded = await resolverOf(t, {}, { lookup: async () => all });
  assert.equal((await flooded.resolve("flood")).addresses.length, limits.addressesMax);
});

test("the system is asked for one name at a time, also when one of them fails", async (t) => {
  let running = 0;
  const resolver = await resolverOf(
    t,
    {},
    {
      lookup: async (name) => {
        assert.equal(++running, 1);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
        if (name === "b") throw new Error("no such name");
        return [name];
      },
    },
  );
  const [a, b, c] = await Promise.allSettled(["a", "b", "c"].map((name) => resolver.resolve(name)));
  assert.deepEqual([a!.status, b!.status, c!.status], ["fulfilled", "rejected", "fulfilled"]);
});
