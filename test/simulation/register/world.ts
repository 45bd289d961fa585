/**
 * Machines, processes, disks and a network in virtual time, all decided by one seed, around the real register.
 * Machines are called a, b, c ...; each has one disk and one or two processes that may serve its vote.
 */
import { Acceptor, type VoteStorage } from "../../../src/register/members/acceptor.ts";
import { MembersRegister } from "../../../src/register/members/members-register.ts";
import {
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  type VoterAnswer,
  type VoterRequest,
} from "../../../src/register/members/messages.ts";
import type { VoterTransport } from "../../../src/register/members/patience.ts";
import { compareBallots, noBallot } from "../../../src/register/members/state.ts";
import { decodeVote } from "../../../src/register/members/vote-codec.ts";
import { VoterChanges, type VoterChangesOptions } from "../../../src/register/members/voter-changes.ts";
import type { ValueCodec } from "../../../src/register/register.ts";
import { unreachable } from "../../../src/register/unreachable.ts";
import { type Clock, type Random, seededRandom } from "../../../src/support/clock.ts";
import { Disk, storageOn } from "../disk.ts";
import { Checker, ForkingChecker, type TestValue, Violation } from "./checker.ts";
import { Scheduler } from "./scheduler.ts";

/** Parts that a mutant replaces by faulty ones. */
export interface Parts {
  /** False: a disk that answers before the bytes are safe. */
  readonly syncs: boolean;
  readonly newMarker: (machine: string, random: Random) => string;
  readonly answer: (request: VoterRequest, answer: VoterAnswer) => VoterAnswer;
  readonly changes: (options: VoterChangesOptions) => VoterChanges;
}

export const soundParts: Parts = {
  syncs: true,
  newMarker: (machine, random) => `${machine}-${Math.floor(random() * 1e9).toString(36)}`,
  answer: (_request, answer) => answer,
  changes: (options) => new VoterChanges(options),
};

export const codec: ValueCodec<TestValue> = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(bytes.toString()) as TestValue,
};

export class Machine extends Disk {
  readonly name: string;
  readonly processes: Process[] = [];

  constructor(name: string) {
    super();
    this.name = name;
  }
}

export interface Process {
  readonly name: string;
  readonly machine: Machine;
  readonly register: MembersRegister<TestValue>;
  readonly changes: VoterChanges;
  readonly acceptor: Acceptor;
  readonly node: string;
  alive: boolean;
  pausedUntilMs: number;
}

export interface NetworkFaults {
  loss: number;
  duplicates: number;
  /** How often a message takes up to 1.5 s instead of milliseconds. */
  delays: number;
}

export class World {
  readonly scheduler: Scheduler = new Scheduler();
  readonly random: Random;
  readonly checker: Checker;
  readonly machines: Machine[];
  readonly fileVoters: readonly string[];
  readonly parts: Parts;
  readonly faults: NetworkFaults = { loss: 0, duplicates: 0, delays: 0 };
  /** "a>b": what a sends does not reach b. */
  readonly cuts: Set<string> = new Set();
  readonly history: string[] = [];
  /** Kills a process at a step of a vote. */
  crashAtStep = 0;
  onProcess: (process: Process) => void = () => {};
  #starts = 0;

  constructor(seed: number, machines: number, voters: number, parts: Parts = soundParts) {
    this.random = seededRandom(seed);
    this.machines = Array.from({ length: machines }, (_, index) => new Machine("abcdefgh".charAt(index)));
    this.fileVoters = this.machines.slice(0, voters).map(({ name }) => name);
    this.parts = parts;
    this.checker = voters === 2 ? new ForkingChecker() : new Checker();
  }

  note(who: string, what: string): void {
    this.history.push(`${this.scheduler.nowMs.toFixed(1).padStart(9)} ms  ${who.padEnd(7)} ${what}`);
  }

