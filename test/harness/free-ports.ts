/**
 * Ports for servers that are yet to start. Below those that the kernel gives to outgoing connections and to who asks
 * for any, and out of a block that this process holds alone: no test beside it takes one between here and there.
 */
import { createServer, type Server } from "node:net";

/** Linux gives 32768 and above (ip_local_port_range). */
const first = 10_000;
const last = 32_767;
const blockPorts = 100;
const blocks: number = Math.floor((last - first + 1) / blockPorts);

let nextPort: Promise<() => number> | null = null;

/** Ports of `address` that are free, all different. */
export async function freePorts(count: number, address = "127.0.0.1"): Promise<number[]> {
  nextPort ??= holdBlock();
  const next = await nextPort;
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries++) {
    if (tries === blockPorts) throw new Error(`no ${count} free ports of ${address} near ${next()}`);
    const port = next();
    if (await isFree(port, address)) ports.push(port);
  }
  return ports;
}

/** Our block's ports, one after the other, round and round: one that was used is used again as late as possible. */
async function holdBlock(): Promise<() => number> {
  const start = process.pid % blocks;
  for (let step = 0; step < blocks; step++) {
    const block = (start + step) % blocks;
    // A name that only one process of the machine can have, and that ends with it.
    const held = await listening({ path: `\0flotilla-test-ports-${block}` });
    if (held === null) continue;
    held.unref();
    let index = 0;
    return () => first + block * blockPorts + (index++ % blockPorts);
  }
  throw new Error(`all ${blocks} blocks of ports from ${first} to ${last} are in use by tests`);
}

async function isFree(port: number, host: string): Promise<boolean> {
  const server = await listening({ port, host, exclusive: true });
  if (server === null) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

function listening(
  where: { path: string } | { port: number; host: string; exclusive: true },
): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(null));
    server.listen(where, () => resolve(server));
  });
}
