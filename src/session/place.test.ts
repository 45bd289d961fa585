import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { memberFrom } from "../member/current.ts";
import type { Member } from "../member/member.ts";
import { SessionIds } from "./id.ts";
import { placeOf } from "./place.ts";
import { endless } from "./snapshot.ts";

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
`;

test("of several servers a member takes part in the cluster's, under its own letter, with the cluster's secret", () => {
  withFile(file, (memberOf) => {
    const member = memberOf("app-b.2")!;
    const { place } = placeOf(member);
    assert.equal(place.idleTimeoutMs, 1_800_000);
    const id = place.store.newId();
    assert.deepEqual([id.owner, id.backup, id.processIndex], ["b", "-", 2]);
    assert.ok(new SessionIds(Buffer.from(secret), null, "app").verify(id.text), "the web tier reads it");
    const { sessions, slots } = member.status();
    assert.deepEqual([sessions, slots], [0, 0]);
    assert.throws(() => memberOf("app-z"), { code: "FLOTILLA_SERVER_UNKNOWN" });
    assert.equal(memberOf(undefined), null);
  });
});

test("the file may want one copy only", () => {
  withFile(`${file}    sessions: { durability: memory }\n`, (memberOf) => {
    const member = memberOf("app-a")!;
    placeOf(member);
    assert.equal(member.status().slots, undefined);
  });
});

test("the only app server keeps them for itself", () => {
  withFile(file.replace(/ +app-b:.*\n/, ""), (memberOf) => {
    const member = memberOf("app-a")!;
    const { place } = placeOf(member);
    assert.equal(member.status().slots, undefined);
    const id = place.store.newId();
    place.store.create(id, new Map(), 1_000, endless, () => {});
    assert.equal(member.status().sessions, 1);
    place.store.destroy(id, () => {});
  });
});

test("a database that the file names: no register, no slots, under the server's letter", () => {
  const store = 'store: { redis: "redis://127.0.0.1:1/" }';
  withFile(`${file}    sessions: { ${store}, idleTimeout: 5m, save: always }\n`, (memberOf) => {
    const member = memberOf("app-b.1")!;
    const { place, kept } = placeOf(member);
    assert.deepEqual([place.idleTimeoutMs, place.save], [300_000, "always"]);
    const id = place.store.newId();
    assert.deepEqual([id.owner, id.backup, id.processIndex], ["b", "-", 1]);
    assert.ok(new SessionIds(Buffer.from(secret), null, "app").verify(id.text), "the web tier reads it");
    const { slots, sessions, sessionStore, registerEngine } = member.status();
    assert.deepEqual([slots, sessions, registerEngine], [undefined, 0, undefined]);
    assert.deepEqual(sessionStore, { name: "Redis at 127.0.0.1:1", problem: null, problemForMs: 0 });
    assert.deepEqual([kept.admin.kind, kept.mustSave], ["common", false]);
    assert.deepEqual(member.stopCheck([]), { sessions: 0, problem: null });
    kept.stop();
  });
});

test("store: file is the disk of the only app server", () => {
  const alone = file.replace(/ +app-b:.*\n/, "");
  withFile(`${alone}    sessions: { store: file }\n`, (memberOf) => {
    const { kept } = placeOf(memberOf("app-a")!);
    assert.equal(kept.admin.counts().onDisk?.sessions, 0);
  });
});

function withFile(text: string, check: (memberOf: (name?: string) => Member | null) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-place-"));
  try {
    writeFileSync(join(folder, "flotilla.yaml"), text);
    const env = { FLOTILLA_CONFIG: join(folder, "flotilla.yaml") };
    check((FLOTILLA_SERVER) => memberFrom({ ...env, FLOTILLA_SERVER }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