  chance(probability: number): boolean {
    return probability > 0 && this.random() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)]!;
  }

  get living(): Process[] {
    return this.machines.flatMap(({ processes }) => processes.filter(({ alive }) => alive));
  }

  start(machine: Machine): Process {
    const name = `${machine.name}${++this.#starts}`;
    const rate = 0.9 + this.random() * 0.2;
    const host = this.scheduler.clock(rate, this.random() * 1e6);
    // Filled below: the parts need a process that can be dead or paused.
    const self = { name, machine, node: `${machine.name}#${name}`, alive: true, pausedUntilMs: 0 };
    const process = self as unknown as Process;
    const clock: Clock = {
      now: host.now,
      after: (delayMs, run) => host.after(delayMs, () => this.run(process, run)),
    };
    const transport: VoterTransport = {
      send: (voter, request, done) => this.#send(process, voter, request, done),
    };
    const register = new MembersRegister<TestValue>({
      ...{ node: self.node, fileVoters: this.fileVoters, codec, transport, clock, random: this.random },
      first: () => ({ op: `first-by-${name}`, from: "" }),
      afterFork: (kept) => kept,
    });
    const acceptor = new Acceptor({
      name: machine.name,
      storage: this.#storage(process),
      newMarker: () => this.parts.newMarker(machine.name, this.random),
      onDamage: (error) => this.note(name, error.message),
    });
    const changes = this.parts.changes({
      ...{ register, wanted: null, ownVoter: machine.name, transport, clock, random: this.random },
      onProblem: (message) => this.note(name, message),
    });
    Object.assign(self, { register, acceptor, changes });
    machine.processes.push(process);
    let last = 0;
    register.watch((state) => {
      if (state.version <= last) throw new Violation(`${name} goes from version ${last} to ${state.version}`);
      last = state.version;
      if (self.alive) this.checker.seen(state);
    });
    changes.start();
    this.note(name, "starts");
    this.onProcess(process);
    return process;
  }

  /** Runs what belongs to a process: later while it is paused, never once it is dead. */
  run(process: Process, what: () => void): void {
    if (!process.alive) return;
    const waitMs = process.pausedUntilMs - this.scheduler.nowMs;
    if (waitMs > 0) this.scheduler.after(waitMs, () => this.run(process, what));
    else what();
  }

  kill(process: Process): void {
    if (!process.alive) return;
    this.note(process.name, "is killed");
    process.alive = false;
    const { machine } = process;
    machine.unlockFrom(process);
    machine.processes.splice(machine.processes.indexOf(process), 1);
    process.register.stop();
    process.changes.stop();
  }

  /** The whole machine: what was not synced is as it was before. */
  cutPower(machine: Machine): void {
    this.note(machine.name, "loses power");
    for (const process of [...machine.processes]) this.kill(process);
    machine.file = machine.durable;
  }

  /**
   * True while every voter of the newest state has the memory that it is counted with: one may be lost. And a majority
   * of the file's voters has to be left that knows of the register, or a new process could take it for a new cluster.
   */
  mayLoseFile(): boolean {
    const blank = this.fileVoters.filter((name) => {
      const { durable } = this.machine(name);
      return durable === null || (decodeVote(durable)?.accepted ?? null) === null;
    });
    if (blank.length + 1 > (this.fileVoters.length - 1) / 2) return false;
    const newest = this.living.map(({ register }) => register).sort(byVersion)[0];
    if (newest?.voters == null || newest.known!.version < this.checker.newest || newest.voters.next !== null)
      return false;
    return newest.voters.current.every(({ name, marker }) => {
      const { durable } = this.machine(name);
      return durable !== null && decodeVote(durable)?.marker === marker;
    });
  }

  /** The machine whose voter has accepted the highest ballot. */
  knowsMost(): Machine {
    let most = this.machines[0]!;
    let highest = noBallot;
    for (const machine of this.machines) {
      const ballot = (machine.durable && decodeVote(machine.durable)?.accepted?.ballot) ?? noBallot;
      if (compareBallots(ballot, highest) <= 0) continue;
      most = machine;
      highest = ballot;
    }
    return most;
  }

  machine(name: string): Machine {
    return this.machines.find((machine) => machine.name === name)!;
  }

  #send(
    from: Process,
    voter: string,
    request: VoterRequest,
    done: (error: ReturnType<typeof unreachable> | null, answer: VoterAnswer | null) => void,
  ): void {
    const machine = this.machine(voter);
    // All messages are values: some go by way of their bytes, which is slower.
    const asBytes = this.chance(0.1);
    const asked = asBytes ? decodeRequest(encodeRequest(request)) : request;
    this.#carry(from.machine, machine, () => {
      const target = machine.processes.length === 0 ? null : this.pick(machine.processes);
      if (target === null) {
        this.#carry(machine, from.machine, () =>
          this.run(from, () => done(unreachable(`${voter}: no process`), null)),
        );
        return;
      }
      this.run(target, () =>
        target.acceptor.handle(asked, (error, answer) => {
          let told = answer === null ? null : this.parts.answer(request, answer);
          if (asBytes && told !== null) told = decodeAnswer(encodeAnswer(told));
          this.#carry(machine, from.machine, () => this.run(from, () => done(error, told)));
        }),
      );
    });
  }

  #carry(from: Machine, to: Machine, deliver: () => void): void {
    if (from === to) {
      this.scheduler.after(0.1, deliver);
      return;
    }
    const copies = this.chance(this.faults.duplicates) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.chance(this.faults.loss) || this.cuts.has(`${from.name}>${to.name}`)) continue;
      const delayMs = this.chance(this.faults.delays) ? this.random() * 1_500 : 0.2 + this.random() * 3;
      this.scheduler.after(delayMs, deliver);
    }
  }

  #storage(process: Process): VoteStorage {
    const { machine } = process;
    const step = (what: () => void): void => {
      this.scheduler.after(0.1 + this.random() * 1.5, () => {
        if (process.alive && this.chance(this.crashAtStep)) {
          if (this.chance(0.5)) this.kill(process);
          else this.cutPower(machine);
        }
        this.run(process, what);
      });
    };
    return storageOn(machine, {
      identity: process,
      syncs: this.parts.syncs,
      step,
      after: (delayMs, what) => this.scheduler.after(delayMs, what),
    });
  }
}

function byVersion(one: MembersRegister<TestValue>, other: MembersRegister<TestValue>): number {
  return (other.known?.version ?? 0) - (one.known?.version ?? 0);
}
