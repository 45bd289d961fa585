/**
 * The register as it really is: voters on the machines of the app servers (and a witness where there are two), each with
 * its file on a disk that can be slow, full or lost, and questions that get lost, come late or come twice.
 */
import { Acceptor } from "../../../src/register/members/acceptor.ts";
import { MembersRegister } from "../../../src/register/members/members-register.ts";
import type { VoterAnswer, VoterRequest } from "../../../src/register/members/messages.ts";
import type { VoterTransport } from "../../../src/register/members/patience.ts";
import { decodeVote } from "../../../src/register/members/vote-codec.ts";
import { VoterChanges } from "../../../src/register/members/voter-changes.ts";
import type { Register, Versioned } from "../../../src/register/register.ts";
import { aboveForks, type SlotMap } from "../../../src/register/slot-map.ts";
import { unreachable } from "../../../src/register/unreachable.ts";
import type { ServerPlace } from "../../../src/session/cluster/peer.ts";
import type { Clock } from "../../../src/support/clock.ts";
import type { FlotillaError } from "../../../src/support/errors.ts";
import { register as limits } from "../../../src/support/limits.ts";
import { Disk, storageOn } from "../disk.ts";
import type { Network } from "./network.ts";
import { lossProbability, type SharedRegister } from "./register.ts";
import { refusalBetween, type Setup, votersOf, witnessName } from "./setup.ts";
import { Process, type World } from "./world.ts";

/** A question that is held up by a cut arrives by then, or never. */
const heldMsMax = 3_000;

type Answered = (error: FlotillaError | null, answer: VoterAnswer | null) => void;

/** A machine, or the witness: one vote, whoever of its processes casts it. */
export class VotingMachine {
  readonly name: string;
  readonly disk: Disk = new Disk();
  /** Each step of the disk takes up to so much longer. */
  slownessMs = 0;
  readonly processes: Set<Voting> = new Set();

  constructor(name: string) {
    this.name = name;
  }
}

/** One process with its part of the register. */
interface Voting {
  readonly process: Process;
  readonly machine: VotingMachine;
  readonly acceptor: Acceptor;
  readonly register: MembersRegister<SlotMap>;
  readonly changes: VoterChanges;
}

export interface VotingRegisterOptions {
  readonly world: World;
  readonly network: Network;
  readonly places: readonly ServerPlace[];
  /** What a process that starts now runs with. */
  readonly setup: () => Setup;
  readonly firstMap: SlotMap;
  /** Broken: one of two voters is not waited for. */
  readonly isImpatient: boolean;
  readonly fail: (invariant: string, what: string) => void;
}

export class VotingRegister implements SharedRegister {
  state: Versioned<SlotMap> | null = null;
  readonly cutOff: Map<string, number> = new Map();
  lossProbability: number = lossProbability;
  onChange: SharedRegister["onChange"] = () => {};
  readonly machines: readonly VotingMachine[];
  /** Told of each step of a vote, between reading, writing, syncing and answering. */
  onStep: (process: Process) => void = () => {};
  readonly #options: VotingRegisterOptions;
  readonly #votings: Map<Process, Voting> = new Map();
  /** I7: what each version was found to be. */
  readonly #chain: Map<number, string> = new Map();
  #markers = 0;
  #witnesses = 0;

  constructor(options: VotingRegisterOptions) {
    this.#options = options;
    const addresses = [...new Set(options.places.map(({ machine }) => machine))];
    const { hasWitness } = options.setup();
    const names = hasWitness ? [...addresses, witnessName] : addresses;
    this.machines = names.map((name) => new VotingMachine(name));
    if (hasWitness) this.startWitness();
  }

