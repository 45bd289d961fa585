/** The end of a process that has sessions which nobody else has: they are written to disk, or the log says what is lost. */
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../support/clock.ts";
import { FlotillaError } from "../../support/errors.ts";
import { savedSessions as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
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

/** Tries again for a while: on a full disk room may be made. @param timeoutMs at most. */
export async function saveOrTell(
  file: SessionFile,
  copies: readonly SavedCopy[],
  sessions: number,
  timeoutMs: number,
  log: Log,
): Promise<void> {
  const until = systemClock.now() + Math.min(timeoutMs, limits.retryForMs);
  for (let isFirst = true; ; isFirst = false) {
    try {
      const saved = await file.write(copies);
      if (saved > 0)
        log.info(`no other server has them: saved ${saved} sessions to ${file.path} for the next start`);
      return;
    } catch (error) {
      // Slots without a session are not worth a word.
      if (sessions === 0) return;
      const isLast = systemClock.now() + limits.retryMs >= until;
      if (isFirst || isLast)
        log.error(
          { code: "FLOTILLA_SESSIONS_NOT_SAVED" },
          `${sessions} sessions that no other server has ${isLast ? "are lost" : "can't be saved"}: ` +
            `${file.path} can't be written: ${inWords(error)}${isLast ? "" : `; it is tried again for ${limits.retryForMs / 1_000} s`}`,
        );
      if (isLast) return;
      // A timer that keeps the process: nothing else does any more.
      await sleep(limits.retryMs);
    }
  }
}
