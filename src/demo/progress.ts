/** What a person sees while something runs: one living line on a terminal, a plain line now and then in a pipe. */

const terminalPauseMs = 250;
const pipePauseMs = 5_000;

export class Progress {
  readonly #out: NodeJS.WriteStream;
  #shownAt = -Infinity;

  constructor(out: NodeJS.WriteStream = process.stdout) {
    this.#out = out;
  }

  /** Something happened: a line that stays. */
  say(text: string): void {
    this.#clear();
    this.#out.write(`${text}\n`);
  }

  /** How it stands; called as often as one likes. */
  show(text: string): void {
    const now = performance.now();
    if (now - this.#shownAt < (this.#out.isTTY ? terminalPauseMs : pipePauseMs)) return;
    this.#shownAt = now;
    this.#clear();
    // No longer than the line, or the terminal would wrap it and the next one would not cover it.
    this.#out.write(this.#out.isTTY ? text.slice(0, (this.#out.columns || 80) - 1) : `${text}\n`);
  }

  #clear(): void {
    if (this.#out.isTTY) this.#out.write("\r\x1b[2K");
  }
}
