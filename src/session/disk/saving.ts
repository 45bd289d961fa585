/** The end of a process that has sessions which nobody else has: they are written to disk, or the log says what is lost. */
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../support/clock.ts";
import { FlotillaError } from "../../support/errors.ts";
import { savedSessions as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import { count } from "../../support/words.ts";
import { inWords, type SavedCopy, type SavedFile, type SessionFile } from "./session-file.ts";

/** @returns what the last stop saved; null when that is nothing, or can't be read, which the log says. */
export function readSaved(file: SessionFile, log: Log): SavedFile | null {
  try {
    return file.read();
  } catch (error) {
    if (!(error instanceof FlotillaError)) throw error;
    log.error({ code: error.code }, error.message);
    return null;
  }
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

/** Tries again for a while: on a full disk room may be made. @param timeoutMs at most. */
export async function saveOrTell(
  file: SessionFile,
  copies: readonly SavedCopy[],
  register: string,
  sessions: number,
  timeoutMs: number,
  log: Log,
): Promise<void> {
  const until = systemClock.now() + Math.min(timeoutMs, limits.retryForMs);
  for (let isFirst = true; ; isFirst = false) {
    try {
      const saved = await file.write(copies, register);
      if (saved > 0)
        log.info(
          `no other server has them: saved ${count(saved, "session")} to ${file.path} for the next start`,
        );
      return;
    } catch (error) {
      // Slots without a session are not worth a word.
      if (sessions === 0) return;
      const isLast = systemClock.now() + limits.retryMs >= until;
      if (isFirst || isLast)
        log.error(
          { code: "FLOTILLA_SESSIONS_NOT_SAVED" },
          `${count(sessions, "session")} that no other server has ${lost(isLast, sessions)}: ` +
            `${file.path} can't be written: ${inWords(error)}${isLast ? "" : `; it is tried again for ${limits.retryForMs / 1_000} s`}`,
        );
      if (isLast) return;
      // A timer that keeps the process: nothing else does any more.
      await sleep(limits.retryMs);
    }
  }
}

function lost(isLast: boolean, sessions: number): string {
  if (!isLast) return "can't be saved";
  return sessions === 1 ? "is lost" : "are lost";
}
