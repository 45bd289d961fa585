/**
 * The faults of one seed: episodes one after another, most of them when the last one has healed, so that one fault at
 * a time is what the cluster has to stand; in some seeds they overlap.
 */
import { pickEpisode } from "./episodes.ts";
import { Harm } from "./harm.ts";
import { lossProbability } from "./register.ts";
import type { Rollout } from "./rollout.ts";
import type { Simulation } from "./simulation.ts";
import type { World } from "./world.ts";

/** A single fault has to be over for the visitors by then (I10), its own share of clock error included. */
const writableWithinMs = 1_500;

const plannedMoveMs = 60;

const watchIntervalMs = 50;

export class Faults {
  readonly harm: Harm;
  readonly #simulation: Simulation;
  readonly #world: World;
  /** Names of the episodes, in their order. */
  readonly episodes: string[] = [];
  /** Counts episodes: one that is measured is watched until the next begins. */
  #episode = 0;
  rolledOut: string | null = null;
  #isMeasuringRollout = false;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
    this.#world = simulation.world;
    this.harm = new Harm(simulation);
  }

  run(): void {
    const world = this.#world;
    const { rollout } = this.#simulation;
    if (rollout !== null) this.#roll(rollout);
    const count = 2 + Math.floor(world.random() * 4);
    for (let i = 0; i < count; i++) {
      const isWhole = this.harm.overlaps ? false : this.#becomeWhole();
      this.#begin(isWhole);
      world.runUntil(
        world.now + (this.harm.overlaps ? world.between(100, 3_000) : world.between(1_700, 4_000)),
      );
    }
    if (world.now < this.harm.lastsUntil) world.runUntil(this.harm.lastsUntil);
  }

  /**
   * Begins when all is well, as an operator would. In some seeds nothing else happens until it is over; then it holds nobody
   * up, where it is a rollout that says so.
   */
  #roll(rollout: Rollout): void {
    const world = this.#world;
    const begin = (): void => {
      this.rolledOut = rollout.name;
      const who = rollout.concerned === null ? "" : ` (${rollout.concerned})`;
      this.harm.tell(`rolls out: ${rollout.name}${who}`);
      this.#simulation.setup = rollout.to;
      this.harm.isRolling = true;
      rollout.begin(this.harm, rollout);
    };
    if (this.harm.overlaps || world.chance(0.5)) {
      const wait = (): void => {
        if (this.harm.isOver) return;
        if (this.#simulation.isWhole()) begin();
        else world.after(250, null, wait);
      };
      world.after(world.between(0, 6_000), null, wait);
      return;
    }
    if (!this.#becomeWhole()) return;
    begin();
    this.#isMeasuringRollout = rollout.isSmooth;
    if (rollout.isSmooth) this.#watch(rollout.name, this.#episode, new Map());
    for (let waited = 0; this.harm.isRolling && waited < 300_000; waited += 500)
      world.runUntil(world.now + 500);
    this.#isMeasuringRollout = false;
  }

  #becomeWhole(): boolean {
    const world = this.#world;
    for (let waited = 0; waited < 20_000; waited += 250) {
      if (this.harm.isHealed && this.#simulation.isWhole()) {
        world.runUntil(world.now + 1_000);
        return this.harm.isHealed && this.#simulation.isWhole();
      }
      world.runUntil(world.now + 250);
    }
    return false;
  }

  #begin(isWhole: boolean): void {
    const world = this.#world;
    const episode = pickEpisode(
      world,
      this.#simulation.voting !== null,
      this.harm.mayCut,
      this.#simulation.disks !== null,
    );
    this.#episode++;
    this.episodes.push(episode.name);
    this.harm.isDown = false;
    const { voting, apps } = this.#simulation;
    // A planned restart beside it takes a vote away: with the fault these are two of three.
    const isSingle =
      episode.isSingleFault && (voting === null || !(this.harm.isRolling || episode.restarts === true));
    const isMeasured = isWhole && isSingle && apps.size >= 2 && !this.#simulation.isMixed;
    const { told } = this.harm;
    const from = told.length;
    episode.begin(this.harm);
    if (!isMeasured || told.length === from) return;
    const what = told.at(-1)!;
    const number = this.#episode;
    // A lost answer of the register would be a second fault.
    const { register } = this.#simulation;
    register.lossProbability = 0;
    world.after(writableWithinMs, null, () => {
      register.lossProbability = Math.max(register.lossProbability, lossProbability);
    });
    world.after(writableWithinMs, null, () => {
      if (this.#episode !== number || this.#isOff) return;
      const unwritable = this.#simulation.unwritable();
      if (unwritable.length === 0) return;
      // A planned move just then takes some milliseconds of its own.
      world.after(plannedMoveMs, null, () => {
        const still = this.#simulation.unwritable().filter((slot) => unwritable.includes(slot));
        if (still.length === 0 || this.#isOff) return;
        this.#simulation.oracle.fail("I10", `slots ${still.join()} are not writable 1.5 s after: ${what}`);
      });
    });
    this.#watch(what, number, new Map());
  }

  /** There is nothing to be measured any more. */
  get #isOff(): boolean {
    if (this.#isMeasuringRollout) return false;
    return this.harm.isOver || this.harm.isDown || this.#simulation.isMixed;
  }

  /** What a fault brings about later, and its end, hold nobody up for longer either. */
  #watch(what: string, episode: number, unwritableSince: Map<number, number>): void {
    const world = this.#world;
    world.after(watchIntervalMs, null, () => {
      if (this.#episode !== episode || this.#isOff) return;
      const unwritable = this.#simulation.unwritable();
      for (const slot of unwritableSince.keys()) if (!unwritable.includes(slot)) unwritableSince.delete(slot);
      for (const slot of unwritable) {
        const since = unwritableSince.get(slot);
        if (since === undefined) unwritableSince.set(slot, world.now);
        else if (world.now - since > writableWithinMs) {
          const forMs = (world.now - since).toFixed(0);
          this.#simulation.oracle.fail("I10", `slot ${slot} is not writable for ${forMs} ms, after: ${what}`);
          return;
        }
      }
      this.#watch(what, episode, unwritableSince);
    });
  }
}
