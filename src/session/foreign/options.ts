/** What all `FlotillaStore`s can be told, and where they keep their sessions then. */
import { parseDuration } from "../../config/quantities.ts";
import { session as limits } from "../../support/limits.ts";
import { enginePlaceAlone } from "../engine-places.ts";
import type { SessionPlace } from "../keeper.ts";
import { clusterPlace, placeAlone } from "../place.ts";
import { refuseOption, refuseUnknown } from "../refused-option.ts";
import type { SessionEngine } from "../stores/engine.ts";
import { whyNoEngine } from "../stores/given-store.ts";
import { ForeignSessions } from "./foreign-sessions.ts";

export interface FlotillaStoreOptions {
  /**
   * A session whose cookie ends with the browser ends when it was not used for so long: "30m", or milliseconds. Default: what the file
   * says, else 30 minutes. One whose cookie has an end lives as long as its cookie.
   */
  idleTimeout?: string | number;
  /**
   * A database that keeps the sessions: `postgresStore({ pool })` of flotilla/session/postgres, or of mysql, redis or file beside it. In a
   * cluster it comes before the file's `store:`.
   */
  store?: SessionEngine;
}

const call = "new FlotillaStore";
const known = ["idleTimeout", "store"];

/**
 * In a cluster the sessions are kept by this server as the file says, elsewhere in this process; or in the database that is given.
 * @throws FlotillaError FLOTILLA_SESSION_OPTION
 */
export function foreignSessions(options: FlotillaStoreOptions = {}): ForeignSessions {
  refuseUnknown(call, options, known);
  const idleTimeoutMs = idleTimeoutMsOf(options.idleTimeout);
  return new ForeignSessions(placeFor(options.store), idleTimeoutMs);
}

function placeFor(store: SessionEngine | undefined): SessionPlace {
  if (store === undefined) return clusterPlace()?.place ?? placeAlone(null);
  const wrong = whyNoEngine(store);
  if (wrong !== null) refuseOption(call, "store", wrong);
  return clusterPlace(store)?.place ?? enginePlaceAlone(store, null).place;
}

function idleTimeoutMsOf(value: string | number | undefined): number | null {
  if (value === undefined) return null;
  const ms = typeof value === "string" ? parseDuration(value) : value;
  if (typeof ms === "number" && ms > 0 && ms <= limits.idleTimeoutMsMax) return ms;
  refuseOption(
    call,
    "idleTimeout",
    `${JSON.stringify(value)} is no time: write "30m", "12h" or milliseconds, ten years at most`,
  );
}
