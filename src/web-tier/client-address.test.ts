import assert from "node:assert/strict";
import test from "node:test";
import { clientAddressOf } from "./client-address.ts";
import { networksOf } from "./networks.ts";

test("A17 the client is the last address that no trusted balancer has", () => {
  const trusted = networksOf(["10.0.0.0/8", "fd00::/8"]);
  const cases: readonly [forwardedFor: string, client: string][] = [
    ["", "10.0.0.1"],
    ["192.0.2.1", "192.0.2.1"],
    ["6.6.6.6, 192.0.2.1", "192.0.2.1"],
    ["6.6.6.6,192.0.2.1 , 10.0.0.9", "192.0.2.1"],
    ["10.0.0.8, 10.0.0.9", "10.0.0.8"],
    ["6.6.6.6, unknown", "10.0.0.1"],
    ["6.6.6.6, unknown, 10.0.0.9", "10.0.0.9"],
    ["6.6.6.6, ", "10.0.0.1"],
    ["192.0.2.1:4711", "192.0.2.1"],
    ["2001:db8::1", "2001:db8::1"],
    ["[2001:db8::1]:4711, fd00::1", "2001:db8::1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::ffff:10.0.0.7", "10.0.0.7"],
    [",,,", "10.0.0.1"],
  ];
  for (const [forwardedFor, client] of cases)
    assert.equal(
      clientAddressOf({ xForwardedFor: forwardedFor }, { address: "10.0.0.1", trusted: true }, trusted),
      client,
      forwardedFor,
    );
});
