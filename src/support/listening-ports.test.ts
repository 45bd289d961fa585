import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { portsOfGroup } from "./listening-ports.ts";
import { processState } from "./processes.ts";

test("a group's ports: those that are listened on, IPv4 and IPv6, with who does", async (t) => {
  const { group } = processState(process.pid)!;
  const ports: number[] = [];
  for (const host of ["127.0.0.1", "::1"]) {
    const server = createServer().listen(0, host);
    t.after(() => server.close());
    await once(server, "listening");
    ports.push((server.address() as AddressInfo).port);
  }
  for (const port of ports) {
    const found = portsOfGroup(group).find((listening) => listening.port === port)!;
    assert.equal(found.pid, process.pid);
    assert.notEqual(found.program, "");
  }
});
