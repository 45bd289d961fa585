/** What can be done to the cluster: each kind of harm, and how it heals. */
import { lossProbability } from "./register.ts";
import { breakages } from "./saved.ts";
import { machinesOf, refusalBetween, witnessName } from "./setup.ts";
import type { App, Simulation } from "./simulation.ts";
import type { World } from "./world.ts";

interface Rolling {
  readonly pauseMs?: number;
  readonly last?: string;
  readonly atEnd?: () => void;
}

export class Harm {
  /** With their times, for a person. */
  readonly told: string[] = [];
  readonly simulation: Simulation;
  readonly world: World;
  /** Harm does not wait until what was done before has healed. */
  readonly overlaps: boolean;
  readonly mayCut: boolean;
  /** All servers are being started again, one after the other. */
  isRolling = false;
  /** The last server stops, or several end at once: nobody is left to be measured. */
  isDown = false;
  isOver = false;
  /** What was done needs so long to show what comes of it. */
  lastsUntil = 0;
  readonly #healings: Set<() => void> = new Set();

  constructor(simulation: Simulation) {
    this.simulation = simulation;
    this.world = simulation.world;
    // Two voters stand one fault; the second may be as bad as a cut.
    this.overlaps = this.world.chance(0.3) && simulation.pair === null;
    this.mayCut = simulation.pair !== "uncut";
  }

  get isHealed(): boolean {
    return this.#healings.size === 0;
  }

