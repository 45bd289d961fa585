/** The end of a process that has its sessions on disk: it stays until all changes are there, where no other server has them. */
import { systemClock } from "../../support/clock.ts";
import { sessionDatabase as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import type { SessionDatabase } from "./session-database.ts";

export class LastSync {
  isDone = false;
  readonly #disk: SessionDatabase;
  readonly #isNeeded: boolean;
  readonly #log: Log;
  #isClosing = false;

  /** @param isNeeded other servers do not have all that this one has. */
  constructor(disk: SessionDatabase, isNeeded: boolean, log: Log) {
    this.#disk = disk;
    this.#isNeeded = isNeeded;
    this.#log = log;
  }

  get sessions(): number {
    return this.#disk.sessions;
  }

  /** Why it has to wait, for a person; null: it is being written. */
  get problem(): string | null {
    return this.#disk.trouble;
  }

  /** Nothing may be written any more. @returns false when the disk can't be written; it may be called again. */
  async try(): Promise<boolean> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      void this.#disk.close().then(() => {
        this.isDone = true;
      });
    }
    do await new Promise<void>((resolve) => systemClock.after(limits.lastSyncPollMs, resolve));
    while (!this.isDone && this.#disk.isWell);
    this.isDone ||= !this.#isNeeded;
    return this.isDone;
  }

  giveUp(): void {
    const { pendingBytes, trouble } = this.#disk;
    if (this.isDone || !this.#isNeeded || pendingBytes === 0) return;
    this.#log.error(
      { code: "FLOTILLA_SESSIONS_NOT_SAVED" },
      `the last changes of sessions (${pendingBytes} bytes) are not on this server's disk, and no other server may have them: ` +
        (trouble ?? "the end came before all were written"),
    );
  }
}
