/** Sessions as an operator names them: by the id of the cookie, as a browser or a log shows it, or by its key. Ids are passwords: none is printed. */
import type { Cluster, ClusterFile } from "../../config/model.ts";
import { isKey, SessionIds } from "../../session/id.ts";
import { FlotillaError } from "../../support/errors.ts";
import { shortName } from "../cluster-file.ts";
import { clustersWithSessions, clusterWithSessions } from "./keepers.ts";

export interface GivenSession {
  readonly cluster: Cluster;
  readonly key: string;
}

/** @throws FlotillaError FLOTILLA_SESSION_ID, FLOTILLA_SESSIONS_CLUSTER */
export function sessionOfId(file: ClusterFile, text: string, clusterName: string | null): GivenSession {
  const id = bare(text);
  for (const cluster of clustersWithSessions(file, clusterName)) {
    const key = new SessionIds(file.secret, file.previousSecret, cluster.name).verify(id)?.key;
    if (key !== undefined) return { cluster, key };
  }
  throw new FlotillaError(
    "FLOTILLA_SESSION_ID",
    isKey(id)
      ? "this is the key of a session, not its id: say it with --key"
      : `this is no session id that was made with the secret of ${shortName(file)}: it is of another site or cluster, or was cut or edited on its way`,
    { source: "client" },
  );
}

/** @throws FlotillaError FLOTILLA_SESSION_ID, FLOTILLA_SESSIONS_CLUSTER */
export function sessionOfKey(file: ClusterFile, key: string, clusterName: string | null): GivenSession {
  if (!isKey(key))
    throw new FlotillaError(
      "FLOTILLA_SESSION_ID",
      "this is no key of a session: it has 24 characters of A-Z a-z 0-9 - _",
      { source: "client" },
    );
  return { cluster: clusterWithSessions(file, clusterName), key };
}

/** Without what it is wrapped in: `sid=`, URL encoding, quotes, the `s:` of express-session's cookies, fields behind it. */
function bare(text: string): string {
  const value = text
    .trim()
    .replace(/^[^=;\s]+=/, "")
    .replace(/;.*$/s, "")
    .replaceAll('"', "");
  try {
    return decodeURIComponent(value).replace(/^s:/, "");
  } catch {
    return value;
  }
}
