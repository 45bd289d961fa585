import assert from "node:assert/strict";
import { test } from "node:test";
import type { Server } from "../config/model.ts";
import { portTrouble, troubleOf } from "./unheard.ts";

const server = { name: "app-a", address: "192.168.0.10", port: 6800 } as Server;

test("who listens on the cluster port is not told of", () => {
  const ports = [
    { port: 6800, pid: 7, program: "node" },
    { port: 9100, pid: 7, program: "node" },
  ];
  assert.equal(troubleOf(server, ports), null);
});

test("who listens elsewhere, or nowhere, is told of with what to do", () => {
  assert.match(
    troubleOf(server, [{ port: 3000, pid: 7, program: "bun" }])!,
    /^app-a has not opened its cluster port 192\.168\.0\.10:6800 within 10 s.*port 3000 \(bun, process 7\) instead.*`attach: false`.*NODE_OPTIONS="\$NODE_OPTIONS/,
  );
  assert.match(troubleOf(server, [])!, /its program listens nowhere \(yet\)/);
});

test("a proxied program that does not listen on PORT is told of", () => {
  assert.match(
    portTrouble(server, 41_000, []),
    /^app-a: .*PORT \(41000\) of 127\.0\.0\.1 within 10 s.*nowhere \(yet\)/,
  );
  const ports = [{ port: 3000, pid: 7, program: "python3" }];
  assert.match(portTrouble(server, 41_000, ports), /it listens on port 3000 \(python3, process 7\) instead/);
});