  /** Heals all that is broken. */
  end(): void {
    this.isOver = true;
    this.world.tell("fault", "all faults are over");
    for (const heal of this.#healings) heal();
  }

  tell(what: string): void {
    this.told.push(`${this.world.now.toFixed(0)} ${what}`);
    this.world.tell("fault", what);
  }

  /** Any server that runs; null when there is none. */
  anyApp(): App | null {
    const apps = [...this.simulation.apps.values()];
    return apps.length === 0 ? null : this.world.pick(apps);
  }

  anyOther(app: App): App | null {
    const others = this.othersThan(app);
    return others.length === 0 ? null : this.world.pick(others);
  }

  othersThan(app: App): App[] {
    return [...this.simulation.apps.values()].filter((other) => other !== app);
  }

  /** Whether what `healAfter` returned is still to come. */
  isDue(heal: () => void): boolean {
    return this.#healings.has(heal);
  }

  /** Undone after a while, or when all faults end, or when what is returned is called. */
  healAfter(delayMs: number, heal: () => void): () => void {
    const once = (): void => {
      if (this.#healings.delete(once)) heal();
    };
    this.#healings.add(once);
    this.world.after(delayMs, null, once);
    return once;
  }

  /** @param forMs how long it is down; else by chance. */
  crash(app: App, isMachineLost: boolean, forMs: number | null = null): void {
    const { server } = app.process;
    const byChanceMs = this.world.chance(0.7)
      ? this.world.between(50, 3_000)
      : this.world.between(3_000, 20_000);
    const downMs = forMs ?? byChanceMs;
    this.tell(
      `${app.process.name} ${isMachineLost ? "loses power" : "is killed"} for ${downMs.toFixed(0)} ms`,
    );
    this.simulation.kill(server, isMachineLost);
    this.healAfter(downMs, () => this.simulation.start(server));
  }

  crashMachine(app: App): void {
    const { machine } = app.node.context;
    for (const { server, machine: other } of this.simulation.places) {
      const neighbour = this.simulation.apps.get(server);
      if (other === machine && neighbour !== undefined) this.crash(neighbour, true);
    }
  }

  pause(app: App): void {
    const { process } = app;
    const forMs = this.world.chance(0.5) ? this.world.between(200, 1_500) : this.world.between(1_500, 10_000);
    this.tell(`${process.name} stands still for ${forMs.toFixed(0)} ms`);
    process.pause();
    this.#isBad(app, () => process.resume(), forMs);
  }

  /** @param isOneWay only what `app` sends is lost. */
  cut(app: App, other: App, isOneWay: boolean, durationMs: number | null = null): void {
    const byChanceMs = this.world.chance(0.5)
      ? this.world.between(200, 3_500)
      : this.world.between(200, 8_000);
    const forMs = durationMs ?? byChanceMs;
    const [one, two] = [app.process.server, other.process.server];
    this.tell(`cut ${one} ${isOneWay ? "->" : "--"} ${two} for ${forMs.toFixed(0)} ms`);
    const { network } = this.simulation;
    network.cut(one, two);
    if (!isOneWay) network.cut(two, one);
    this.healAfter(forMs, () => {
      network.heal(one, two);
      if (!isOneWay) network.heal(two, one);
      this.world.tell("fault", `healed ${one} ${isOneWay ? "->" : "--"} ${two}`);
    });
  }

  /** Cut off from all other servers, or from the register, or from both. */
  isolate(app: App, fromServers: boolean, fromRegister: boolean, longest: number): void {
    const { server, name } = app.process;
    const forMs = this.world.between(500, longest);
    const from = [fromServers ? "servers" : "", fromRegister ? "register" : ""].filter(Boolean).join(" and ");
    this.tell(`${name} is cut off from ${from} for ${forMs.toFixed(0)} ms`);
    const { network, register, places } = this.simulation;
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

  /** Two that hear each other, and nobody else, for longer than others wait for them. */
  isolatePair(): void {
    const { network, register, places, apps } = this.simulation;
    const kept = (register.state?.value.slots ?? []).filter(({ backup }) => backup !== null);
    if (kept.length === 0 || apps.size < 3) return;
    const { owner, backup } = this.world.pick(kept);
    const pair = [owner, backup].flatMap((holder) => apps.get(holder!.server) ?? []);
    const servers = pair.map(({ process }) => process.server);
    const forMs = this.world.between(55_000, 70_000);
    this.tell(`${servers.join(" and ")} are cut off together for ${forMs.toFixed(0)} ms`);
    this.lastsUntil = Math.max(this.lastsUntil, this.world.now + forMs);
    const outside = places.map(({ server }) => server).filter((server) => !servers.includes(server));
    const ways = servers.flatMap((server) =>
      outside.flatMap((far) => [[server, far] as const, [far, server] as const]),
    );
    for (const [from, to] of ways) network.cut(from, to);
    for (const server of servers) register.cutOff.set(server, (register.cutOff.get(server) ?? 0) + 1);
    for (const one of pair) this.#isBad(one, () => {}, forMs);
    this.healAfter(forMs, () => {
      for (const [from, to] of ways) network.heal(from, to);
      for (const server of servers) register.cutOff.set(server, register.cutOff.get(server)! - 1);
    });
  }

  /** What it says to the others arrives, but only after a requester has given up; no connection breaks. */
  stall(app: App): void {
    const { network } = this.simulation;
    const { server } = app.process;
    const forMs = this.world.between(2_050, 4_500);
    const others = this.othersThan(app).map(({ process }) => process.server);
    this.tell(`what ${server} says is held up for ${forMs.toFixed(0)} ms`);
    for (const other of others) network.cut(server, other, false);
    this.healAfter(forMs, () => {
      for (const other of others) network.heal(server, other);
    });
  }

  reset(app: App, other: App): void {
    this.tell(`the connection ${app.process.server} -- ${other.process.server} breaks`);
    this.simulation.network.reset(app.process.server, other.process.server);
  }

  /** Servers say something that this version does not know: links of releases that should have refused each other. */
  foreign(): void {
    const { network } = this.simulation;
    network.foreignFrames = 1 + Math.floor(this.world.random() * 3);
    this.tell(`the next ${network.foreignFrames} frames are of another version`);
  }

  slow(): void {
    const { network } = this.simulation;
    network.slownessMs = this.world.between(20, 400);
    this.tell(`the network is slow (${network.slownessMs.toFixed(0)} ms)`);
    this.healAfter(this.world.between(500, 4_000), () => {
      network.slownessMs = 0;
    });
  }

  losesAnswers(): void {
    const { register } = this.simulation;
    register.lossProbability = 0.4;
    this.tell("the register loses answers");
    this.healAfter(this.world.between(1_000, 6_000), () => {
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
    const lingerMs = this.world.between(0, 3_000);
    const heal = (): void => {
      if (process.isAlive) this.simulation.kill(process.server, false);
      this.simulation.start(process.server);
      then();
    };
    const healNow = this.healAfter(20_000, heal);
    const look = (): void => {
      if (!this.#healings.has(healNow)) return;
      waitedMs += 100;
      const others = this.othersThan(app).filter((other) => refusalBetween(process, other.process) === "");
      if (
        this.simulation.isBereft ||
        this.simulation.hasHarmedDisks ||
        (this.simulation.isMixed && this.simulation.rollout?.isSmooth === false) ||
        this.#healings.size > 1 ||
        others.length === 0 ||
        others.some(({ isLeaving }) => isLeaving)
      )
        wasAlone = false;
      if (!node.isDrained && waitedMs < 15_000 && (node.hasHeir || waitedMs < lingerMs)) {
        this.world.after(100, null, look);
        return;
      }
      const canHandOver = node.hasHeir && !this.simulation.hasNothingToGive(app);
      if (process.isAlive && !node.isDrained && canHandOver && wasAlone && !this.overlaps) {
        this.simulation.oracle.fail("I10", `${process.name} could not hand over, and nothing else was wrong`);
      }
      if (!node.hasHeir) this.isDown = true;
      this.simulation.end(app);
      this.world.after(this.world.between(50, downMs), null, healNow);
    };
    look();
  }

  /** An operator takes it out of service, and puts it back. */
  standAside({ process, node }: App): void {
    const forMs = this.world.chance(0.5) ? this.world.between(50, 3_000) : this.world.between(3_000, 15_000);
    this.tell(`${process.name} stands aside for ${forMs.toFixed(0)} ms`);
    node.standAside(true);
    this.healAfter(forMs, () => node.standAside(false));
  }

  /** All are told to stop, and one of them will not find what it has saved. */
  breakCopies(): void {
    const app = this.anyApp();
    if (app === null) return;
    const breakage = this.world.pick(breakages);
    const { server } = app.process;
    this.tell(`what ${server} saves next will be ${breakage}`);
    this.simulation.saved.breaks.set(server, breakage);
    this.stopAll();
  }

  /** All are told to stop, within a moment, and come back one after the other. */
  stopAll(): void {
    for (const app of [...this.simulation.apps.values()]) {
      this.world.after(this.world.between(0, 300), app.process, () => {
        if (!app.isLeaving) this.restart(app, false, () => {}, 6_000);
      });
    }
  }

  /** One after the other is stopped, and stays away; then the last one comes back first, or any, and the others perhaps much later. */
  stopInTurn(): void {
    const { world, simulation } = this;
    const rest = [...simulation.apps.values()].sort(() => world.random() - 0.5);
    const stopped: string[] = [];
    let leaving: App | null = null;
    const stopLeaving = (): void => {
      if (leaving === null) return;
      stopped.push(leaving.process.server);
      simulation.end(leaving);
      leaving = null;
    };
    const startAll = this.healAfter(45_000, () => {
      stopLeaving();
      if (world.chance(0.8)) stopped.reverse();
      for (const [place, server] of stopped.entries()) {
        const downMs = this.isOver ? 0 : world.between(50, place === 0 ? 2_000 : 50_000);
        this.lastsUntil = Math.max(this.lastsUntil, world.now + downMs + 6_000);
        this.healAfter(downMs, () => simulation.start(server));
      }
    });
    const next = (): void => {
      if (!this.isDue(startAll)) return;
      leaving = rest.find(({ process, isLeaving }) => process.isAlive && !isLeaving) ?? null;
      if (leaving === null) return startAll();
      this.isDown = true;
      leaving.isLeaving = true;
      leaving.node.leave();
      this.tell(`${leaving.process.name} is stopped in order, and stays away`);
      look(leaving);
    };
    const look = (app: App): void => {
      if (!this.isDue(startAll)) return;
      if (app.process.isAlive && !app.node.isDrained && app.node.hasHeir) {
        world.after(50, null, () => look(app));
        return;
      }
      stopLeaving();
      world.after(world.between(0, 3_000), null, next);
    };
    next();
  }

  /** Of all that runs, the witness too. @param last the server that is stopped last. */
  restartAll({ pauseMs = 1_500, last = "", atEnd = () => {} }: Rolling = {}): void {
    const { apps, voting, web } = this.simulation;
    const order = [...apps.values()].sort(() => this.world.random() - 0.5);
    const rest: (App | null)[] = order.filter(({ process }) => process.server !== last);
    if (voting?.witness != null) rest.splice(Math.floor(this.world.random() * rest.length), 0, null);
    rest.push(...order.filter(({ process }) => process.server === last));
    for (const server of web.servers) {
      this.world.after(this.world.between(0, rest.length * pauseMs), null, () => {
        server.setup = this.simulation.setup;
      });
    }
    const next = (): void => {
      const app = rest.shift();
      this.isRolling = app !== undefined;
      if (this.isOver) return;
      if (app === undefined) return atEnd();
      this.world.after(pauseMs, null, () => {
        if (this.isOver) return;
        if (app === null) this.#restartWitness(next);
        else if (app.process.isAlive) this.restart(app, true, next);
        else next();
      });
    };
    next();
  }

  #restartWitness(then: () => void): void {
    const { voting } = this.simulation;
    const process = voting?.witness;
    if (process != null) {
      this.tell("the witness is stopped in order");
      process.die();
      voting!.ended(process, false);
    }
    this.world.after(this.world.between(50, 1_000), null, () => {
      voting?.startWitness();
      then();
    });
  }

  webPause(): void {
    const { process } = this.world.pick(this.simulation.web.servers);
    const forMs = this.world.between(200, 10_000);
    this.tell(`${process.server} stands still for ${forMs.toFixed(0)} ms`);
    process.pause();
    this.healAfter(forMs, () => process.resume());
  }

  /** A web server can't reach an app server, or none; those see each other. */
  webCut(app: App | null): void {
    const { process, cuts } = this.world.pick(this.simulation.web.servers);
    const servers = app === null ? this.simulation.places.map(({ server }) => server) : [app.process.server];
    const forMs = this.world.between(200, 8_000);
    this.tell(`${process.server} is cut off from ${servers.join(", ")} for ${forMs.toFixed(0)} ms`);
    for (const server of servers) cuts.set(server, (cuts.get(server) ?? 0) + 1);
    this.healAfter(forMs, () => {
      for (const server of servers) cuts.set(server, cuts.get(server)! - 1);
    });
  }

  /** The disk of a server takes its time, or takes nothing, for a while or for good. */
  serverDisk(app: App, slownessMs: number | null = null): void {
    const { disks } = this.simulation;
    const { server } = app.process;
    const disk = disks!.get(server)!;
    const forMs = this.world.between(500, 12_000);
    if (slownessMs === null || slownessMs > 900) disk.wasUnwell = true;
    if (slownessMs !== null || this.world.chance(0.4)) {
      disk.slownessMs = slownessMs ?? this.world.between(20, 4_000);
      this.tell(
        `the disk of ${server} is slow (${disk.slownessMs.toFixed(0)} ms) for ${forMs.toFixed(0)} ms`,
      );
    } else if (this.world.chance(0.85)) {
      disk.isFull = true;
      this.tell(`the disk of ${server} is full for ${forMs.toFixed(0)} ms`);
    } else {
      this.tell(`the disk of ${server} is broken`);
      disk.break();
      return;
    }
    this.healAfter(forMs, () => {
      disk.slownessMs = 0;
      disk.isFull = false;
    });
  }

  /** A server ends, and its next process finds an empty disk. */
  loseDisk(app: App): void {
    const { server } = app.process;
    this.crash(app, this.world.chance(0.5), this.world.between(50, 3_000));
    this.tell(`the disk of ${server} is lost`);
    this.simulation.disks!.get(server)!.lose();
  }

  /** What a server has on disk is found to be damaged while it runs. */
  damageDisk(app: App): void {
    if (app.disk!.isLost) return;
    this.tell(`the disk of ${app.process.server} is damaged`);
    app.disk!.damage();
  }

  /** All servers end in one moment, and all come back, or all but one, which comes later. */
  crashAll(): void {
    const apps = [...this.simulation.apps.values()];
    if (apps.length === 0) return;
    this.isDown = true;
    const late = this.world.chance(0.3) ? this.world.pick(apps) : null;
    const loser = this.world.chance(0.15) ? this.world.pick(apps) : null;
    for (const app of apps) {
      const downMs = app === late ? this.world.between(5_000, 50_000) : this.world.between(50, 4_000);
      this.crash(app, true, downMs);
      this.lastsUntil = Math.max(this.lastsUntil, this.world.now + downMs + 6_000);
      if (app !== loser) continue;
      this.tell(`the disk of ${app.process.server} is lost`);
      this.simulation.disks!.get(app.process.server)!.lose();
    }
  }

  /** A voter's disk takes its time, or takes nothing. */
  disk(): void {
    const { voting } = this.simulation;
    const { voters } = voting!;
    if (voters.length === 0) return;
    const machine = this.world.pick(voters);
    const isFull = this.world.chance(0.5);
    const forMs = this.world.between(500, 8_000);
    this.tell(`the disk of voter ${machine.name} is ${isFull ? "full" : "slow"} for ${forMs.toFixed(0)} ms`);
    if (isFull) machine.disk.full = true;
    else machine.slownessMs = this.world.between(20, 400);
    this.healAfter(forMs, () => {
      machine.slownessMs = 0;
      machine.disk.full = false;
    });
  }

  /** A voter's file is gone or torn, with the processes that had it open; at most one at a time. */
  loseVote(): void {
    const { voting, apps } = this.simulation;
    if (voting?.mayLoseFile !== true) return;
    const { name, disk, processes } = this.world.pick(voting.voters);
    this.tell(`voter ${name} loses its file`);
    // Taken away while it is in use, or with a process.
    if (processes.size > 0 && this.world.chance(0.5)) {
      const app = apps.get(this.world.pick([...processes]).process.server);
      if (app === undefined) this.witness(true);
      else this.crash(app, false, this.world.between(50, 2_000));
    }
    const torn = disk.durable!.subarray(0, Math.floor(this.world.random() * disk.durable!.length));
    disk.durable = disk.file = this.world.chance(0.5) ? null : torn;
  }

  /** A server ends between two steps of a vote: before it is written, before it is synced, before it is answered. */
  crashInVote(): void {
    this.#inVote((app) => {
      this.tell(`${app.process.name} ends in the middle of a vote`);
      this.crash(app, this.world.chance(0.5));
    });
  }

  /** It stands still there, its own question perhaps unanswered. */
  pauseInVote(): void {
    this.#inVote((app) => {
      this.tell(`${app.process.name} stops in the middle of a vote`);
      this.pause(app);
    });
  }

  #inVote(strike: (app: App) => void): void {
    const { voting, apps } = this.simulation;
    if (voting === null) return;
    let steps = 1 + Math.floor(this.world.random() * 20);
    const giveUp = this.healAfter(5_000, () => {
      voting.onStep = () => {};
    });
    voting.onStep = (process) => {
      const app = apps.get(process.server);
      if (app?.process !== process || --steps > 0) return;
      giveUp();
      strike(app);
    };
  }

