/** A file below /proc that is read again and again: it stays open, which costs a third of opening it each time. */
import { closeSync, openSync, readSync } from "node:fs";

/** All files are read into it: what is looked for stands at their begin. */
const buffer: Buffer = Buffer.allocUnsafeSlow(4_096);

export class ProcFile {
  #descriptor = -1;

  /** Where it is not there (a container, another system) it stays empty. */
  constructor(path: string) {
    try {
      this.#descriptor = openSync(path, "r");
    } catch {
      // `read` says nothing.
    }
  }

  /** Its first 4,096 bytes as it is now, or "". */
  read(): string {
    if (this.#descriptor === -1) return "";
    try {
      return buffer.latin1Slice(0, readSync(this.#descriptor, buffer, 0, buffer.length, 0));
    } catch {
      return "";
    }
  }

  close(): void {
    if (this.#descriptor !== -1) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }
}

/** A number as the kernel prints it; null for anything else. */
export function kernelNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,19}$/.test(text) ? Number(text) : null;
}
