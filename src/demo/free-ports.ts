/** Places for the demo's servers: the usual ones where they are free, else near them. */
import { createServer } from "node:net";
import { FlotillaError } from "../support/errors.ts";

/** Ports tried upwards from the wanted one. */
const triesMax = 100;

export interface Place {
  readonly address: string;
  readonly port: number;
}

/**
 * The first free port from `wanted.port` on. Where the address is not this machine's (only Linux answers on
 * all of 127.0.0.0/8), 127.0.0.1 is taken.
 * @param taken places given away already; the found one is added.
 */
export async function findPlace(wanted: Place, taken: Set<string>): Promise<Place> {
  const address = (await isFree({ address: wanted.address, port: 0 })) ? wanted.address : "127.0.0.1";
  const last = Math.min(wanted.port + triesMax - 1, 65_535);
  for (let port = wanted.port; port <= last; port++) {
    const key = `${address}:${port}`;
    if (taken.has(key) || !(await isFree({ address, port }))) continue;
    taken.add(key);
    return { address, port };
  }
  throw new FlotillaError(
    "FLOTILLA_DEMO_PORTS",
    `no free port for the demo on ${address} from ${wanted.port} to ${last}: end what uses them`,
  );
}

async function isFree(place: Place): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen({ host: place.address, port: place.port, exclusive: true }, () => {
    server.close(() => resolve(true));
  });
  return promise;
}
