/** The register of the sessions of a process's cluster, for those that keep sessions and for the one that only votes. */
import type { Server } from "../../config/model.ts";
import type { Link } from "../../link/api.ts";
import { LinkDialer, type LinkDialerOptions } from "../../link/dialer.ts";
import type { Member } from "../../member/member.ts";
import { ClusterRegister } from "../../register/cluster-register.ts";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { replication as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import { fileVoters } from "./file-voters.ts";

/** The app servers among which the sessions of the member's cluster are kept; fewer than two keep them for themselves. */
export function keepersOf({ cluster }: Member): Server[] {
  return cluster.servers.filter(({ kind }) => kind === "link");
}

/** @throws FlotillaError FLOTILLA_DATA_FOLDER */
export function openRegister(
  member: Member,
  linksTo: (voter: string) => readonly Link[],
  log: Log,
): ClusterRegister {
  const { file, cluster, server, incarnation } = member;
  const servers = keepersOf(member);
  const voter = server.kind === "witness" ? server.name : server.address;
  try {
    const register = new ClusterRegister({
      ...{ cluster: cluster.name, node: `${server.name}#${incarnation}`, voter, linksTo },
      fileVoters: fileVoters(cluster),
      dataFolder: file.dataFolder,
      letters: new Map(servers.map(({ entry, letter }) => [entry, letter])),
      onProblem: (message) => log.warn(message),
      onMended: (message) => log.info(message),
    });
    member.voterProblem = () => register.voterProblem;
    return register;
  } catch (error) {
    throw new FlotillaError(
      "FLOTILLA_DATA_FOLDER",
      `the data folder ${file.dataFolder} can't be used: ${messageOf(error)}; the register of sessions lies there`,
      { cause: error },
    );
  }
}

/** A link that is there for votes. */
export function voteDialer(
  { name, address, port }: Server,
  options: Pick<LinkDialerOptions, "self" | "keys" | "services" | "log">,
): LinkDialer {
  const observer = { onUp: () => {}, onChange: () => {}, onDown: () => {} };
  const { reconnectMaxMs } = limits;
  return new LinkDialer({ ...options, expected: name, address, port, observer, reconnectMaxMs });
}
