/** How far a long command is, on standard error: one line that changes on a terminal, else a line now and then. */
import { sessionAdmin as limits } from "../../support/limits.ts";

/** A file of lines is not to grow by one each second. */
const plainTimes = 10;

export class Progress {
  #toldAt: number = performance.now();
  #isLineOpen = false;

  tell(words: () => string): void {
    const now = performance.now();
    const { isTTY } = process.stderr;
    if (now - this.#toldAt < limits.progressMs * (isTTY ? 1 : plainTimes)) return;
    this.#toldAt = now;
    process.stderr.write(isTTY ? `\r\u001b[K${words()}` : `${words()}\n`);
    this.#isLineOpen = isTTY;
  }

  /** What is said next begins a line. */
  end(): void {
    if (this.#isLineOpen) process.stderr.write("\r\u001b[K");
    this.#isLineOpen = false;
  }
}
