import { ownVersions } from "../../../src/link/hello.ts";
import { type Holder, type SlotMap, unownedSlot } from "../../../src/register/slot-map.ts";
import { ClusterStore } from "../../../src/session/cluster/cluster-store.ts";
import { SessionNode } from "../../../src/session/cluster/node.ts";
import type { ServerPlace } from "../../../src/session/cluster/peer.ts";
import { protocolRules, type Rules } from "../../../src/session/cluster/rules.ts";
import { Role } from "../../../src/session/cluster/slot.ts";
import { SessionMemory } from "../../../src/session/table/session-memory.ts";
import { Copies } from "./copies.ts";
import { Faults } from "./faults.ts";
import { PlainIds } from "./ids.ts";
import type { Mutant } from "./mutants.ts";
import { Network } from "./network.ts";
import { Oracle } from "./oracle.ts";
import { type SharedRegister, SimulatedRegister } from "./register.ts";
import { drawRollout, type Rollout } from "./rollout.ts";
import { SavedSessions } from "./saved.ts";
import { OpenDisk, ServerDisk } from "./server-disk.ts";
import { knows, marksOf, type Setup } from "./setup.ts";
import { type Site, Visitor } from "./visitors.ts";
import { plainCodec, VotingRegister } from "./voting-register.ts";
import { WebTier } from "./web.ts";
import { type Line, Process, World, withoutWallClock } from "./world.ts";

const firstMap: SlotMap = { letters: new Map(), slots: new Array(4).fill(unownedSlot) };

type Pair = "cut" | "uncut";

export interface Options {
  /** A broken protocol instead of the true one. */
  readonly mutant?: Mutant | null;
  /** Servers keep sessions on disk as well. */
  readonly hasDisks?: boolean;
  /** Else by the seed. */
  readonly register?: "model" | "real";
  readonly keepsHistory?: boolean;
  /** Two machines without a witness, with or without cuts between them; else by the seed. */
  readonly pair?: Pair;
  /** False: all servers run with one file and one release. */
  readonly rollsOut?: boolean;
}

export interface Outcome {
  readonly seed: number;
  /** Which servers stand where, and which register they have. */
  readonly site: string;
  readonly violations: readonly string[];
  readonly history: readonly Line[];
  readonly requests: number;
  readonly refused: number;
  readonly events: number;
  readonly faults: readonly string[];
  readonly episodes: readonly string[];
  readonly pair: Pair | null;
  /** Of the whole cluster, if there was one. */
  readonly rollout: string | null;
  /** Links that did not come about between servers that run with different files or releases. */
  readonly brokenCopies: readonly string[];
  readonly refusals: number;
  /** Sessions that were read from disk. */
  readonly fetched: number;
  /** Slots of which both copies were found on disks and named at once. */
  readonly paired: number;
  /** Messages that this version does not know, and that closed their connection. */
  readonly refusedFrames: number;
}

/** A running server: its process, its part of the protocol, and its store. */
export interface App extends Site {
  readonly node: SessionNode;
  /** Null: sessions are in memory alone. */
  readonly disk: OpenDisk | null;
  /** It hands over and will stop. */
  isLeaving: boolean;
}

export class Simulation {
  readonly seed: number;
  readonly world: World;
  readonly oracle: Oracle;
  readonly network: Network;
  readonly web: WebTier;
  readonly register: SharedRegister;
  /** The real register, in the seeds that have it. */
  readonly voting: VotingRegister | null;
  readonly places: readonly ServerPlace[];
  readonly apps: Map<string, App> = new Map();
  readonly saved: SavedSessions = new SavedSessions();
  /** By server; null: sessions are in memory alone. */
  readonly disks: ReadonlyMap<string, ServerDisk> | null;
  /** Of a process; those beyond it are on disk alone. */
  readonly #sessionsMax: number;
  readonly #copies: Copies;
  readonly #mutant: Mutant;
  readonly #rules: Rules;
  readonly #visitors: Visitor[];
  /** They have a session and do nothing with it. */
  readonly #dwellers: Visitor[];
  #starts = 0;
  /** What a process that starts now runs with. */
  setup: Setup;
  /** Servers that will never start again. */
  /** Two voters and no witness: they promise nothing for a cut between them. */
  readonly pair: Pair | null;
  readonly gone: Set<string> = new Set();
  /** In some seeds: another file, or another release, comes to all servers. */
  readonly rollout: Rollout | null;

