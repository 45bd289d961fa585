/**
 * The faults of one seed: episodes one after another, most of them when the last one has healed, so that one fault at
 * a time is what the cluster has to stand; in some seeds they overlap.
 */
import type { SessionNode } from "../../../src/session/cluster/node.ts";
import { lossProbability } from "./register.ts";
import type { App, Simulation } from "./simulation.ts";
import type { World } from "./world.ts";

/** A single fault has to be over for the visitors by then (I10), its own share of clock error included. */
const writableWithinMs = 1_500;

const plannedMoveMs = 60;

const watchIntervalMs = 50;

interface Episode {
  readonly name: string;
  /** How often it is chosen. */
  readonly weight: number;
  /** Whether I10 is measured: it takes effect at once, and leaves the others able to go on. */
  readonly isSingleFault: boolean;
  /** Only where the register is the real one. */
  readonly needsVoters?: boolean;
  begin(faults: Faults): void;
}

export class Faults {
  readonly told: string[] = [];
  readonly #simulation: Simulation;
  readonly #world: World;
  readonly #healings: Set<() => void> = new Set();
  readonly #overlaps: boolean;
  #isOver = false;
  /** Counts episodes: one that is measured is watched until the next begins. */
  #episode = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
    this.#world = simulation.world;
    this.#overlaps = this.#world.chance(0.3);
  }

  run(): void {
    const world = this.#world;
    const count = 2 + Math.floor(world.random() * 4);
    for (let i = 0; i < count; i++) {
      const isWhole = this.#overlaps ? false : this.#becomeWhole();
      this.#begin(isWhole);
      world.runUntil(world.now + (this.#overlaps ? world.between(100, 3_000) : world.between(1_700, 4_000)));
    }
  }

  /** Heals what is broken. */
  end(): void {
    this.#isOver = true;
    this.#world.tell("fault", "all faults are over");
    for (const heal of this.#healings) heal();
  }

  #becomeWhole(): boolean {
    const world = this.#world;
    for (let waited = 0; waited < 20_000; waited += 250) {
      if (this.#healings.size === 0 && this.#simulation.isWhole()) {
        world.runUntil(world.now + 1_000);
        return this.#healings.size === 0 && this.#simulation.isWhole();
      }
      world.runUntil(world.now + 250);
    }
    return false;
  }

  #begin(isWhole: boolean): void {
    const world = this.#world;
    const episode = pickByWeight(world, this.#simulation.voting !== null);
    this.#episode++;
    const isMeasured = isWhole && episode.isSingleFault && this.#simulation.apps.size >= 2;
    const from = this.told.length;
    episode.begin(this);
    if (!isMeasured || this.told.length === from) return;
    const what = this.told.at(-1)!;
    const number = this.#episode;
    // A lost answer of the register would be a second fault.
    const { register } = this.#simulation;
    register.lossProbability = 0;
    world.after(writableWithinMs, null, () => {
      register.lossProbability = Math.max(register.lossProbability, lossProbability);
    });
    world.after(writableWithinMs, null, () => {
      if (this.#isOver || this.#episode !== number) return;
      const unwritable = this.#simulation.unwritable();
      if (unwritable.length === 0) return;
      // A planned move just then takes some milliseconds of its own.
      world.after(plannedMoveMs, null, () => {
        const still = this.#simulation.unwritable().filter((slot) => unwritable.includes(slot));
        if (still.length === 0 || this.#isOver) return;
        this.#simulation.oracle.fail("I10", `slots ${still.join()} are not writable 1.5 s after: ${what}`);
      });
    });
    this.#watch(what, number, new Map());
  }

  /** What a fault brings about later, and its end, hold nobody up for longer either. */
  #watch(what: string, episode: number, unwritableSince: Map<number, number>): void {
    const world = this.#world;
    world.after(watchIntervalMs, null, () => {
      if (this.#isOver || this.#episode !== episode) return;
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

  tell(what: string): void {
    this.told.push(`${this.#world.now.toFixed(0)} ${what}`);
    this.#world.tell("fault", what);
  }

  /** Any server that runs; null when there is none. */
  anyApp(): App | null {
    const apps = [...this.#simulation.apps.values()];
    return apps.length === 0 ? null : this.#world.pick(apps);
  }

  anyOther(app: App): App | null {
    const others = this.othersThan(app);
    return others.length === 0 ? null : this.#world.pick(others);
  }

  othersThan(app: App): App[] {
    return [...this.#simulation.apps.values()].filter((other) => other !== app);
  }

  /** Undone after a while, or when all faults end, or when what is returned is called. */
  #healAfter(delayMs: number, heal: () => void): () => void {
    const once = (): void => {
      if (this.#healings.delete(once)) heal();
    };
    this.#healings.add(once);
    this.#world.after(delayMs, null, once);
    return once;
  }

  /** @param forMs how long it is down; else by chance. */
  crash(app: App, isMachineLost: boolean, forMs: number | null = null): void {
    const { server } = app.process;
    const byChanceMs = this.#world.chance(0.7)
      ? this.#world.between(50, 3_000)
      : this.#world.between(3_000, 20_000);
    const downMs = forMs ?? byChanceMs;
    this.tell(
      `${app.process.name} ${isMachineLost ? "loses power" : "is killed"} for ${downMs.toFixed(0)} ms`,
    );
    this.#simulation.kill(server, isMachineLost);
    this.#healAfter(downMs, () => this.#simulation.start(server));
  }

  crashMachine(app: App): void {
    const { machine } = app.node.context;
    for (const { server, machine: other } of this.#simulation.places) {
      const neighbour = this.#simulation.apps.get(server);
      if (other === machine && neighbour !== undefined) this.crash(neighbour, true);
    }
  }

  pause(app: App): void {
    const { process } = app;
    const forMs = this.#world.chance(0.5)
      ? this.#world.between(200, 1_500)
      : this.#world.between(1_500, 10_000);
    this.tell(`${process.name} stands still for ${forMs.toFixed(0)} ms`);
    process.pause();
    this.#isBad(app, () => process.resume(), forMs);
  }

  /** @param isOneWay only what `app` sends is lost. */
  cut(app: App, other: App, isOneWay: boolean, durationMs: number | null = null): void {
    const byChanceMs = this.#world.chance(0.5)
      ? this.#world.between(200, 3_500)
      : this.#world.between(200, 8_000);
    const forMs = durationMs ?? byChanceMs;
    const [one, two] = [app.process.server, other.process.server];
    this.tell(`cut ${one} ${isOneWay ? "->" : "--"} ${two} for ${forMs.toFixed(0)} ms`);
    const { network } = this.#simulation;
    network.cut(one, two);
    if (!isOneWay) network.cut(two, one);
    this.#healAfter(forMs, () => {
      network.heal(one, two);
      if (!isOneWay) network.heal(two, one);
      this.#world.tell("fault", `healed ${one} ${isOneWay ? "->" : "--"} ${two}`);
    });
  }

  /** Cut off from all other servers, or from the register, or from both. */
  isolate(app: App, fromServers: boolean, fromRegister: boolean, longest: number): void {
    const { server, name } = app.process;
    const forMs = this.#world.between(500, longest);
    const from = [fromServers ? "servers" : "", fromRegister ? "register" : ""].filter(Boolean).join(" and ");
    this.tell(`${name} is cut off from ${from} for ${forMs.toFixed(0)} ms`);
    const { network, register, places } = this.#simulation;
    const others = places.map((place) => place.server).filter((other) => other !== server);
    if (fromServers) {
      for (const other of others) {
        network.cut(server, other);
        network.cut(other, server);
      }
    }
    if (fromRegister) register.cutOff.set(server, (register.cutOff.get(server) ?? 0) + 1);
    this.#isBad(
      app,
      () => {
        if (fromRegister) register.cutOff.set(server, register.cutOff.get(server)! - 1);
        if (!fromServers) return;
        for (const other of others) {
          network.heal(server, other);
          network.heal(other, server);
        }
      },
      forMs,
    );
  }

  /** Waits for a moment at which much is under way, and then does something to one of those concerned. */
  atAwkwardTime(): void {
    const { apps } = this.#simulation;
    const world = this.#world;
    const when = world.pick(awkwardMoments);
    const { network } = this.#simulation;
    if (world.chance(0.7)) network.slownessMs = 100;
    const primed = when.primers.length === 0 ? null : this.anyApp();
    if (primed !== null) world.pick(when.primers)(this, primed);
    const giveUp = this.#healAfter(8_000, () => {
      network.slownessMs = 0;
    });
    const look = (): void => {
      if (!this.#healings.has(giveUp)) return;
      const app = [...apps.values()].find(({ node, process }) => !process.isPaused && when.isNow(node));
      if (app === undefined) {
        world.after(1, null, look);
        return;
      }
      giveUp();
      const victim = world.chance(0.6) ? app : (this.anyOther(app) ?? app);
      this.tell(`while ${app.process.name} ${when.name}:`);
      world.pick(when.strikes ?? strikes)(this, when.strikes === undefined ? victim : app);
    };
    look();
  }

  /** What one says to the other arrives, but only after a requester has given up. */
  stall(app: App, other: App): void {
    this.cut(app, other, true, this.#world.between(2_000, 3_500));
  }

  reset(app: App, other: App): void {
    this.tell(`the connection ${app.process.server} -- ${other.process.server} breaks`);
    this.#simulation.network.reset(app.process.server, other.process.server);
  }

  slow(): void {
    const { network } = this.#simulation;
    network.slownessMs = this.#world.between(20, 400);
    this.tell(`the network is slow (${network.slownessMs.toFixed(0)} ms)`);
    this.#healAfter(this.#world.between(500, 4_000), () => {
      network.slownessMs = 0;
    });
  }

  losesAnswers(): void {
    const { register } = this.#simulation;
    register.lossProbability = 0.4;
    this.tell("the register loses answers");
    this.#healAfter(this.#world.between(1_000, 6_000), () => {
      register.lossProbability = lossProbability;
    });
  }

  /**
   * An orderly stop and start, as an upgrade does it.
   * @param isAlone nothing else is done to the cluster meanwhile.
   * @param downMs at most, from its end to its start.
   */
  restart(app: App, isAlone: boolean, then: () => void = () => {}, downMs: number = 1_000): void {
    const { process, node } = app;
    this.tell(`${process.name} is stopped in order`);
    app.isLeaving = true;
    node.leave();
    let waitedMs = 0;
    let wasAlone = isAlone;
    // For requests that are under way.
    const lingerMs = this.#world.between(0, 3_000);
    const heal = (): void => {
      if (process.isAlive) this.#simulation.kill(process.server, false);
      this.#simulation.start(process.server);
      then();
    };
    const healNow = this.#healAfter(20_000, heal);
    const look = (): void => {
      if (!this.#healings.has(healNow)) return;
      waitedMs += 100;
      const others = this.othersThan(app);
      if (others.length === 0 || others.some(({ isLeaving }) => isLeaving)) wasAlone = false;
      if (!node.isDrained && waitedMs < 15_000 && (node.hasHeir || waitedMs < lingerMs)) {
        this.#world.after(100, null, look);
        return;
      }
      if (process.isAlive && !node.isDrained && node.hasHeir && wasAlone && !this.#overlaps) {
        this.#simulation.oracle.fail(
          "I10",
          `${process.name} could not hand over, and nothing else was wrong`,
        );
      }
      // Nobody is left to be measured.
      if (!node.hasHeir) this.#episode++;
      this.#simulation.end(app);
      this.#world.after(this.#world.between(50, downMs), null, healNow);
    };
    look();
  }

  /** All are told to stop, within a moment, and come back one after the other. */
  stopAll(): void {
    for (const app of [...this.#simulation.apps.values()]) {
      this.#world.after(this.#world.between(0, 300), app.process, () => {
        if (!app.isLeaving) this.restart(app, false, () => {}, 6_000);
      });
    }
  }

  restartAll(): void {
    const rest = [...this.#simulation.apps.values()];
    const next = (): void => {
      const app = rest.shift();
      if (app === undefined || this.#isOver) return;
      this.#world.after(1_500, null, () => {
        if (app.process.isAlive && !this.#isOver) this.restart(app, true, next);
      });
    };
    next();
  }

  /** A voter's disk takes its time, or takes nothing. */
  disk(): void {
    const { voting } = this.#simulation;
    const { voters } = voting!;
    if (voters.length === 0) return;
    const machine = this.#world.pick(voters);
    const isFull = this.#world.chance(0.5);
    const forMs = this.#world.between(500, 8_000);
    this.tell(`the disk of voter ${machine.name} is ${isFull ? "full" : "slow"} for ${forMs.toFixed(0)} ms`);
    if (isFull) machine.disk.full = true;
    else machine.slownessMs = this.#world.between(20, 400);
    this.#healAfter(forMs, () => {
      machine.slownessMs = 0;
      machine.disk.full = false;
    });
  }

  /** A voter's file is gone or torn, with the processes that had it open; at most one at a time. */
  loseVote(): void {
    const { voting, apps } = this.#simulation;
    if (voting?.mayLoseFile !== true) return;
    const { name, disk, processes } = this.#world.pick(voting.voters);
    this.tell(`voter ${name} loses its file`);
    for (const { process } of [...processes]) {
      const app = apps.get(process.server);
      if (app === undefined) this.witness(true);
      else this.crash(app, false, this.#world.between(50, 2_000));
    }
    const torn = disk.durable!.subarray(0, Math.floor(this.#world.random() * disk.durable!.length));
    disk.durable = disk.file = this.#world.chance(0.5) ? null : torn;
  }

  /** The witness, where there is one, stands still or ends. */
  witness(isKilled: boolean): void {
    const { voting } = this.#simulation;
    const process = voting?.witness ?? null;
    if (voting === null || process === null) return;
    const forMs = this.#world.between(200, 8_000);
    this.tell(`the witness ${isKilled ? "is killed" : "stands still"} for ${forMs.toFixed(0)} ms`);
    if (isKilled) {
      process.die();
      voting.ended(process, this.#world.chance(0.5));
    } else process.pause();
    this.#healAfter(forMs, () => {
      if (isKilled) voting.startWitness();
      else process.resume();
    });
  }

  /** Other machines become voters, one step at a time, each by any server. */
  changeVoters(): void {
    const { voting } = this.#simulation;
    if (voting === null) return;
    const names = voting.machines.map(({ name }) => name);
    const from = Math.floor(this.#world.random() * names.length);
    const wanted = [...names.slice(from), ...names.slice(0, from)].slice(0, 3);
    this.tell(`the voters shall be ${wanted.join(", ")}`);
    const step = (tries: number): void => {
      const app = this.anyApp();
      if (tries === 0 || app === null) return;
      voting.changeVoters(app.process, wanted, (what) => {
        this.#world.tell("fault", `voters: ${what}`);
        if (what !== "reached") this.#world.after(300, null, () => step(tries - 1));
      });
    };
    step(10);
  }

  #isBad(app: App, heal: () => void, forMs: number): void {
    const { process } = app;
    process.badSince ??= this.#world.now;
    this.#healAfter(forMs, () => {
      process.badSince = null;
      this.#world.tell("fault", `${process.name} is well again`);
      heal();
    });
  }
}

