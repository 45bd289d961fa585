/** One seed: servers that read and change the register while all kinds of faults happen, then peace. */
import { Violation } from "./checker.ts";
import { type Machine, type Parts, type Process, soundParts, World } from "./world.ts";

const chaosMs = 8_000;
const peaceMs = 7_000;
const settleMs = 3_500;
const lastReadMs = 3_000;

export interface Outcome {
  readonly failure: string | null;
  readonly history: readonly string[];
  readonly counts: Counts;
}

export interface Counts {
  done: number;
  conflict: number;
  unknown: number;
  read: number;
  voters: number;
  lost: number;
  newest: number;
}

export interface LifeOptions {
  /** Machines in all, and how many of them vote at first. */
  readonly machines: number;
  readonly voters: number;
  readonly parts?: Parts;
}

/** Lives one seed through; the same seed is the same life. */
export function live(seed: number, options: LifeOptions): Outcome {
  const life = new Life(seed, options);
  let failure: string | null = null;
  try {
    life.run();
  } catch (thrown) {
    if (!(thrown instanceof Violation)) throw thrown;
    failure = thrown.message;
    life.world.note("CHECK", failure);
  }
  return { failure, history: life.world.history, counts: life.counts };
}

class Life {
  readonly world: World;
  readonly counts: Counts = { done: 0, conflict: 0, unknown: 0, read: 0, voters: 0, lost: 0, newest: 0 };
  #ops = 0;
  #chaos = true;
  #settled = false;
  /** What each process read at the end. */
  readonly #last: Map<string, string> = new Map();

  constructor(seed: number, { machines, voters, parts = soundParts }: LifeOptions) {
    this.world = new World(seed, machines, voters, parts);
    this.world.onProcess = (process) => this.#work(process);
  }

  run(): void {
    const { world } = this;
    const { faults } = world;
    faults.loss = world.pick([0, 0.02, 0.1]);
    faults.duplicates = world.pick([0, 0.05]);
    faults.delays = world.pick([0, 0.02]);
    world.crashAtStep = world.pick([0, 0.001, 0.005]);
    // All start at about the same time; some machines are down.
    for (const machine of world.machines)
      world.scheduler.after(world.random() * 50 + (world.chance(0.15) ? 4_000 : 0), () =>
        this.#keepRunning(machine),
      );
    this.#troubleLater();
    world.scheduler.runUntil(chaosMs);
    this.#makePeace();
    world.scheduler.runUntil(chaosMs + peaceMs);
    this.#settle();
    world.scheduler.runUntil(chaosMs + peaceMs + settleMs);
    this.#readLast();
    world.scheduler.runUntil(chaosMs + peaceMs + settleMs + lastReadMs);
    this.#checkEnd();
  }

  /** Supervisors start again what died; some machines run two processes. */
  #keepRunning(machine: Machine): void {
    const { world } = this;
    const wanted = machine.name === "a" ? 2 : 1;
    if (machine.processes.length < wanted) world.start(machine);
    world.scheduler.after(50 + world.random() * 600, () => this.#keepRunning(machine));
  }

  // What servers do.

  #work(process: Process): void {
    const { world } = this;
    if (this.#settled) return;
    world.scheduler.after(10 + world.random() * 450, () => {
      if (!process.alive) return;
      world.run(process, () => {
        if (process.register.known === null || world.chance(0.35)) this.#read(process);
        else if (this.#mayChangeVoters(process) && world.chance(0.15)) this.#changeVoters(process);
        else this.#write(process);
      });
    });
  }

  #read(process: Process): void {
    const { world, counts } = this;
    const newest = world.checker.newest;
    process.register.read((error, state) => {
      if (error !== null) world.note(process.name, `read fails: ${error.message}`);
      else {
        counts.read++;
        world.note(process.name, `reads version ${state!.version} (${state!.value.op})`);
        world.checker.read(state!, newest);
      }
      this.#work(process);
    });
  }

