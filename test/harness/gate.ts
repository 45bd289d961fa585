/** A point in a handler that the test waits for and lets go on. */
export class Gate {
  readonly reached: Promise<void>;
  readonly #opened: Promise<void>;
  open: () => void = () => {};
  #reach: () => void = () => {};

  constructor() {
    this.reached = new Promise((resolve) => {
      this.#reach = resolve;
    });
    this.#opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }

  async pass(): Promise<void> {
    this.#reach();
    await this.#opened;
  }
}