interface Moment {
  readonly name: string;
  /** What is done then; by chance when not said. */
  readonly strikes?: readonly Strike[];
  /** What brings it about. */
  readonly primers: readonly Strike[];
  isNow(node: SessionNode): boolean;
}

type Strike = (faults: Faults, app: App) => void;

const restarts: readonly Strike[] = [
  (faults, app) => faults.crash(app, false, 300),
  (faults, app) => faults.restart(app, false),
];
const silences: readonly Strike[] = [
  (faults, app) => faults.pause(app),
  (faults, app) => faults.isolate(app, true, true, 3_000),
  (faults, app) => faults.crash(app, true),
];

const awkwardMoments: readonly Moment[] = [
  {
    name: "gives a copy",
    primers: [...restarts, ...silences],
    isNow: (node) => node.context.slots.some(({ joining }) => joining !== null && !joining.isNeeded),
  },
  {
    name: "alone gives a copy",
    primers: [...restarts, ...silences],
    isNow: (node) => node.context.slots.some(({ joining, backup }) => joining !== null && backup === null),
  },
  {
    name: "has a backup named",
    primers: [...restarts, ...silences],
    isNow: (node) => node.context.slots.some(({ joining }) => joining?.isNamed),
  },
  {
    name: "drops its backup",
    primers: silences,
    isNow: (node) => node.context.slots.some(({ removesBackup }) => removesBackup),
  },
  {
    name: "hands over",
    primers: restarts,
    isNow: (node) => node.context.slots.some(({ isStopping }) => isStopping),
  },
  {
    name: "waits for commits",
    primers: [],
    isNow: (node) => node.context.slots.some(({ pending }) => pending.length > 1),
  },
  {
    name: "asks an owner for a change",
    primers: [],
    strikes: [
      (faults, app) => {
        for (const other of faults.othersThan(app)) faults.stall(app, other);
      },
    ],
    isNow: (node) => node.remote.changesUnderWay > 0,
  },
  {
    name: "takes over",
    primers: silences,
    isNow: (node) => [...node.context.peers.values()].some(({ isBeingReplaced }) => isBeingReplaced),
  },
];

