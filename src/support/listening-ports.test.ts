import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { loopbackOf, portsOfGroup } from "./listening-ports.ts";
import { processState } from "./processes.ts";

test("a group's ports: those that are listened on, IPv4 and IPv6, with who does", async (t) => {
  const { group } = processState(process.pid)!;
  const ports = new Map<string, number>();
  for (const host of ["127.0.0.1", "::1"]) {
    const server = createServer().listen(0, host);
    t.after(() => server.close());
    await once(server, "listening");
    ports.set(host, (server.address() as AddressInfo).port);
  }
  for (const [host, port] of ports) {
    const found = portsOfGroup(group).find((listening) => listening.port === port)!;
    assert.equal(found.pid, process.pid);
    assert.notEqual(found.program, "");
    assert.equal(loopbackOf(port), host);
  }
});

test("on all addresses: the loopback is one of them; a closed port is nobody's", async () => {
  for (const [host, expected] of [
    ["0.0.0.0", "127.0.0.1"],
    ["::", "::1"],
  ] as const) {
    const server = createServer().listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    assert.equal(loopbackOf(port), expected);
    server.close();
    await once(server, "close");
    assert.equal(loopbackOf(port), null);
  }
});
