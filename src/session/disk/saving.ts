/** The end of a process that has sessions which nobody else has: they are written to disk, or the process stays until they are. */
import { FlotillaError } from "../../support/errors.ts";
import { savedSessions as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import { Seldom } from "../../support/seldom.ts";
import { count } from "../../support/words.ts";
import { inWords } from "./disk-errors.ts";
import type { SavedCopy, SavedFile } from "./saved-rows.ts";
import type { SessionFile } from "./session-file.ts";

/** @returns what the last stop saved; null when that is nothing, or can't be read, which the log says. */
export async function readSaved(file: SessionFile, log: Log): Promise<SavedFile | null> {
  try {
    return await file.read();
  } catch (error) {
    return tellUnread(error, log);
  }
}

/** The same in one turn. */
export function readSavedAtOnce(file: SessionFile, log: Log): SavedFile | null {
  try {
    return file.readAtOnce();
  } catch (error) {
    return tellUnread(error, log);
  }
}

function tellUnread(error: unknown, log: Log): null {
  if (!(error instanceof FlotillaError)) throw error;
  log.error({ code: error.code }, error.message);
  return null;
}

/**
 * The register that named these copies is gone, and another one was made: nobody knows whether anything was changed after
 * them. They are not used, and not thrown away either: with the votes back, they count again.
 */
export function tellOtherRegister(file: SessionFile, sessions: number, log: Log): void {
  log.error(
    { code: "FLOTILLA_SESSIONS_UNREAD" },
    `${count(sessions, "session")} that the last stop saved ${sessions === 1 ? "is" : "are"} not used: the register was made ` +
      `anew since then, as the votes (the folder "register" in the data folders) of most servers were gone. ${file.path}: ` +
      `${file.putAside()}. To have them back: stop all servers, put the votes back, rename the file to ${file.path}, start all`,
  );
}

/** @param problem why they could not be written; null: there was no time. */
export function tellLost(sessions: number, problem: string | null, log: Log): void {
  if (sessions === 0) return;
  const lost = sessions === 1 ? "is lost" : "are lost";
  log.error(
    { code: "FLOTILLA_SESSIONS_NOT_SAVED" },
    `${count(sessions, "session")} that no other server has ${lost}: ${problem ?? "the end came before all were written"}`,
  );
}

/** What a process that ends has to write: tried again until it is done, or until somebody would rather lose it. */
export class LastWrite {
  readonly sessions: number;
  /** Why the last try failed, for a person; null: none has. */
  problem: string | null = null;
  isDone = false;
  readonly #file: SessionFile;
  readonly #copies: readonly SavedCopy[];
  readonly #register: string;
  readonly #bytes: number;
  readonly #log: Log;
  readonly #seldom: Seldom = new Seldom(limits.complaintIntervalMs);

  /** @param content `sessions` and about as many `bytes` are in the copies. */
  constructor(
    file: SessionFile,
    copies: readonly SavedCopy[],
    register: string,
    content: { readonly sessions: number; readonly bytes: number },
    log: Log,
  ) {
    this.#file = file;
    this.#copies = copies;
    this.#register = register;
    this.sessions = content.sessions;
    this.#bytes = content.bytes;
    this.#log = log;
  }

  /** @returns false when it failed; it may be called again. */
  async try(): Promise<boolean> {
    this.isDone ||= await this.#try();
    return this.isDone;
  }

  giveUp(): void {
    if (this.isDone) return;
    this.#file.removeUnfinished();
    tellLost(this.sessions, this.problem, this.#log);
  }

  async #try(): Promise<boolean> {
    // After a failure a cheap look comes first: a disk that is full is not filled again and again.
    const whyNot = this.problem === null ? null : this.#file.whyNot(this.#bytes);
    if (whyNot !== null) return this.#failed(whyNot);
    try {
      const saved = await this.#file.write(this.#copies, this.#register);
      if (saved > 0)
        this.#log.info(
          `no other server has them: saved ${count(saved, "session")} to ${this.#file.path} for the next start`,
        );
      return true;
    } catch (error) {
      // Slots without a session are not worth a word.
      if (this.sessions === 0) return true;
      return this.#failed(`${this.#file.path} can't be written: ${inWords(error)}`);
    }
  }

  #failed(problem: string): false {
    this.problem = problem;
    if (this.#seldom.add() > 0)
      this.#log.error(
        { code: "FLOTILLA_SESSIONS_NOT_SAVED" },
        `${count(this.sessions, "session")} that no other server has can't be saved: ${problem}. This process answers no ` +
          `requests any more, keeps them, tries again every ${limits.retryMs / 1_000} s and ends when they are written: make ` +
          "room or mend the folder, or lose them with flotilla stop --force",
      );
    return false;
  }
}
