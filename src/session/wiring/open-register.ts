/** The register of the sessions of a process's cluster, by the engine that the file names, for those that keep sessions and for the one that only votes. */
import type { EtcdSettings, PostgresSettings, Server } from "../../config/model.ts";
import type { Link } from "../../link/api.ts";
import { LinkDialer, type LinkDialerOptions } from "../../link/dialer.ts";
import type { Member } from "../../member/member.ts";
import { CellEngine } from "../../register/cell/cell-engine.ts";
import type { EngineNotes, RegisterEngine } from "../../register/engine.ts";
import { EtcdStore } from "../../register/etcd/store.ts";
import { MembersEngine } from "../../register/members/engine.ts";
import { MovingEngine } from "../../register/moving/engine.ts";
import { PostgresStore } from "../../register/postgres/store.ts";
import type { ValueCodec } from "../../register/register.ts";
import type { SlotMap } from "../../register/slot-map.ts";
import { movingMapCodec, slotMapCodec } from "../../register/slot-map-codec.ts";
import { FlotillaError, messageOf } from "../../support/errors.ts";
import { replication as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import { fileVoters } from "./file-voters.ts";

/** The app servers among which the sessions of the member's cluster are kept; fewer than two keep them for themselves. */
export function keepersOf({ cluster }: Member): Server[] {
  return cluster.servers.filter(({ kind }) => kind === "link");
}

/**
 * @param linksTo connections to a voter of `members`.
 * @throws FlotillaError FLOTILLA_DATA_FOLDER
 */
export function openRegister(
  member: Member,
  linksTo: (voter: string) => readonly Link[],
  log: Log,
): RegisterEngine {
  const { coordination } = member.cluster;
  switch (coordination.engine) {
    case "members":
      return openMembers(member, linksTo, log);
    case "etcd":
      return movingTo(openEtcd(member, coordination, log), coordination.isMoving);
    case "postgres":
      return movingTo(openPostgres(member, coordination, log), coordination.isMoving);
  }

  function movingTo(to: Outer, isMoving: boolean): RegisterEngine {
    if (!isMoving) return told(member, to.engine);
    const from = openMembers(member, linksTo, log, movingMapCodec);
    return told(member, new MovingEngine(from, to.engine, to.where, (message) => log.info(message)));
  }
}

/** An engine outside of the servers, and where the register is in it, for messages. */
interface Outer {
  readonly engine: CellEngine;
  readonly where: string;
}

function openEtcd(member: Member, settings: EtcdSettings, log: Log): Outer {
  const { cluster } = member;
  const store = new EtcdStore(settings, cluster.name);
  const where = `the key ${settings.prefix}${cluster.name} in etcd`;
  return {
    where,
    engine: new CellEngine({ name: "etcd", store, where, node: nodeOf(member), ...notesTo(log) }),
  };
}

function openPostgres(member: Member, settings: PostgresSettings, log: Log): Outer {
  const { cluster, server } = member;
  const notes = notesTo(log);
  const where = `the row ${cluster.name} of the table ${settings.table} in PostgreSQL`;
  const applicationName = `flotilla ${server.name}`;
  const onRemark = notes.onProblem;
  const store = new PostgresStore({ cluster: cluster.name, settings, applicationName, where, onRemark });
  return {
    where,
    engine: new CellEngine({ name: "postgres", store, where, node: nodeOf(member), ...notes }),
  };
}

/** @throws FlotillaError FLOTILLA_DATA_FOLDER */
export function openMembers(
  member: Member,
  linksTo: (voter: string) => readonly Link[],
  log: Log,
  codec: ValueCodec<SlotMap> = slotMapCodec,
): MembersEngine {
  const { file, cluster, server } = member;
  const voter = server.kind === "witness" ? server.name : server.address;
  try {
    const engine = new MembersEngine({
      ...{ cluster: cluster.name, node: nodeOf(member), voter, linksTo },
      fileVoters: fileVoters(cluster),
      dataFolder: file.dataFolder,
      letters: lettersOf(member),
      codec,
      ...notesTo(log),
    });
    return told(member, engine);
  } catch (error) {
    throw new FlotillaError(
      "FLOTILLA_DATA_FOLDER",
      `the data folder ${file.dataFolder} can't be used: ${messageOf(error)}; the register of sessions lies there`,
      { cause: error },
    );
  }
}

/** For `flotilla status`. */
function told<E extends RegisterEngine>(member: Member, engine: E): E {
  member.register = engine;
  return engine;
}

/** Two proposers never share it. */
function nodeOf({ server, incarnation }: Member): string {
  return `${server.name}#${incarnation}`;
}

function notesTo(log: Log): EngineNotes {
  return { onProblem: (message) => log.warn(message), onMended: (message) => log.info(message) };
}

/** Entries to letters by the file: pinned with the first version. */
export function lettersOf(member: Member): Map<string, string> {
  return new Map(keepersOf(member).map(({ entry, letter }) => [entry, letter]));
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
