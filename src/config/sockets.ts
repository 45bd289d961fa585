/** No address and port may be used twice: cluster ports, plain servers and listeners of the whole file. */
import { isIPv4, isIPv6, SocketAddress } from "node:net";
import type { ClusterDraft, Context } from "./context.ts";
import { isLoopback } from "./local.ts";
import type { Position } from "./problems.ts";
import { isUnspecified } from "./scalars.ts";

interface Socket {
  readonly at: Position;
  /** "app-a" or "web-a's listen:" */
  readonly owner: string;
  readonly address: string;
  readonly port: number;
  /** Sockets of one machine are known by the server's address; all of loopback is one machine. */
  readonly machine: string;
  readonly isListener: boolean;
  /** Of a plain HTTP server its cluster: another cluster may use the same one, with a Host of its own. */
  readonly plainOf: string | null;
}

export function checkSockets(drafts: readonly ClusterDraft[], { problems }: Context): void {
  const byPort = new Map<number, Socket[]>();
  for (const socket of drafts.flatMap(socketsOf)) {
    const sockets = byPort.get(socket.port) ?? [];
    byPort.set(socket.port, sockets);
    const other = sockets.find((earlier) => collide(earlier, socket));
    sockets.push(socket);
    if (other === undefined) continue;
    problems.error(
      socket.at,
      `${written(socket)} of ${socket.owner} is used twice: ${other.owner} has ${written(other)} (line ${other.at.line})`,
    );
  }
}

function socketsOf({ servers, witness, listeners, health }: ClusterDraft): Socket[] {
  const members = witness === null ? servers : [...servers, witness];
  const ports = members.map(({ at, value: { name, address, port, plain, cluster } }) => ({
    at,
    owner: name,
    // The path of a Unix socket is of one machine and no other.
    address: plain?.socketPath ?? normal(address),
    port,
    machine: plain?.socketPath ?? machineOf(address),
    isListener: false,
    plainOf: plain === null ? null : cluster,
  }));
  const healths = health === null ? [] : [{ ...health, key: "health" }];
  const opened = [...listeners.map((listener) => ({ ...listener, key: "listen" })), ...healths];
  const listening = servers.flatMap(({ value: server }) =>
    opened.map(({ at, key, value: { address, port } }) => ({
      at,
      owner: `${server.name}'s ${key}:`,
      address: normal(address),
      port,
      machine: machineOf(server.address),
      isListener: true,
      plainOf: null,
    })),
  );
  return [...ports, ...listening];
}

function collide(a: Socket, b: Socket): boolean {
  if (a.plainOf !== null && b.plainOf !== null && a.plainOf !== b.plainOf) return false;
  if (a.machine === b.machine && wildcardOverlap(a.address, b.address)) return true;
  if (!isSame(a.address, b.address)) return false;
  // Two web servers may listen on one address that moves between their machines (keepalived).
  return !(a.isListener && b.isListener) || a.machine === b.machine;
}

/** "localhost" is the one or the other, as the machine's names say. */
function isSame(a: string, b: string): boolean {
  const isLocalhost = (name: string, address: string): boolean =>
    name === "localhost" && (address === "127.0.0.1" || address === "::1");
  return a === b || isLocalhost(a, b) || isLocalhost(b, a);
}

function wildcardOverlap(a: string, b: string): boolean {
  const covers = (all: string, other: string): boolean =>
    isUnspecified(all) && (isIPv6(all) || !isIPv6(other));
  return covers(a, b) || covers(b, a);
}

function machineOf(address: string): string {
  return isLoopback(address) ? "loopback" : normal(address);
}

/** One spelling per address ("::1" and "0:0:0:0:0:0:0:1"). */
function normal(address: string): string {
  if (isIPv4(address)) return address;
  return isIPv6(address) ? new SocketAddress({ address, family: "ipv6" }).address : address;
}

function written({ address, port }: Socket): string {
  if (port === 0) return address;
  return isUnspecified(address)
    ? `port ${port}`
    : address.includes(":")
      ? `[${address}]:${port}`
      : `${address}:${port}`;
}
