/** What goes wrong in a simulation of sessions in a database. */
import type { EngineStore } from "../../../src/session/stores/engine-store.ts";
import type { Process } from "../session/world.ts";
import type { DatabaseServer, SimulatedNetwork, Weather } from "./network.ts";

/** One server: each of its starts is another process. */
export class Server {
  readonly letter: string;
  readonly load: "cached" | "always";
  process!: Process;
  network!: SimulatedNetwork;
  store!: EngineStore;
  starts = 0;

  constructor(letter: string, load: "cached" | "always") {
    this.letter = letter;
    this.load = load;
  }
}

export interface Scene {
  readonly weather: Weather;
  readonly databaseServer: DatabaseServer;
  start(server: Server): void;
  /** What it has under way may take longer, or is never told. */
  excuse(server: Server): void;
}

/** @returns what ends it after that time. */
export type Fault = (scene: Scene, server: Server, forMs: number) => () => void;

const nothing = (): void => {};

export const faults: Readonly<Record<string, Fault>> = {
  "statements are lost": ({ weather }) => {
    weather.lostShare = 0.3;
    return () => {
      weather.lostShare = 0;
    };
  },
  "statements are late": ({ weather }) => {
    weather.lateShare = 0.3;
    return () => {
      weather.lateShare = 0;
    };
  },
  "the database is down": ({ databaseServer }) => {
    databaseServer.isDown = true;
    return () => {
      databaseServer.isDown = false;
    };
  },
  "the database stands still": ({ databaseServer }) => {
    databaseServer.isStalled = true;
    return () => databaseServer.goOn();
  },
  "a server is cut off": (_, { network }) => {
    network.isCutOff = true;
    return () => {
      network.isCutOff = false;
    };
  },
  "a server stands still": (scene, server) => {
    const { process } = server;
    if (process.isPaused) return nothing;
    scene.excuse(server);
    process.pause();
    return () => {
      scene.excuse(server);
      process.resume();
    };
  },
  // A process that was killed is replaced when the database has done with its statements.
  "a server starts anew": (scene, server) => {
    if (!server.process.isAlive) return nothing;
    scene.excuse(server);
    server.process.die();
    return () => {
      server.network.isOver = true;
      scene.start(server);
    };
  },
  "notices are late": (_, { network }, forMs) => {
    network.noticeLagMs = forMs;
    return () => {
      network.noticeLagMs = 0;
    };
  },
  "the way of notices breaks": (_, { network }) => {
    network.breakChannel(false);
    return nothing;
  },
  "the way of notices is cut": (_, { network }) => {
    network.breakChannel(true);
    return nothing;
  },
};
