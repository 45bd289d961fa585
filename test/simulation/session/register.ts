/**
 * A model of the register, quick and with worse manners than the real one (voting-register.ts): linearizable, reached over ways that are slow, lose answers and can be cut. A compare-and-set of
 * unknown outcome may still happen, until the same client's next read.
 */
import type { CasOutcome, Register, Versioned } from "../../../src/register/register.ts";
import type { SlotMap } from "../../../src/register/slot-map.ts";
import { FlotillaError } from "../../../src/support/errors.ts";
import type { Process, World } from "./world.ts";

const timeoutMs = 300;
/** What the simulation needs of a register, of the model or of the real one. */
export interface SharedRegister {
  /** The newest that anybody knows. */
  readonly state: Versioned<SlotMap> | null;
  /** Servers that can't reach it, with how often they were cut off. */
  readonly cutOff: Map<string, number>;
  /** How often a question or an answer is lost. */
  lossProbability: number;
  onChange: (before: Versioned<SlotMap> | null, after: Versioned<SlotMap>, by: string) => void;
  client(process: Process): Register<SlotMap>;
  ended(process: Process, isMachineLost: boolean): void;
}

/** When nothing is said to be wrong with it. */
export const lossProbability = 0.01;

interface LateChange {
  readonly expected: number;
  readonly value: SlotMap;
  isSettled: boolean;
}

export class SimulatedRegister implements SharedRegister {
  readonly world: World;
  state: Versioned<SlotMap> | null = null;
  readonly cutOff: Map<string, number> = new Map();
  lossProbability: number = lossProbability;
  onChange: SharedRegister["onChange"] = () => {};
  readonly #clients: Set<RegisterClient> = new Set();

  constructor(world: World) {
    this.world = world;
  }

  client(process: Process): Register<SlotMap> {
    const client = new RegisterClient(this, process);
    this.#clients.add(client);
    return client;
  }

  ended(): void {}

  isReachable(process: Process): boolean {
    return (this.cutOff.get(process.server) ?? 0) === 0;
  }

  /** @returns whether it was done. */
  change(expected: number, value: SlotMap, by: Process): boolean {
    if ((this.state?.version ?? 0) !== expected) return false;
    const before = this.state;
    this.state = { version: expected + 1, value };
    this.onChange(before, this.state, `by ${by.name}`);
    const { state } = this;
    for (const client of this.#clients) {
      if (!client.process.isAlive) this.#clients.delete(client);
      else if (this.world.chance(0.8)) client.push(state);
    }
    return true;
  }
}

class RegisterClient implements Register<SlotMap> {
  readonly process: Process;
  readonly #register: SimulatedRegister;
  readonly #listeners: Set<(state: Versioned<SlotMap>) => void> = new Set();
  readonly #late: LateChange[] = [];
  known: Versioned<SlotMap> | null = null;

  constructor(register: SimulatedRegister, process: Process) {
    this.#register = register;
    this.process = process;
  }

  read(done: (error: FlotillaError | null, state: Versioned<SlotMap> | null) => void): void {
    this.#ask(
      () => {
        for (const late of this.#late.splice(0)) this.#settle(late);
        return this.#register.state;
      },
      (state) => {
        if (state !== null) this.#learn(state);
        done(null, state);
      },
      () => done(new FlotillaError("FLOTILLA_REGISTER_UNREACHABLE", "too few voters answer"), null),
    );
  }

  compareAndSet(expected: number, value: SlotMap, done: (outcome: CasOutcome<SlotMap>) => void): void {
    const { world } = this.#register;
    const late: LateChange = { expected, value, isSettled: false };
    this.#ask<CasOutcome<SlotMap>>(
      () => {
        late.isSettled = true;
        const isDone = this.#register.change(expected, value, this.process);
        if (isDone) return { kind: "done", state: { version: expected + 1, value } };
        return { kind: "conflict", state: this.#register.state! };
      },
      (outcome) => {
        if (outcome.kind !== "unknown") this.#learn(outcome.state);
        done(outcome);
      },
      (wasSent) => {
        if (!late.isSettled && wasSent) {
          this.#late.push(late);
          if (world.chance(0.5)) world.after(world.between(0, 3_000), null, () => this.#settle(late));
        }
        const error = new FlotillaError("FLOTILLA_REGISTER_UNREACHABLE", "too few voters answer");
        done({ kind: "unknown", error });
      },
    );
  }

  watch(listener: (state: Versioned<SlotMap>) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  push(state: Versioned<SlotMap>): void {
    const { world } = this.#register;
    world.after(world.between(0.5, 20), this.process, () => {
      if (this.#register.isReachable(this.process)) this.#learn(state);
    });
  }

  #settle(late: LateChange): void {
    if (late.isSettled) return;
    late.isSettled = true;
    if (this.#register.world.chance(0.7)) {
      this.#register.change(late.expected, late.value, this.process);
    }
  }

  #learn(state: Versioned<SlotMap>): void {
    if (this.known !== null && state.version <= this.known.version) return;
    this.known = state;
    for (const listener of this.#listeners) listener(state);
  }

  #ask<Answer>(
    act: () => Answer,
    answered: (answer: Answer) => void,
    failed: (wasSent: boolean) => void,
  ): void {
    const { world } = this.#register;
    const reaches = this.#register.isReachable(this.process);
    let isOver = false;
    const finish = (run: () => void): void => {
      if (isOver) return;
      isOver = true;
      run();
    };
    world.after(timeoutMs, this.process, () => finish(() => failed(reaches)));
    if (!reaches || world.chance(this.#register.lossProbability / 2)) return;
    world.after(world.between(0.5, 8), null, () => {
      if (!this.#register.isReachable(this.process)) return;
      const answer = act();
      if (world.chance(this.#register.lossProbability)) return;
      world.after(world.between(0.5, 8), this.process, () => finish(() => answered(answer)));
    });
  }
}
