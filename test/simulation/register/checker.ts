/**
 * What must hold of a register's history: one chain of versions, reads that return nothing older than what anybody
 * knew when they began, changes that end as they said, and unknown ones that the next read settles.
 */

export interface TestValue {
  /** The change that made it; a change of voters keeps it. */
  readonly op: string;
  /** What it was made from. */
  readonly from: string;
}

export interface Seen {
  readonly version: number;
  readonly value: TestValue;
}

export class Violation extends Error {}

export class Checker {
  /** Version to the change that made its value. */
  readonly #chain: Map<number, TestValue> = new Map();
  /** Changes that can't be in the chain any more, and why. */
  readonly #banned: Map<string, string> = new Map();
  readonly #done: Map<string, number> = new Map();
  /** The newest version that anybody knew to be committed. */
  newest = 0;

  /** A state that a register calls committed. */
  seen(state: Seen): void {
    const { version, value } = state;
    const known = this.#chain.get(version);
    if (known !== undefined && known.op !== value.op)
      throw new Violation(`version ${version} is ${known.op} here and ${value.op} there`);
    this.#chain.set(version, value);
    this.newest = Math.max(this.newest, version);
    this.#follows(version);
    this.#follows(version + 1);
    const why = this.#banned.get(value.op);
    if (why !== undefined) throw new Violation(`${value.op} is version ${version}, but ${why}`);
  }

  read(state: Seen, newestAtStart: number): void {
    if (state.version < newestAtStart)
      throw new Violation(
        `a read returned version ${state.version}; ${newestAtStart} was known before it began`,
      );
    this.seen(state);
  }

  done(op: string, state: Seen, newestAtStart: number): void {
    if (state.version <= newestAtStart)
      throw new Violation(`${op} made version ${state.version}; ${newestAtStart} was known before it began`);
    if (state.value.op !== op) throw new Violation(`${op} is done, but its version holds ${state.value.op}`);
    this.#done.set(op, state.version);
    this.seen(state);
  }

  /** @param why for the message, should it be found in the chain all the same. */
  never(op: string, why: string): void {
    for (const [version, value] of this.#chain)
      if (value.op === op) throw new Violation(`${op} is version ${version}, but ${why}`);
    this.#banned.set(op, why);
  }

  /** Nothing that was done is missing, as far as its version was seen. */
  end(): void {
    for (const [op, version] of this.#done)
      if (this.#chain.get(version)?.op !== op)
        throw new Violation(`${op} was done as version ${version} and is lost`);
  }

  #follows(version: number): void {
    const [value, before] = [this.#chain.get(version), this.#chain.get(version - 1)];
    if (value === undefined || before === undefined || value.op === before.op) return;
    if (value.from !== before.op)
      throw new Violation(
        `version ${version} was made from ${value.from}, not from version ${version - 1}, ${before.op}`,
      );
  }
}

/** For two voters, between which a cut may make two chains: only what each server sees must go forward. */
export class ForkingChecker extends Checker {
  override seen(state: Seen): void {
    this.newest = Math.max(this.newest, state.version);
  }

  override read(state: Seen): void {
    this.seen(state);
  }

  override done(_op: string, state: Seen): void {
    this.seen(state);
  }

  override never(): void {}
}
