/** Three servers with real files and links in memory: the first version, changes, and one machine down. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { MemoryLink } from "../../../test/harness/memory-link.ts";
import type { Link } from "../../link/api.ts";
import type { CasOutcome, Versioned } from "../register.ts";
import { type SlotMap, withSlots } from "../slot-map.ts";
import { MembersEngine } from "./engine.ts";
import type { MembersRegister } from "./members-register.ts";

function read(register: MembersRegister<SlotMap>): Promise<Versioned<SlotMap>> {
  return new Promise((resolve, reject) =>
    register.read((error, state) => (error === null ? resolve(state!) : reject(error))),
  );
}

function change(
  register: MembersRegister<SlotMap>,
  expected: number,
  value: SlotMap,
): Promise<CasOutcome<SlotMap>> {
  return new Promise((resolve) => register.compareAndSet(expected, value, resolve));
}

test("three servers make the first version once, and go on with two", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "flotilla-register-"));
  // Their timers do not keep the process alive, as in a server.
  const keepAlive = setInterval(() => {}, 1_000);
  const servers = new Map<string, MembersEngine>();
  const links = new Map<string, Link>();
  const names = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
  t.after(() => {
    clearInterval(keepAlive);
    for (const server of servers.values()) server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const name of names) {
    const server = new MembersEngine({
      ...{ cluster: "app", node: `server-at-${name}#1`, voter: name, fileVoters: names },
      ...{ dataFolder: join(folder, name), letters: new Map([["app-a", "a"]]) },
      linksTo: (voter) => (links.has(voter) ? [links.get(voter)!] : []),
      onProblem: (message) => assert.fail(message),
      onMended: (message) => assert.fail(message),
    });
    servers.set(name, server);
    const memory = new MemoryLink(server.service);
    const open: unknown = (
      _kind: number,
      meta: string,
      ended: boolean,
      handler: Parameters<Link["open"]>[3],
    ) => memory.open(meta, ended, handler);
    links.set(name, { usable: true, silent: false, open } as Link);
  }
  const registers = names.map((name) => servers.get(name)!.register);
  const [one, two] = registers as [MembersRegister<SlotMap>, MembersRegister<SlotMap>];
  const first = await Promise.all(registers.map(read));
  for (const { version, value } of first) {
    assert.equal(version, 1);
    assert.deepEqual([...value.letters], [["app-a", "a"]]);
  }
  const owner = { server: "app-a", incarnation: "x" };
  const owned = withSlots(first[0]!.value, new Map([[7, { epoch: 1, owner, backup: null, prior: null }]]));
  assert.equal((await change(one, 1, owned)).kind, "done");
  const late = await change(two, 1, first[0]!.value);
  assert.equal(late.kind, "conflict");
  assert.deepEqual(two.known?.value.slots[7]?.owner, owner);
  // Another server may tell of a version sooner than the register does.
  const [, , three] = registers as [unknown, unknown, MembersRegister<SlotMap>];
  assert.equal(three.known?.version, 1);
  assert.equal((await change(three, 2, owned)).kind, "done");
  links.delete(names[2]!);
  assert.equal((await change(two, 3, first[0]!.value)).kind, "done");
  assert.equal((await read(one)).version, 4);
});
