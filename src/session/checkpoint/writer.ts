/** The text of a checkpoint, line by line: what it is, its sessions, and an end that says how many they were and their digest. */
import { createHash, type Hash } from "node:crypto";

export const checkpointFormat = "sessions";
export const checkpointVersion = 1;

export interface CheckpointHeader {
  /** The cluster's name, and the fingerprint of the key of its ids; "" where they are not known. */
  readonly cluster: string;
  readonly idKey: string;
  /** When it was begun, as RFC 3339 has it; for people alone. */
  readonly takenAt: string;
  /** There were then, about; null: not known. */
  readonly sessions: number | null;
}

export class CheckpointWriter {
  readonly #hash: Hash = createHash("sha256");
  #sessions = 0;

  get sessions(): number {
    return this.#sessions;
  }

  header({ cluster, idKey, takenAt, sessions }: CheckpointHeader): string {
    return this.#line({
      ...{ flotilla: checkpointFormat, version: checkpointVersion, cluster, idKey, takenAt },
      ...(sessions === null ? {} : { sessions }),
    });
  }

  /** @param record as in record.ts. */
  session(record: unknown): string {
    this.#sessions++;
    return this.#line(record);
  }

  /** Nothing comes after it. */
  end(): string {
    const sha256 = this.#hash.digest("hex");
    return `${JSON.stringify({ end: true, sessions: this.#sessions, sha256 })}\n`;
  }

  #line(value: unknown): string {
    const line = `${JSON.stringify(value)}\n`;
    this.#hash.update(line, "utf8");
    return line;
  }
}
