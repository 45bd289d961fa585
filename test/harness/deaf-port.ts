/**
 * A port that takes no connections and refuses none, as a machine behind a firewall that drops: a thread listens with
 * the shortest queue and stands still; once the queue is full the kernel drops what asks for more.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Worker } from "node:worker_threads";

const deaf = `
  const { parentPort, workerData } = require("node:worker_threads");
  const server = require("node:net").createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.end("HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\nConnection: close\\r\\n\\r\\nback"));
  });
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(workerData), 0, 0);
  });
`;

export interface DeafPort {
  readonly port: number;
  /** Resolves when it takes connections; it answers "back". */
  wake(): Promise<void>;
}

export async function deafPort(t: { after(end: () => Promise<void>): void }): Promise<DeafPort> {
  const shared = new SharedArrayBuffer(4);
  const worker = new Worker(deaf, { eval: true, workerData: shared });
  const [port] = (await once(worker, "message")) as [number];
  const fillers: Socket[] = [];
  const wake = (): void => {
    for (const filler of fillers.splice(0)) filler.destroy();
    Atomics.store(new Int32Array(shared), 0, 1);
    Atomics.notify(new Int32Array(shared), 0);
  };
  const isAwake = async (): Promise<void> => {
    wake();
    // Its queue may be full for a moment: the kernel asks again then.
    const asked = connect({ port, host: "127.0.0.1" });
    await once(asked, "connect");
    asked.destroy();
  };
  t.after(async () => {
    wake();
    await worker.terminate();
  });
  // A queue of one takes two; they are established by the kernel alone.
  for (let count = 0; count < 2; count++) {
    const filler = connect({ port, host: "127.0.0.1" });
    filler.on("error", () => {});
    await once(filler, "connect");
    fillers.push(filler);
  }
  return { port, wake: isAwake };
}
