/** A server that hears nothing for a while, in the moment in which a copy that it was given is about to count. */
import assert from "node:assert/strict";
import test from "node:test";
import { Role } from "../../src/session/cluster/slot.ts";
import { type App, Simulation } from "./session/simulation.ts";

/** A server with a whole copy that no register names yet. */
function withWholeCopy({ apps }: Simulation): App | undefined {
  return [...apps.values()].find(({ node }) =>
    node.context.slots.some(({ role, source }) => role === Role.joining && source!.isComplete),
  );
}

/** @returns false: the seed has fewer than three servers. */
function live(seed: number): boolean {
  const site = new Simulation(seed, { register: "model", rollsOut: false });
  const { world, network, register, places } = site;
  if (places.length < 3) return false;
  for (const { server } of places) site.start(server);
  let app: App | undefined;
  while (app === undefined) {
    world.runUntil(world.now + 0.2);
    app = withWholeCopy(site);
  }
  const { server } = app.process;
  const others = places.filter((place) => place.server !== server).map((place) => place.server);
  register.cutOff.set(server, 1);
  for (const other of others) {
    network.cut(server, other);
    network.cut(other, server);
  }
  world.runUntil(world.now + 4_000);
  register.cutOff.delete(server);
  for (const other of others) {
    network.heal(server, other);
    network.heal(other, server);
  }
  world.runUntil(world.now + 10_000);
  assert.ok(site.isWhole(), `seed ${seed}: not whole`);
  app.node.leave();
  world.runUntil(world.now + 5_000);
  assert.ok(app.node.isDrained, `seed ${seed}: ${app.process.name} can't stop`);
  assert.deepEqual(site.oracle.violations, []);
  return true;
}

test("a copy of which the register made nothing does not keep its server from stopping", () => {
  let lived = 0;
  for (let seed = 1; lived < 40; seed++) if (live(seed)) lived++;
});

test("a server that is taken out of service comes to keep nothing while it runs on, and takes its share again", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const site = new Simulation(seed, { register: "model", rollsOut: false });
    const { world, register, places, apps } = site;
    for (const { server } of places) site.start(server);
    world.runUntil(world.now + 10_000);
    assert.ok(site.isWhole(), `seed ${seed}: not whole`);
    const { node, process } = apps.get(world.pick(places).server)!;
    node.standAside(true);
    world.runUntil(world.now + 10_000);
    assert.equal(node.isDrained, true, `seed ${seed}: ${process.name} keeps something`);
    const keepers = register.state!.value.slots.flatMap(({ owner, backup }) => [owner, backup]);
    assert.ok(keepers.every((keeper) => keeper?.server !== process.server));
    node.standAside(false);
    world.runUntil(world.now + 20_000);
    assert.ok(site.isWhole(), `seed ${seed}: not whole again`);
    assert.equal(node.isDrained, false, `seed ${seed}: ${process.name} has no share`);
    assert.deepEqual(site.oracle.violations, []);
  }
});
