/**
 * What a server runs with: its cluster file and its release, as they were when it started. Two servers have a link when each
 * finds the other in its file and they speak a common version, by the same function that decides it at the hello of a real link.
 */
import { type Hello, refusalOf, type VersionRange } from "../../../src/link/hello.ts";
import { chooseVoters } from "../../../src/register/members/voters.ts";
import type { ServerMark } from "../../../src/session/cluster/cluster-store.ts";
import type { ServerPlace } from "../../../src/session/cluster/peer.ts";
import type { Process } from "./world.ts";

/** Of two machines with a witness, what it is called. */
export const witnessName = "witness";

export interface Setup {
  /** In the order of the file, which gives them their letters. */
  readonly servers: readonly ServerPlace[];
  readonly hasWitness: boolean;
  readonly versions: VersionRange;
}

export function knows({ servers, hasWitness }: Setup, name: string): boolean {
  return servers.some(({ server }) => server === name) || (hasWitness && name === witnessName);
}

export function machinesOf({ servers }: Setup): string[] {
  return [...new Set(servers.map(({ machine }) => machine))];
}

export function votersOf(setup: Setup): string[] {
  return chooseVoters(machinesOf(setup), setup.hasWitness ? witnessName : null);
}

export function letterOf({ servers }: Setup, name: string): string | null {
  const place = servers.findIndex(({ server }) => server === name);
  return place === -1 ? null : "abcd"[place]!;
}

export function marksOf(setup: Setup): Map<string, ServerMark> {
  return new Map(
    setup.servers.map(({ server }) => [server, { letter: letterOf(setup, server)!, processIndex: 0 }]),
  );
}

/** Why the two have no link; "" when they have one. */
export function refusalBetween(one: Process, other: Process): string {
  const [dialing, accepting] = one.server < other.server ? [one, other] : [other, one];
  if (!knows(dialing.setup!, accepting.server)) return `${dialing.server} does not dial ${accepting.server}`;
  const hello: Hello = {
    versions: dialing.setup!.versions,
    pid: 1,
    windowBytes: 1,
    name: dialing.server,
    incarnation: dialing.incarnation,
    expected: accepting.server,
  };
  const { server, setup } = accepting;
  return refusalOf({ name: server, versions: setup!.versions, expected: null }, hello, (name) =>
    knows(setup!, name),
  );
}
