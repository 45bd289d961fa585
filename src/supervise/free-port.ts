/**
 * Ports of the loopback that nobody asked for by number: the supervisor's own, and those of programs it starts. The
 * kernel gives any that is open nowhere, also one that the file gives to a server which has not started yet.
 */
import { type AddressInfo, createServer, type Server as Listening } from "node:net";
import type { ClusterFile } from "../config/model.ts";

/** A port that is free now and that the file gives to nobody; whoever wants it must be quick all the same. */
export async function freePort(file: ClusterFile, address: string): Promise<number> {
  const taken = portsOf(file);
  const held: Listening[] = [];
  try {
    for (;;) {
      const server = await listening(address);
      held.push(server);
      const { port } = server.address() as AddressInfo;
      if (!taken.has(port)) return port;
    }
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

/** All that anything in the file listens on, on whatever machine: none of them is worth a guess. */
function portsOf({ clusters }: ClusterFile): Set<number> {
  const places = [...clusters.values()].flatMap(({ servers, witness, listen, health }) => [
    ...servers,
    ...listen,
    witness,
    health,
  ]);
  return new Set(places.map((place) => place?.port ?? 0));
}

function listening(address: string): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: address, port: 0, exclusive: true }, () => resolve(server));
  });
}
