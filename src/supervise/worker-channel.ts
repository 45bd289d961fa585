/** A worker's side of the channel to its main process. */
import type { ClusterFile, Endpoint } from "../config/model.ts";
import type { ServerNews } from "../health/server-news.ts";
import type { LoadRecord } from "../load/record.ts";
import type { MovedAddresses } from "../member/moved-addresses.ts";
import { FlotillaError } from "../support/errors.ts";
import { type FromWorker, type ToWorker, workerProtocol } from "./worker-messages.ts";

/** What the main process wants; the first ones come after `begin`. */
export interface WorkerOrders {
  report(): void;
  servers(news: readonly ServerNews[]): void;
  load(name: string, record: LoadRecord): void;
  prepare(file: ClusterFile): void;
  commit(): void;
  discard(): void;
  drain(idleMs: number): void;
  reopenLogs(): void;
  moved(addresses: MovedAddresses): void;
  cut(): void;
  /** The main process is gone: nobody would start this worker again, or end it. */
  orphaned(): void;
}

export interface Beginning {
  /** Null for what the disk holds. */
  readonly file: ClusterFile | null;
  readonly news: readonly ServerNews[];
}

interface Waiting {
  resolve(handle: object): void;
  reject(error: Error): void;
}

export class WorkerChannel {
  readonly #orders: WorkerOrders;
  /** Asked for and not given yet, by address, in the order of the questions. */
  readonly #waiting: Map<string, Waiting[]> = new Map();
  #begin!: (beginning: Beginning | Error) => void;
  readonly #begun: Promise<Beginning | Error>;

  constructor(orders: WorkerOrders) {
    this.#orders = orders;
    this.#begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    process.on("message", (message, handle) => this.#heard(message as ToWorker, handle as object));
    process.on("disconnect", () => orders.orphaned());
    // They are for the main process, which orders what follows; a terminal and `kill` send them to the whole group.
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const) process.on(signal, () => {});
  }

  /**
   * What to begin with.
   * @throws FlotillaError FLOTILLA_WORKER_PROTOCOL
   */
  async begun(): Promise<Beginning> {
    const beginning = await this.#begun;
    if (beginning instanceof Error) throw beginning;
    return beginning;
  }

  /** A handle of the socket of an address under `listen:`, another one each time. @throws FlotillaError when it can't be had. */
  socket(endpoint: Endpoint): Promise<object> {
    return new Promise((resolve, reject) => {
      const key = keyOf(endpoint);
      this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), { resolve, reject }]);
      this.tell({ kind: "open", endpoint: { address: endpoint.address, port: endpoint.port } });
    });
  }

  tell(message: FromWorker): void {
    // `orphaned` tells when nobody is there.
    process.send?.(message, undefined, {}, () => {});
  }

  #heard(message: ToWorker, handle: object): void {
    switch (message.kind) {
      case "begin":
        return this.#begin(message.protocol === workerProtocol ? message : wrongProtocol());
      case "socket":
        return this.#take(message.endpoint)?.resolve(handle);
      case "no-socket": {
        const { endpoint, code, message: text } = message;
        return this.#take(endpoint)?.reject(new FlotillaError(code, text));
      }
      case "prepare":
        return this.#orders.prepare(message.file);
      case "commit":
        return this.#orders.commit();
      case "discard":
        return this.#orders.discard();
      case "servers":
        return this.#orders.servers(message.news);
      case "load":
        return this.#orders.load(message.name, message.record);
      case "report":
        return this.#orders.report();
      case "drain":
        return this.#orders.drain(message.idleMs);
      case "reopen-logs":
        return this.#orders.reopenLogs();
      case "moved":
        return this.#orders.moved(message.addresses);
      case "cut":
        return this.#orders.cut();
    }
  }

  #take(endpoint: Endpoint): Waiting | undefined {
    return this.#waiting.get(keyOf(endpoint))?.shift();
  }
}

function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port}`;
}

function wrongProtocol(): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_WORKER_PROTOCOL",
    "this release can't work below the running main process: stop the server and start it again",
    { source: "server" },
  );
}