  #write(process: Process): void {
    const { world, counts } = this;
    const { version, value } = process.register.known!;
    const op = `${process.name}.${++this.#ops}`;
    const newest = world.checker.newest;
    world.note(process.name, `${op}: version ${version} -> ${version + 1}`);
    process.register.compareAndSet(version, { op, from: value.op }, (outcome) => {
      counts[outcome.kind]++;
      if (outcome.kind === "unknown") {
        world.note(process.name, `${op} is unknown: ${outcome.error.message}`);
        this.#resolve(process, op, version);
        return;
      }
      const { state } = outcome;
      world.note(process.name, `${op} is ${outcome.kind}, version ${state.version} (${state.value.op})`);
      if (outcome.kind === "done") world.checker.done(op, state, newest);
      else world.checker.never(op, "it was told that it conflicts");
      this.#work(process);
    });
  }

  /** The next read that succeeds settles what is unknown. */
  #resolve(process: Process, op: string, expected: number): void {
    const { world } = this;
    process.register.read((error, state) => {
      if (error !== null) {
        world.scheduler.after(100, () => world.run(process, () => this.#resolve(process, op, expected)));
        return;
      }
      world.note(process.name, `reads version ${state!.version} (${state!.value.op}) to settle ${op}`);
      world.checker.seen(state!);
      const shown = state!.version > expected && state!.value.op === op;
      const beneath = state!.version > expected + 1;
      if (!shown && !beneath) world.checker.never(op, "a later read did not show it");
      this.#work(process);
    });
  }

  /** One voter alone stays alone: with two of them a cut makes two chains, as voters.ts says. */
  #mayChangeVoters(process: Process): boolean {
    return this.#chaos && process.register.voters!.current.length > 2;
  }

  #changeVoters(process: Process): void {
    const { world, counts } = this;
    const voters = process.register.voters!.current.map(({ name }) => name);
    const all = world.machines.map(({ name }) => name);
    // Three or four of all, beginning anywhere.
    const first = Math.floor(world.random() * all.length);
    const wanted = [...all.slice(first), ...all.slice(0, first)].slice(0, world.pick([3, 3, 4, 5]));
    world.note(process.name, `wants the voters ${wanted.join(" ")} instead of ${voters.join(" ")}`);
    process.changes.step(wanted, (error, reached) => {
      world.note(process.name, error === null ? "the voters are changed" : `the voters: ${error.message}`);
      if (error === null && !reached) counts.voters++;
      this.#work(process);
    });
  }

  // What happens to them.

  #troubleLater(): void {
    const { world } = this;
    world.scheduler.after(100 + world.random() * 700, () => {
      if (!this.#chaos) return;
      this.#trouble();
      this.#troubleLater();
    });
  }

  #trouble(): void {
    const { world } = this;
    const machine = world.pick(world.machines);
    const kinds = [this.#kill, this.#power, this.#pause, this.#cut, this.#cut, this.#fill, this.#lose];
    world.pick(kinds).call(this, machine);
  }

  #kill(machine: Machine): void {
    if (machine.processes.length > 0) this.world.kill(this.world.pick(machine.processes));
  }

  #power(machine: Machine): void {
    this.world.cutPower(machine);
  }

  #pause(machine: Machine): void {
    const { world } = this;
    if (machine.processes.length === 0) return;
    const process = world.pick(machine.processes);
    const forMs = 200 + world.random() * 3_000;
    process.pausedUntilMs = world.scheduler.nowMs + forMs;
    world.note(process.name, `stands still for ${forMs.toFixed(0)} ms`);
  }

  #cut(machine: Machine): void {
    const { world } = this;
    const oneWay = world.chance(0.4);
    const others = world.machines.filter((other) => other !== machine);
    const from = world.chance(0.5) ? others : [world.pick(others)];
    world.note(
      machine.name,
      `is cut ${oneWay ? "one way " : ""}from ${from.map(({ name }) => name).join(" ")}`,
    );
    for (const other of from) {
      world.cuts.add(`${machine.name}>${other.name}`);
      if (!oneWay) world.cuts.add(`${other.name}>${machine.name}`);
    }
    world.scheduler.after(200 + world.random() * 2_500, () => this.#heal());
  }

  #heal(): void {
    this.world.note("net", "is whole again");
    this.world.cuts.clear();
  }

  #fill(machine: Machine): void {
    const { world } = this;
    machine.full = true;
    world.note(machine.name, "has a full disk");
    world.scheduler.after(world.random() * 2_500, () => {
      machine.full = false;
      world.note(machine.name, "has room on its disk again");
    });
  }

  /** The file of the voter that knows most is gone or torn; at most one at a time. */
  #lose(machine: Machine, tries = 20): void {
    const { world, counts } = this;
    if (!world.mayLoseFile()) {
      if (tries > 0 && this.#chaos) world.scheduler.after(25, () => this.#lose(machine, tries - 1));
      return;
    }
    const loser = world.knowsMost();
    counts.lost++;
    const torn = world.chance(0.5);
    world.note(loser.name, torn ? "has its voter's file torn" : "loses its voter's file");
    for (const process of [...loser.processes]) world.kill(process);
    const whole = loser.durable!;
    loser.durable = torn ? whole.subarray(0, Math.floor(world.random() * whole.length)) : null;
    loser.file = loser.durable;
    // Another one that knows as much is slow now, so that who knows less is asked.
    if (world.chance(0.5)) this.#pause(world.knowsMost());
  }

  // The end.

  #makePeace(): void {
    const { world } = this;
    this.#chaos = false;
    world.note("all", "peace");
    world.cuts.clear();
    world.crashAtStep = 0;
    Object.assign(world.faults, { loss: 0, duplicates: 0, delays: 0 });
    for (const machine of world.machines) machine.full = false;
  }

  /** From now on nobody begins anything; what was begun ends. */
  #settle(): void {
    this.world.note("all", "stop changing");
    this.#settled = true;
  }

  /** All read, and all read the same. */
  #readLast(): void {
    const { world } = this;
    for (const process of world.living) {
      const newest = world.checker.newest;
      process.register.read((error, state) => {
        if (error !== null) throw new Violation(`${process.name} can't read in peace: ${error.message}`);
        world.note(process.name, `reads version ${state!.version} at last`);
        world.checker.read(state!, newest);
        this.#last.set(process.name, `version ${state!.version}, ${state!.value.op}`);
      });
    }
  }

  #checkEnd(): void {
    const { world, counts } = this;
    world.checker.end();
    counts.newest = world.checker.newest;
    const running = new Set(world.living.map(({ machine }) => machine));
    if (running.size < world.machines.length) throw new Violation("not every machine runs in peace");
    const told = new Set(world.living.map(({ name }) => this.#last.get(name) ?? `nothing read by ${name}`));
    if (told.size !== 1) throw new Violation(`in peace they read ${[...told].join("; ")}`);
    if (counts.newest < 3) throw new Violation("nothing was ever changed");
    const { voters } = world.living[0]!.register;
    if (voters!.next !== null) throw new Violation("a change of voters was never finished");
    for (const { name, marker } of voters!.current)
      if (marker === "") throw new Violation(`the voter ${name} was never added`);
  }
}