const strikes: readonly Strike[] = [
  (faults, app) => faults.crash(app, false),
  (faults, app) => faults.crash(app, true),
  (faults, app) => faults.pause(app),
  (faults, app) => faults.isolate(app, true, true, 8_000),
  (faults, app) => faults.isolate(app, false, true, 8_000),
  (faults, app) => {
    const other = faults.anyOther(app);
    if (other !== null) faults.cut(app, other, true);
  },
];

function pickByWeight(world: World, hasVoters: boolean): Episode {
  const among = episodes.filter(({ needsVoters }) => hasVoters || needsVoters !== true);
  let dice = world.random() * among.reduce((sum, { weight }) => sum + weight, 0);
  for (const episode of among) {
    dice -= episode.weight;
    if (dice < 0) return episode;
  }
  return among[0]!;
}

function withApp(run: (faults: Faults, app: App) => void): (faults: Faults) => void {
  return (faults) => {
    const app = faults.anyApp();
    if (app !== null) run(faults, app);
  };
}

function withPair(run: (faults: Faults, app: App, other: App) => void): (faults: Faults) => void {
  return withApp((faults, app) => {
    const other = faults.anyOther(app);
    if (other !== null) run(faults, app, other);
  });
}

const episodes: readonly Episode[] = [
  {
    name: "crash",
    weight: 5,
    isSingleFault: true,
    begin: withApp((faults, app) => faults.crash(app, false)),
  },
  { name: "power", weight: 3, isSingleFault: true, begin: withApp((faults, app) => faults.crash(app, true)) },
  {
    name: "machine",
    weight: 1,
    isSingleFault: false,
    begin: withApp((faults, app) => faults.crashMachine(app)),
  },
  { name: "pause", weight: 5, isSingleFault: true, begin: withApp((faults, app) => faults.pause(app)) },
  {
    name: "cut",
    weight: 4,
    isSingleFault: true,
    begin: withPair((faults, app, other) => faults.cut(app, other, false)),
  },
  {
    name: "one way",
    weight: 3,
    isSingleFault: true,
    begin: withPair((faults, app, other) => faults.cut(app, other, true)),
  },
  {
    name: "alone",
    weight: 4,
    isSingleFault: true,
    begin: withApp((faults, app) => faults.isolate(app, true, true, 8_000)),
  },
  {
    name: "long alone",
    weight: 0.3,
    isSingleFault: true,
    begin: withApp((faults, app) => faults.isolate(app, true, true, 60_000)),
  },
  {
    name: "no register",
    weight: 2,
    isSingleFault: true,
    begin: withApp((faults, app) => faults.isolate(app, false, true, 8_000)),
  },
  {
    name: "reset",
    weight: 2,
    isSingleFault: true,
    begin: withPair((faults, app, other) => faults.reset(app, other)),
  },
  { name: "slow", weight: 1, isSingleFault: false, begin: (faults) => faults.slow() },
  { name: "register", weight: 2, isSingleFault: false, begin: (faults) => faults.losesAnswers() },
  {
    name: "restart",
    weight: 2,
    isSingleFault: true,
    begin: withApp((faults, app) => faults.restart(app, true)),
  },
  {
    name: "left to one without register",
    weight: 1.5,
    isSingleFault: true,
    begin: withPair((faults, app, other) => {
      faults.restart(app, false);
      faults.isolate(other, false, true, 8_000);
    }),
  },
  {
    name: "stall",
    weight: 4,
    isSingleFault: true,
    begin: withPair((faults, app, other) => faults.stall(app, other)),
  },
  {
    name: "disk",
    weight: 2,
    isSingleFault: true,
    needsVoters: true,
    begin: (faults) => faults.disk(),
  },
  {
    name: "voter's file",
    weight: 2,
    isSingleFault: true,
    needsVoters: true,
    begin: (faults) => faults.loseVote(),
  },
  {
    name: "witness",
    weight: 1,
    isSingleFault: true,
    needsVoters: true,
    begin: (faults) => faults.witness(false),
  },
  {
    name: "voters",
    weight: 2,
    isSingleFault: true,
    needsVoters: true,
    begin: (faults) => faults.changeVoters(),
  },
  { name: "awkward", weight: 8, isSingleFault: false, begin: (faults) => faults.atAwkwardTime() },
  { name: "rolling", weight: 0.5, isSingleFault: false, begin: (faults) => faults.restartAll() },
  { name: "stop all", weight: 1, isSingleFault: false, begin: (faults) => faults.stopAll() },
];
