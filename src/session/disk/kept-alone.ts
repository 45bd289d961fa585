/** Sessions on this server alone: saved at an orderly stop, taken up at the next start, lost when the process is killed (R24). */
import type { StreamKind, StreamService } from "../../link/api.ts";
import type { StopCheck } from "../../member/member.ts";
import { messageOf } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";
import { count } from "../../support/words.ts";
import { MemoryAdmin } from "../admin/memory-admin.ts";
import type { SessionAdmin } from "../admin/session-admin.ts";
import type { KeptSessions } from "../kept.ts";
import type { MemoryStore } from "../memory-store.ts";
import { RefusedPeers } from "../refused-peers.ts";
import { LastWrite, readSavedAtOnce, tellLost } from "./saving.ts";
import type { SessionFile } from "./session-file.ts";

export class KeptAlone implements KeptSessions {
  readonly admin: SessionAdmin;
  readonly services: ReadonlyMap<StreamKind, StreamService>;
  readonly #store: MemoryStore;
  readonly #file: SessionFile;
  readonly #log: Log;
  #isStarted = false;
  #lastWrite: LastWrite | null = null;

  /** @param server by its name in the file. */
  constructor(store: MemoryStore, file: SessionFile, server: string, log: Log) {
    this.admin = new MemoryAdmin(store, server);
    this.services = new RefusedPeers(() => "alone", log).services;
    this.#store = store;
    this.#file = file;
    this.#log = log;
  }

  async open(): Promise<void> {}

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#file.removeUnfinished();
    this.#file.putDatabaseAside(this.#log);
    // Requests come from now on, and need them; nobody counts this server's heartbeats.
    const saved = readSavedAtOnce(this.#file, this.#log);
    if (saved === null) return;
    try {
      // Before it is used: after a crash it would bring back what was ended or changed since.
      this.#file.remove();
    } catch (error) {
      this.#log.error(
        { code: "FLOTILLA_SESSIONS_UNREAD" },
        `${count(saved.sessions, "session")} that the last stop saved can't be used, because ${this.#file.path} can't be ` +
          `removed: ${messageOf(error)}`,
      );
      return;
    }
    const sessions = saved.copies.flatMap((copy) => [...copy.sessions]);
    // In the order of their last use, as the store keeps them.
    for (const session of sessions.sort((one, other) => other.idleForMs - one.idleForMs))
      this.#store.restore(session);
    this.#log.info(`took up ${count(saved.sessions, "session")} that the last stop saved`);
  }

  async ready(): Promise<void> {}

  async leave(): Promise<void> {}

  standAside(): void {}

  get mustSave(): boolean {
    return this.#store.count > 0;
  }

  async save(): Promise<boolean> {
    // Not started: what is saved may not have been taken up.
    if (!this.#isStarted || (this.#lastWrite === null && !this.mustSave)) return true;
    this.#lastWrite ??= this.#freeze();
    return await this.#lastWrite.try();
  }

  #freeze(): LastWrite {
    const { count: sessions, bytes } = this.#store;
    const copy = { slot: 0, incarnation: "", epoch: 0, pos: 0, sessions: this.#store.freeze() };
    return new LastWrite(this.#file, [copy], "", { sessions, bytes }, this.#log);
  }

  get unsaved(): StopCheck | null {
    return this.#lastWrite?.isDone ? null : this.#lastWrite;
  }

  giveUp(): void {
    if (this.#lastWrite !== null) this.#lastWrite.giveUp();
    else tellLost(this.#store.count, null, this.#log);
  }

  stop(): void {}

  stopCheck(): StopCheck {
    const { count, bytes } = this.#store;
    return { sessions: count, problem: count === 0 ? null : this.#file.whyNot(bytes) };
  }
}