  constructor(seed: number, options: Options) {
    this.seed = seed;
    this.#mutant = options.mutant ?? {};
    this.#rules = { ...protocolRules, ...this.#mutant.rules };
    this.world = new World(seed, options.keepsHistory ?? false);
    this.oracle = new Oracle(this.world);
    this.network = new Network(this.world);
    this.network.onTaken = ({ name }) => this.oracle.fail("protocol", `${name} took what it can't know`);
    const servers = 2 + Math.floor(this.world.random() * 3);
    const hasDisks = options.hasDisks ?? this.#mutant.hasDisks ?? false;
    const pair = options.pair ?? this.#mutant.pair ?? null;
    const machines = pair !== null ? 2 : 2 + Math.floor(this.world.random() * (servers - 1));
    this.places = Array.from({ length: servers }, (_, i) => ({
      server: `app-${"abcd"[i]}`,
      machine: `m${i % machines}`,
    }));
    const drawn = pair === null ? this.world.pick(["model", "real"]) : "real";
    const isReal = (options.register ?? drawn) === "real";
    this.disks = hasDisks ? new Map(this.places.map(({ server }) => [server, new ServerDisk()])) : null;
    this.#sessionsMax = hasDisks ? this.world.pick([8, 8, 100_000]) : 100_000;
    this.pair = pair ?? (isReal && machines === 2 && this.world.chance(0.2) ? "uncut" : null);
    const hasWitness = machines === 2 && this.pair === null;
    this.rollout = options.rollsOut === false ? null : drawRollout(this.world, this.places, machines === 2);
    this.setup = this.rollout?.from ?? {
      servers: this.places,
      hasWitness,
      versions: ownVersions,
    };
    this.web = new WebTier(this.world, this.apps, this.setup);
    this.voting = isReal ? this.#vote() : null;
    if (this.voting !== null) this.voting.onWitness = () => this.#noteRefused();
    this.register = this.voting ?? new SimulatedRegister(this.world);
    this.#copies = new Copies(this);
    this.register.onChange = (before, after, by) => this.#copies.onChange(before, after, by);
    const visitors = (count: number, letter: string): Visitor[] =>
      Array.from(
        { length: count },
        (_, i) => new Visitor(`${letter}${i + 1}`, this.world, this.oracle, this.web),
      );
    this.#visitors = visitors(4, "v");
    this.#dwellers = visitors(20, "d");
  }