  get #isPair(): boolean {
    return this.machines.length === 2;
  }

  /** The process of the witness that runs, if any does. */
  get witness(): Process | null {
    for (const { process } of this.#machine(witnessName)?.processes ?? []) return process;
    return null;
  }

  /** Told when the witness has started. */
  onWitness: () => void = () => {};

  startWitness(): void {
    if (this.witness !== null) return;
    const { world } = this.#options;
    const rate = world.between(0.9, 1.1);
    const process = new Process(world, witnessName, String(++this.#witnesses), rate, this.#options.setup());
    world.tell(process.name, "starts");
    this.#begin(process, this.#machine(witnessName)!);
    this.onWitness();
  }

  /** Starts it again if it runs with an older file or release. */
  renewWitness(): void {
    const process = this.witness;
    if (process === null || process.setup === this.#options.setup()) return;
    process.die();
    this.ended(process, false);
    this.startWitness();
  }

  client(process: Process): Register<SlotMap> {
    const { machine } = this.#options.places.find(({ server }) => server === process.server)!;
    return this.#begin(process, this.#machine(machine)!).register;
  }

  /** @param isMachineLost what was not synced is lost, unless another process keeps the machine up. */
  ended(process: Process, isMachineLost: boolean): void {
    const voting = this.#votings.get(process);
    if (voting === undefined) return;
    const { machine, register, changes } = voting;
    this.#votings.delete(process);
    machine.processes.delete(voting);
    machine.disk.unlockFrom(process);
    register.stop();
    changes.stop();
    if (isMachineLost && machine.processes.size === 0) machine.disk.file = machine.disk.durable;
  }

  /** Every vote can be cast, and is counted. */
  get isWhole(): boolean {
    const { voters } = this;
    return (
      voters.length > 0 &&
      this.#allAreCounted() &&
      voters.every(({ processes, disk }) => processes.size > 0 && !disk.full)
    );
  }

  /** The machines whose vote counts now, as far as anybody knows; empty while that is being changed. */
  get voters(): readonly VotingMachine[] {
    const newest = this.#newest();
    if (newest?.voters == null || newest.voters.next !== null) return [];
    return newest.voters.current.map(({ name }) => this.#machine(name)!);
  }

  /**
   * Whether one voter may lose its memory now: all are counted with the one that they have, and a majority of the file's
   * voters would be left that know of the register.
   */
  get mayLoseFile(): boolean {
    const newest = this.#newest();
    if (newest?.voters == null || newest.voters.next !== null) return false;
    if (newest.known!.version < this.state!.version || newest.voters.current.length < 3) return false;
    const fileVoters = votersOf(this.#options.setup());
    const knowing = fileVoters.filter((name) => this.#voteOf(name)?.accepted != null);
    if (knowing.length - 1 <= fileVoters.length / 2) return false;
    return this.#allAreCounted();
  }

  /** Whether the process can ask most of the voters, as far as links go. */
  reachesMost(process: Process): boolean {
    const { voters } = this;
    const reached = voters.filter(({ processes }) =>
      [...processes].some((other) => isLinked(process, other.process)),
    );
    return voters.length === 0 || reached.length * 2 > voters.length;
  }

  /** One step of a change of voters, by any process that knows of the register. */
  changeVoters(by: Process, wanted: readonly string[], done: (what: string) => void): void {
    const voting = this.#votings.get(by);
    if (voting === undefined || voting.register.voters === null) return done("nobody to do it");
    voting.changes.step(wanted, (error, isReached) =>
      done(error === null ? (isReached ? "reached" : "one step") : error.message),
    );
  }

  #begin(process: Process, machine: VotingMachine): Voting {
    const { world, firstMap } = this.#options;
    const transport: VoterTransport = {
      send: (voter, request, done) => this.#send(process, machine, voter, request, done),
    };
    const clock = this.#options.isImpatient ? impatient(process.clock) : process.clock;
    const parts = { transport, clock, random: world.random };
    const register = new MembersRegister<SlotMap>({
      ...{ ...parts, node: process.name, fileVoters: votersOf(process.setup!) },
      codec: plainCodec,
      first: () => firstMap,
      afterFork: aboveForks,
    });
    const acceptor = new Acceptor({
      name: machine.name,
      storage: storageOn(machine.disk, {
        identity: process,
        syncs: true,
        step: (what) =>
          world.after(world.between(0.1, 1.5 + machine.slownessMs), process, () => {
            this.onStep(process);
            process.happen(what);
          }),
        after: (delayMs, what) => void world.after(delayMs, null, what),
      }),
      newMarker: () => `${machine.name}-${++this.#markers}`,
      onDamage: ({ message }) => world.tell(process.name, message),
    });
    const changes = new VoterChanges({
      ...{ ...parts, register, ownVoter: machine.name, wanted: votersOf(process.setup!) },
      onProblem: (message) => world.tell(process.name, message),
    });
    const voting: Voting = { process, machine, acceptor, register, changes };
    machine.processes.add(voting);
    this.#votings.set(process, voting);
    register.watch((state) => this.#learn(state, process));
    changes.start();
    if (process.server === witnessName) this.#keepReading(voting);
    return voting;
  }

  /** A witness reads now and then, as the others do. */
  #keepReading({ process, register }: Voting): void {
    register.read(() => process.clock.after(3_000, () => this.#keepReading({ process, register } as Voting)));
  }

  /** Before the process itself acts on it. */
  #learn(state: Versioned<SlotMap>, by: Process): void {
    const text = plainCodec.encode(state.value).toString();
    const known = this.#chain.get(state.version);
    if (known === undefined) this.#chain.set(state.version, text);
    else if (known !== text) {
      this.#options.fail("I7", `${by.name} has another version ${state.version} of the register than others`);
    }
    if (this.state !== null && state.version <= this.state.version) return;
    const before = this.state;
    this.state = state;
    this.onChange(before, state, `first known to ${by.name}`);
  }

  #send(from: Process, own: VotingMachine, voter: string, request: VoterRequest, done: Answered): void {
    const { world } = this.#options;
    const machine = this.#machine(voter);
    const target = machine === undefined ? null : this.#processOn(machine, from);
    if (target === null) {
      world.after(world.between(0.2, 3), from, () => done(unreachable(`${voter}: no process`), null));
      return;
    }
    const isLocal = machine === own;
    const answer = (): void =>
      target.acceptor.handle(request, (error, told) =>
        this.#carry(target.process.server, from.server, isLocal, () => from.happen(() => done(error, told))),
      );
    this.#carry(from.server, target.process.server, isLocal, () => target.process.happen(answer));
  }

  #carry(from: string, to: string, isLocal: boolean, deliver: () => void): void {
    const { world } = this.#options;
    if (isLocal) {
      world.after(0.1, null, deliver);
      return;
    }
    if (this.#isPair) {
      // Nothing is lost between two that are not cut: each question has a connection to answer for it.
      world.after(world.between(0.3, 4), null, () => this.#arrive(from, to, deliver, world.now + heldMsMax));
      return;
    }
    const copies = world.chance(this.lossProbability) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (world.chance(this.lossProbability)) continue;
      const delayMs = world.chance(this.lossProbability) ? world.between(3, 1_500) : world.between(0.3, 4);
      world.after(delayMs, null, () => this.#arrive(from, to, deliver, world.now + heldMsMax));
    }
  }

  #arrive(from: string, to: string, deliver: () => void, untilMs: number): void {
    const { world } = this.#options;
    if (!this.#isCut(from, to)) deliver();
    else if (world.now < untilMs && world.chance(0.7)) {
      world.after(world.between(50, 500), null, () => this.#arrive(from, to, deliver, untilMs));
    }
  }

  #isCut(from: string, to: string): boolean {
    const isOff = (server: string): boolean => (this.cutOff.get(server) ?? 0) > 0;
    return isOff(from) || isOff(to) || this.#options.network.isCut(from, to);
  }

  /** One that answers, as far as the asker can know. */
  #processOn({ processes }: VotingMachine, asker: Process): Voting | null {
    const all = [...processes].filter(({ process }) => isLinked(asker, process));
    if (all.length === 0) return null;
    const awake = all.filter(({ process }) => !process.isPaused);
    return this.#options.world.pick(awake.length > 0 ? awake : all);
  }

  #newest(): MembersRegister<SlotMap> | null {
    let newest: MembersRegister<SlotMap> | null = null;
    for (const { register } of this.#votings.values()) {
      if ((register.known?.version ?? 0) > (newest?.known?.version ?? 0)) newest = register;
    }
    return newest;
  }

  /** The newest set names each voter with the memory that it has. */
  #allAreCounted(): boolean {
    const voters = this.#newest()?.voters?.current ?? [];
    return voters.every(({ name, marker }) => this.#voteOf(name)?.marker === marker);
  }

  #voteOf(name: string) {
    const { durable } = this.#machine(name)!.disk;
    return durable === null ? null : decodeVote(durable);
  }

  #machine(name: string): VotingMachine | undefined {
    return this.machines.find((machine) => machine.name === name);
  }
}

function impatient(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    after: (delayMs, callback) => clock.after(delayMs === limits.awakeStepMs ? 2.5 : delayMs, callback),
  };
}

/** One asks its own machine's vote itself. */
function isLinked(one: Process, other: Process): boolean {
  return one === other || refusalBetween(one, other) === "";
}

/** Letters are another test's subject. */
export const plainCodec = {
  encode: ({ slots }: SlotMap): Buffer => Buffer.from(JSON.stringify(slots)),
  decode: (bytes: Buffer): SlotMap => ({ letters: new Map(), slots: JSON.parse(bytes.toString()) }),
};
