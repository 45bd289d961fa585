/** Why sessions can't be written to disk. The log is told of each trouble once; on a disk that breaks, or is just full, they come and go: seldom. */
import { sessionDatabase as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import { SeldomEach } from "../../support/seldom.ts";

export class DiskTrouble {
  /** For a person; null: it can be written, as far as is known. */
  now: string | null = null;
  readonly #folder: string;
  readonly #log: Log;
  readonly #meanwhile: string;
  readonly #seldom: SeldomEach = new SeldomEach(limits.complaintIntervalMs);
  #logged: string | null = null;

  /** @param meanwhile what happens until it is over: a sentence. */
  constructor(folder: string, log: Log, meanwhile: string) {
    this.#folder = folder;
    this.#log = log;
    this.#meanwhile = meanwhile;
  }

  /** After each attempt. @returns whether it is another one than before. */
  take(trouble: string | null): boolean {
    if (trouble !== this.#logged) this.#tell(trouble);
    const isNew = trouble !== this.now;
    this.now = trouble;
    return isNew;
  }

  #tell(trouble: string | null): void {
    if (trouble !== null && this.#seldom.add(trouble) === 0) return;
    this.#logged = trouble;
    if (trouble === null) this.#log.info(`sessions are written to ${this.#folder} again`);
    else
      this.#log.error(
        { code: "FLOTILLA_SESSIONS_DISK" },
        `sessions can't be written to disk: ${trouble}. ${this.#meanwhile}`,
      );
  }
}