  #vote(): VotingRegister {
    const { world, network, places, oracle } = this;
    return new VotingRegister({
      ...{
        world,
        network,
        places,
        firstMap,
        setup: () => this.setup,
        isImpatient: this.#mutant.isImpatient ?? false,
      },
      fail: (invariant, what) => oracle.fail(invariant, what),
    });
  }

  run(): Outcome {
    const { world } = this;
    let faults: Faults | null = null;
    try {
      faults = this.#live();
    } catch (error) {
      this.oracle.fail("error", error instanceof Error ? `${error.stack}` : String(error));
    }
    return {
      seed: this.seed,
      site: `${this.places.map(({ server, machine }) => `${server} on ${machine}`).join(", ")}; ${
        this.voting === null
          ? "a model of the register"
          : `voters ${this.voting.machines.map(({ name }) => name).join(", ")}`
      }`,
      violations: this.oracle.violations,
      history: world.history ?? [],
      requests: this.#visitors.reduce((sum, { requests }) => sum + requests, 0),
      refused: this.#visitors.reduce((sum, { refused }) => sum + refused, 0),
      events: world.eventCount,
      faults: faults?.harm.told ?? [],
      episodes: faults?.episodes ?? [],
      pair: this.pair,
      rollout: faults?.rolledOut ?? null,
      brokenCopies: this.saved.broken,
      refusals: this.network.refusals,
      fetched: [...(this.disks?.values() ?? [])].reduce((sum, { fetched }) => sum + fetched, 0),
      paired: this.#copies.paired,
      refusedFrames: this.network.refusedFrames,
    };
  }

  #live(): Faults {
    const { world } = this;
    const { servers } = this.setup;
    const late = world.chance(0.2) ? 1 : 0;
    for (const { server } of servers.slice(late))
      world.after(world.between(0, 300), null, () => this.start(server));
    world.runUntil(3_500);
    for (const visitor of this.#visitors) visitor.start();
    for (const visitor of this.#dwellers) visitor.dwell();
    const faults = new Faults(this);
    for (const { server } of servers.slice(0, late)) {
      world.after(world.between(0, 6_000), null, () => {
        world.tell("fault", `${server} joins`);
        this.start(server);
      });
    }
    world.runUntil(world.now + 2_500);
    faults.run();
    this.#settle(faults);
    return faults;
  }

  /** Starts a server, or starts it again as another process. */
  start(server: string): void {
    const { world, register, setup } = this;
    if (this.apps.has(server) || this.gone.has(server) || !knows(setup, server)) return;
    const process = new Process(world, server, String(++this.#starts), world.between(0.9, 1.1), setup);
    world.tell(process.name, "starts");
    const client = register.client(process);
    const serverDisk = this.disks?.get(server);
    const disk = serverDisk === undefined ? null : new OpenDisk(serverDisk, world, process);
    const node = new SessionNode({
      self: { server, incarnation: process.incarnation },
      servers: setup.servers,
      register: client,
      registerId: () => "it",
      firstMap,
      clock: process.clock,
      transferPartBytes: 1,
      // So small that sessions fall asleep and their memory is cleaned all the time.
      memory: new SessionMemory({ awakeSessionsMax: 4, segmentBytes: 4_096 }),
      disk,
      diskBytesMax: 1e12,
      sessionsMax: this.#sessionsMax,
      memoryBytesMax: 1e9,
      mapCodec: plainCodec,
      later: (callback) => world.after(0, process, callback),
      rules: this.#rules,
      observer: {
        onCommit: (slot, epoch, pos) => this.#copies.onCommit(process, slot, epoch, pos),
        onRole: (slot, role, epoch, pos) =>
          world.tell(process.name, `is ${roleNames[role]} of slot ${slot} (epoch ${epoch}, pos ${pos})`),
        onRecovered: (slot, { copy }) => {
          world.tell(process.name, `recovers slot ${slot}: ${copy}`);
          if (copy === "whole" || this.#mutant.hidesLosses === true) return;
          this.oracle.hearLoss(slot);
          this.#copies.onLoss(process, slot);
        },
        onEvicted: () => this.oracle.fail("I8", `${process.name} has no room`),
        onMemoryHeld: (bytes) =>
          world.tell(
            process.name,
            bytes === null ? "has room again" : "has no room while its disk can't be written",
          ),
        onEvent: (what) => {
          if (this.network.foreignSent === 0) this.oracle.fail("protocol", `${process.name}: ${what}`);
        },
      },
    });
    const store = new ClusterStore({
      node,
      ids: new PlainIds(world),
      marks: marksOf(setup),
      random: world.random,
    });
    const app: App = { process, node, store, disk, isLeaving: false };
    this.apps.set(server, app);
    this.network.attach({ process, node });
    this.saved.restore(app);
    node.start();
    client.watch(() => this.saved.tidy(app));
    this.#meddle(app);
    this.#noteRefused();
  }

  /** Who has no part in the cluster any more, or yet, for what it runs with. */
  #noteRefused(): void {
    for (const { process } of this.apps.values()) {
      if (this.voting === null || this.voting.reachesMost(process)) process.refusedSince = null;
      else process.refusedSince ??= this.world.now;
    }
  }

  /** The end of an orderly stop: what it could not hand over is on its disk. */
  end(app: App): void {
    if (!app.process.isAlive) return;
    const slots = this.saved.save(app);
    if (slots > 0) this.world.tell(app.process.name, `saves ${slots} slots`);
    app.disk?.finish();
    this.kill(app.process.server, false);
  }

  #meddle(app: App): void {
    if (this.#mutant.meddle === undefined) return;
    this.#mutant.meddle(app);
    this.world.after(500, app.process, () => this.#meddle(app));
  }

  /** @param isMachineLost the others are told nothing by the network. */
  kill(server: string, isMachineLost: boolean): void {
    const app = this.apps.get(server);
    if (app === undefined) return;
    this.world.tell(app.process.name, isMachineLost ? "is lost with its machine" : "is killed");
    app.disk?.crash();
    app.process.die();
    app.node.stop();
    this.apps.delete(server);
    this.register.ended(app.process, isMachineLost);
    this.network.detach(server, !isMachineLost);
    this.#copies.forgiveDead();
    this.#noteRefused();
  }

  /** Every slot has two living holders that know their part, and nobody is about to change that. */
  isWhole(): boolean {
    const { state } = this.register;
    if (state === null || this.voting?.isWhole === false) return false;
    if ([...this.apps.values()].some(({ disk }) => disk?.isLost)) return false;
    const copies = Math.min(2, [...this.apps.values()].filter(({ isLeaving }) => !isLeaving).length);
    return state.value.slots.every(({ owner, backup }, slot) => {
      const first = this.#roleOf(owner, slot) === Role.owner;
      return first && (copies < 2 || this.#roleOf(backup, slot) === Role.backup);
    });
  }

  /** A slot is named to nobody who lives: its copies are waited for. Nor has it any before there is a map. */
  get isBereft(): boolean {
    const { state } = this.register;
    if (state === null) return true;
    return state.value.slots.some(
      ({ owner, backup }) => this.#copies.appOf(owner) === null && this.#copies.appOf(backup) === null,
    );
  }

  /** Nobody is given a copy that can't write it. */
  get hasHarmedDisks(): boolean {
    return [...(this.disks?.values() ?? [])].some(({ isHarmed }) => isHarmed);
  }

  /** It owns a slot alone, and had some of it on its damaged disk: nobody can be given that. */
  hasNothingToGive({ node, disk }: App): boolean {
    if (!disk?.isLost) return false;
    return node.context.slots.some(
      ({ role, backup, onDisk }) => role === Role.owner && backup === null && onDisk!.hasMore,
    );
  }

  /** Some server runs with another file or release than it will, or is still to end. */
  get isMixed(): boolean {
    const { witness } = this.voting ?? { witness: null };
    if (witness !== null && witness.setup !== this.setup) return true;
    return [...this.apps.values()].some(({ process }) => process.setup !== this.setup);
  }

  /** Slots that nobody could write to now, if nothing changed: I10 wants none soon after a single fault. */
  unwritable(): number[] {
    const slots = this.register.state?.value.slots ?? [];
    return slots.flatMap(({ owner, backup }, slot) => {
      const app = this.#copies.appOf(owner);
      if (app === null || app.process.isPaused) return [slot];
      const copy = app.node.context.slots[slot]!;
      if (!copy.isServing && copy.isStopping) return [];
      if (!app.node.owner.mayShow(copy)) return [slot];
      const other = this.#copies.appOf(backup);
      return backup !== null && (other === null || other.process.isPaused) ? [slot] : [];
    });
  }

  /** Where no other server can take what is left of a damaged disk, its server's log asks for this. */
  #restartLost(): void {
    for (const { process, disk } of [...this.apps.values()]) {
      if (!disk?.isLost) continue;
      this.kill(process.server, false);
      this.start(process.server);
    }
  }

  #roleOf(holder: Holder | null, slot: number): Role | null {
    return this.#copies.appOf(holder)?.node.context.slots[slot]?.role ?? null;
  }

  /** All faults are over: the cluster has to become whole by itself, and everything promised has to be there. */
  #settle(faults: Faults): void {
    const { world, oracle } = this;
    faults.harm.end();
    for (const disk of this.disks?.values() ?? []) disk.isBroken = false;
    if (faults.rolledOut !== null) this.setup = this.rollout!.to;
    for (const { server } of this.setup.servers) this.start(server);
    this.#readFileAnew();
    world.runUntil(world.now + 5_000);
    this.#restartLost();
    for (let waited = 0; !this.isWhole() && waited < 90_000; waited += 500) world.runUntil(world.now + 500);
    if (!this.isWhole()) oracle.fail("I10", "the cluster did not become whole by itself");
    world.runUntil(world.now + 1_500);
    for (const visitor of this.#visitors) visitor.stop();
    world.runUntil(world.now + 8_000);
    for (const visitor of [...this.#visitors, ...this.#dwellers]) {
      let failure: string | null = `${visitor.name}: no answer`;
      visitor.lookAgain(world.pick([...this.apps.values()]), (result) => {
        failure = result;
      });
      world.runUntil(world.now + 300);
      if (failure !== null) oracle.fail("I10", `after all faults: ${failure}`);
    }
    oracle.judgeSilence();
    this.#copies.compare();
  }

  /** Those that still run by an older file are started again, one after the other. */
  #readFileAnew(): void {
    const { world } = this;
    if (!this.isMixed) return;
    for (const web of this.web.servers) web.setup = this.setup;
    for (const { process, node } of [...this.apps.values()]) {
      if (process.setup === this.setup) continue;
      node.leave();
      for (let waited = 0; !node.isDrained && waited < 20_000; waited += 500) world.runUntil(world.now + 500);
      const app = this.apps.get(process.server);
      if (app !== undefined) this.end(app);
      world.runUntil(world.now + 500);
      this.start(process.server);
      world.runUntil(world.now + 1_000);
    }
    this.voting?.renewWitness();
  }
}

const roleNames: readonly string[] = ["nobody", "joining", "backup", "owner"];

export function simulate(seed: number, options: Options = {}): Outcome {
  return withoutWallClock(() => new Simulation(seed, options).run());
}
