/** PostgreSQL as the engine of the register, on a machine of its own in the faults' network. */
import { Postgres } from "../harness/postgres.ts";
import { type Engine, engineMachine } from "./engine.ts";
import type { Network } from "./network.ts";

export class PostgresEngine implements Engine {
  readonly setting: string;
  readonly #network: Network;
  readonly #folder: string;
  #server: Postgres | null = null;

  constructor(network: Network, folder: string) {
    this.#network = network;
    this.#folder = folder;
    this.setting = `{ postgres: "postgres://postgres@${network.addressOf(engineMachine)}:5432/postgres" }`;
  }

  async start(): Promise<void> {
    if (this.#server !== null) {
      await this.#server.run();
      return;
    }
    this.#server = await Postgres.start({
      ...{ on: this.#network.commandOn(engineMachine, []), within: this.#folder },
      ...{ address: this.#network.addressOf(engineMachine), port: 5_432, settings: ["fsync = on"] },
    });
  }

  async kill(): Promise<void> {
    await this.#server!.kill();
  }

  signal(signal: NodeJS.Signals): void {
    if (signal === "SIGSTOP") this.#server!.pause();
    else if (signal === "SIGCONT") this.#server!.resume();
    else throw new Error(`${signal} means nothing here`);
  }
}