  /** The witness, where there is one, stands still or ends. */
  witness(isKilled: boolean): void {
    const { voting } = this.simulation;
    const process = voting?.witness ?? null;
    if (voting === null || process === null) return;
    const forMs = this.world.between(200, 8_000);
    this.tell(`the witness ${isKilled ? "is killed" : "stands still"} for ${forMs.toFixed(0)} ms`);
    if (isKilled) {
      process.die();
      voting.ended(process, this.world.chance(0.5));
    } else process.pause();
    this.healAfter(forMs, () => {
      if (isKilled) voting.startWitness();
      else process.resume();
    });
  }

  /** Other machines become voters, one step at a time, each by any server. */
  changeVoters(): void {
    const { voting } = this.simulation;
    if (voting === null) return;
    const { setup } = this.simulation;
    const names = [...machinesOf(setup), ...(setup.hasWitness ? [witnessName] : [])];
    const from = Math.floor(this.world.random() * names.length);
    const wanted = [...names.slice(from), ...names.slice(0, from)].slice(0, 3);
    this.tell(`the voters shall be ${wanted.join(", ")}`);
    const step = (tries: number): void => {
      const app = this.anyApp();
      if (tries === 0 || app === null) return;
      voting.changeVoters(app.process, wanted, (what) => {
        this.world.tell("fault", `voters: ${what}`);
        if (what !== "reached") this.world.after(300, null, () => step(tries - 1));
      });
    };
    step(10);
  }

  #isBad(app: App, heal: () => void, forMs: number): void {
    const { process } = app;
    process.harm();
    this.healAfter(forMs, () => {
      process.heal();
      this.world.tell("fault", `${process.name} is well again`);
      heal();
    });
  }
}
