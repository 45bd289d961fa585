/**
 * `length` and `clear` of a store: what express-session calls optional, and what tests and scripts of applications like to have. They are
 * about all sessions of the place, so only places that can tell of all of them have it.
 */
import { currentMember } from "../../member/current.ts";
import { FlotillaError } from "../../support/errors.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";
import { DatabaseAdmin } from "../admin/database-admin.ts";
import { MemoryAdmin } from "../admin/memory-admin.ts";
import type { LivingSession, SessionAdmin } from "../admin/session-admin.ts";
import { slotCount, slotOfKey } from "../id.ts";
import { MemoryStore } from "../memory-store.ts";
import type { SessionStore } from "../store.ts";
import { EngineStore } from "../stores/engine-store.ts";

export async function countAll(store: SessionStore): Promise<number> {
  const admin = adminOf(store);
  if (admin instanceof DatabaseAdmin) return await admin.count();
  let count = 0;
  for await (const sessions of pagesOf(admin)) count += sessions.length;
  return count;
}

/** They end for good, as by `destroy`. */
export async function endAll(store: SessionStore): Promise<void> {
  const admin = adminOf(store);
  for await (const sessions of pagesOf(admin))
    for (const { key } of sessions)
      await new Promise<void>((resolve, reject) =>
        admin.end(slotOfKey(key), key, (error) => (error === null ? resolve() : reject(error))),
      );
}

async function* pagesOf(admin: SessionAdmin): AsyncGenerator<readonly LivingSession[]> {
  // A database gives those of all slots at once.
  const slots = admin.kind === "common" ? 1 : slotCount;
  for (let slot = 0; slot < slots; slot++) {
    for (let after = ""; ; ) {
      const page = await new Promise<readonly LivingSession[]>((resolve, reject) =>
        admin.page(slot, after, limits.pageBytes, (error, found) =>
          error === null ? resolve(found) : reject(error),
        ),
      );
      if (page.length === 0) break;
      after = page.at(-1)!.key;
      yield page;
    }
  }
}

/** @throws FlotillaError FLOTILLA_SESSION_STORE_PART */
function adminOf(store: SessionStore): SessionAdmin {
  if (store instanceof EngineStore) return new DatabaseAdmin(store);
  if (store instanceof MemoryStore && currentMember() === null) return new MemoryAdmin(store, "");
  throw new FlotillaError(
    "FLOTILLA_SESSION_STORE_PART",
    "length and clear of FlotillaStore are about all sessions, and each server of a cluster has some of them; " +
      'use "flotilla sessions count" and "flotilla sessions end"; nothing was done',
    { source: "server" },
  );
}
