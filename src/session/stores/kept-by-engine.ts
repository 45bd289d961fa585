/** For serve(): sessions in a database. This process has nothing that has to be handed over or saved, but for uses of the last moments. */
import type { StreamKind, StreamService } from "../../link/api.ts";
import type { StopCheck } from "../../member/member.ts";
import type { Clock } from "../../support/clock.ts";
import { FlotillaError } from "../../support/errors.ts";
import { sessionStores as limits } from "../../support/limits.ts";
import type { Log } from "../../support/log.ts";
import type { SessionAdmin } from "../admin/session-admin.ts";
import type { KeptSessions } from "../kept.ts";
import { RefusedPeers } from "../refused-peers.ts";
import type { EngineStore } from "./engine-store.ts";

export class KeptByEngine implements KeptSessions {
  readonly admin: SessionAdmin;
  readonly services: ReadonlyMap<StreamKind, StreamService>;
  readonly mustSave = false;
  readonly unsaved: null = null;
  readonly #store: EngineStore;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(store: EngineStore, admin: SessionAdmin, clock: Clock, log: Log) {
    this.#store = store;
    this.admin = admin;
    this.services = new RefusedPeers(() => `in ${store.engine.name}`, log).services;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * A database that is down stops no start: its sessions can't be had until it is up, all else can.
   * @throws FlotillaError of what only a person can mend: its driver is not installed.
   */
  async open(): Promise<void> {
    const error = await new Promise<unknown>((resolve) => {
      const timer = this.#clock.after(limits.openWaitMs, () => resolve(null));
      this.#store.start((problem) => {
        timer.cancel();
        resolve(problem);
      });
    });
    if (error instanceof FlotillaError) throw error;
  }

  start(): void {
    const { engine, isCaching, trouble } = this.#store;
    const away = trouble === null ? "" : ", which does not answer yet";
    this.#log.info(`sessions are in ${engine.name}${away} (load: ${isCaching ? "cached" : "always"})`);
  }

  async ready(): Promise<void> {}

  async leave(): Promise<void> {}

  standAside(): void {}

  async save(): Promise<boolean> {
    await new Promise<void>((resolve) => this.#store.flush(resolve));
    return true;
  }

  giveUp(): void {}

  stop(): void {
    this.#store.stop();
    void this.#store.engine.close().catch(() => {});
  }

  stopCheck(): StopCheck {
    return { sessions: 0, problem: null };
  }
}
