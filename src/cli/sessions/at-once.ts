/** Several things under way at the same time, and never more: whoever begins another one waits for a place. */
export class AtOnce {
  readonly #max: number;
  readonly #underWay: Set<Promise<void>> = new Set();
  #failure: { readonly error: unknown } | null = null;

  constructor(max: number) {
    this.#max = max;
  }

  /** Ends when it has begun. @throws what one that was begun before has thrown. */
  async begin(work: () => Promise<void>): Promise<void> {
    while (this.#underWay.size >= this.#max) await Promise.race(this.#underWay);
    this.#refuseFailed();
    const one = work()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#underWay.delete(one));
    this.#underWay.add(one);
  }

  /** Ends when all have. @throws what one of them has thrown. */
  async end(): Promise<void> {
    await Promise.all(this.#underWay);
    this.#refuseFailed();
  }

  #refuseFailed(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}
