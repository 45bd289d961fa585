/** Where sessions are that are kept in a database: one EngineStore in a process for each, whoever asks for it. */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Member } from "../member/member.ts";
import { systemClock } from "../support/clock.ts";
import { session as limits, sessionStores } from "../support/limits.ts";
import { createLog } from "../support/log.ts";
import { DatabaseAdmin } from "./admin/database-admin.ts";
import { SessionIds } from "./id.ts";
import type { SessionPlace } from "./keeper.ts";
import type { OwnSecrets } from "./options.ts";
import { refuseOption } from "./refused-option.ts";
import type { SessionEngine } from "./stores/engine.ts";
import { EngineStore, type EngineStoreOptions } from "./stores/engine-store.ts";
import { KeptByEngine } from "./stores/kept-by-engine.ts";

export type Load = "cached" | "always";

/** What a process has of one database. */
export interface EnginePlace {
  readonly place: SessionPlace;
  readonly store: EngineStore;
  readonly kept: KeptByEngine;
}

interface Known extends EnginePlace {
  readonly load: Load;
  /** In base64; "": none. */
  readonly previousSecret: string;
}

/** By engine, then by what ids are signed with. */
const known: Map<SessionEngine, Map<string, Known>> = new Map();

/** In the order in which they were asked for. */
export function allEnginePlaces(): EnginePlace[] {
  return [...known.values()].flatMap((places) => [...places.values()]);
}

/**
 * Of a server of the cluster: with the file's secret, under the server's letter.
 * @param load null: as the file says.
 * @throws FlotillaError FLOTILLA_SESSION_OPTION
 */
export function enginePlaceOf(member: Member, engine: SessionEngine, load: Load | null = null): EnginePlace {
  const { file, cluster, server } = member;
  const sessions = cluster.sessions;
  return placeFor(engine, null, load ?? sessions?.load ?? "cached", (wanted) =>
    make({
      ...{ engine, load: wanted, letter: server.letter, processIndex: server.processIndex },
      ids: new SessionIds(file.secret, file.previousSecret, cluster.name),
      // After a restart it is the same, and its memory is empty.
      holder: server.name,
      letters: new Set(cluster.servers.map(({ letter }) => letter)),
      copiesBytesMax: Math.min(
        sessions?.memoryBytesMax ?? limits.memoryBytesMax,
        sessionStores.copiesBytesMax,
      ),
      logName: server.name,
      idleTimeoutMs: sessions?.idleTimeoutMs ?? limits.idleTimeoutMs,
      absoluteTimeoutMs: sessions?.absoluteTimeoutMs ?? Number.POSITIVE_INFINITY,
      save: sessions?.save === "always" ? "always" : "on-change",
    }),
  );
}

/**
 * Of a process outside of a cluster, among which a balancer of another make may send a visitor to any.
 * @param secrets null: ids are made by somebody else.
 * @throws FlotillaError FLOTILLA_SESSION_OPTION
 */
export function enginePlaceAlone(
  engine: SessionEngine,
  secrets: OwnSecrets | null,
  load: Load | null = null,
): EnginePlace {
  return placeFor(engine, secrets, load ?? "always", (wanted) => {
    const { secret, previousSecret } = secrets ?? { secret: randomBytes(32), previousSecret: null };
    const made = make({
      ...{ engine, load: wanted, letter: "a", processIndex: 0, letters: new Set(["a"]), logName: "session" },
      ids: new SessionIds(secret, previousSecret, ""),
      holder: `${hostname()} ${process.pid} ${randomBytes(6).toString("base64url")}`,
      copiesBytesMax: sessionStores.copiesBytesMax,
      idleTimeoutMs: limits.idleTimeoutMs,
      absoluteTimeoutMs: Number.POSITIVE_INFINITY,
      save: "on-change",
    });
    made.store.start();
    return made;
  });
}

type Wanted = Omit<EngineStoreOptions, "clock" | "random" | "log"> &
  Pick<SessionPlace, "idleTimeoutMs" | "absoluteTimeoutMs" | "save"> & { readonly logName: string };

/** @param secrets null: the file's, or nobody's. */
function placeFor(
  engine: SessionEngine,
  secrets: OwnSecrets | null,
  load: Load,
  makeIt: (load: Load) => EnginePlace,
): EnginePlace {
  const signing = secrets?.secret.toString("base64") ?? "";
  const previousSecret = secrets?.previousSecret?.toString("base64") ?? "";
  const ofEngine = known.get(engine) ?? new Map<string, Known>();
  const found = ofEngine.get(signing);
  if (found === undefined) {
    const made = { ...makeIt(load), load, previousSecret };
    known.set(engine, ofEngine.set(signing, made));
    return made;
  }
  if (found.load !== load)
    refuseOption(
      "session",
      `load: "${load}"`,
      `the same store is used with load: "${found.load}" in this process, and it has one memory`,
    );
  if (found.previousSecret !== previousSecret)
    refuseOption(
      "session",
      "secret",
      "the same store is used in this process with this secret, but another one before it: some visitors would lose their sessions on one of the two; give both calls the same list",
    );
  return found;
}

function make(wanted: Wanted): EnginePlace {
  const { logName, idleTimeoutMs, absoluteTimeoutMs, save, ...options } = wanted;
  const log = createLog(logName);
  const store = new EngineStore({ ...options, log, clock: systemClock, random: Math.random });
  const admin = new DatabaseAdmin(store);
  const kept = new KeptByEngine(store, admin, systemClock, log);
  const place: SessionPlace = {
    ...{ store, ids: options.ids, idleTimeoutMs, absoluteTimeoutMs, save, log, updates: new Map() },
  };
  return { place, store, kept };
}
