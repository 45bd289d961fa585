import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { memberFrom } from "../member/current.ts";
import { SessionIds } from "./id.ts";
import { placeOf } from "./place.ts";

const secret = "0123456789abcdef0123456789abcdef";
const file = `secret: ${secret}
clusters:
  web:
    servers: { web-a: { address: 127.0.0.1, port: 6800 } }
    listen: [{ http: 8080 }]
    routes: [{ to: app }]
  app:
    servers:
      app-a: { address: 127.0.0.2, port: 6800 }
      app-b: { address: 127.0.0.3, port: 6800, processes: 2 }
    sessions: { store: cluster }
`;

test("a member keeps sessions under its own letter, with the cluster's secret, and counts them", () => {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-place-"));
  try {
    writeFileSync(join(folder, "flotilla.yaml"), file);
    const env = { FLOTILLA_CONFIG: join(folder, "flotilla.yaml") };
    const member = memberFrom({ ...env, FLOTILLA_SERVER: "app-b.2" })!;
    const { store, idleTimeoutMs } = placeOf(member);
    assert.equal(idleTimeoutMs, 1_800_000);
    const id = store.newId();
    assert.deepEqual([id.owner, id.backup, id.processIndex], ["b", "-", 2]);
    assert.ok(new SessionIds(Buffer.from(secret), null, "app").verify(id.text), "the web tier reads it");
    store.create(id, new Map(), 1_000, () => {});
    assert.equal(member.status().sessions, 1);
    store.destroy(id, () => {});
    assert.throws(() => memberFrom({ ...env, FLOTILLA_SERVER: "app-z" }), {
      code: "FLOTILLA_SERVER_UNKNOWN",
    });
    assert.equal(memberFrom(env), null);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
