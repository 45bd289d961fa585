/**
 * What a service manager (systemd) hands to a program that it starts, and wants to be told: sd_listen_fds(3) and sd_notify(3).
 * Node knows no datagram sockets of AF_UNIX, so the telling is done by systemd's own `systemd-notify`; the unit needs
 * `NotifyAccess=all` for it.
 */
import { execFile } from "node:child_process";
import { messageOf } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import { type InheritedSocket, inheritedSocket } from "./listening-sockets.ts";

/** The first descriptor that is handed over. */
const firstDescriptor = 3;
const descriptorsMax = 256;

export class ServiceManager {
  readonly #notifies: boolean;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #log: Log;

  /** Takes what is meant for this process out of its environment: programs that it starts are not to see it. */
  constructor(environment: NodeJS.ProcessEnv, log: Log) {
    this.#environment = { ...environment };
    this.#notifies = (environment.NOTIFY_SOCKET ?? "") !== "";
    this.#log = log;
    for (const name of ["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"])
      delete environment[name];
  }

  /** The sockets that were open before. One that can't be used is told, and left alone. */
  sockets(): InheritedSocket[] {
    const { LISTEN_PID, LISTEN_FDS = "", LISTEN_FDNAMES = "" } = this.#environment;
    const count = /^\d{1,3}$/.test(LISTEN_FDS) ? Math.min(Number(LISTEN_FDS), descriptorsMax) : 0;
    if (LISTEN_PID !== String(process.pid)) return [];
    const names = LISTEN_FDNAMES.split(":");
    return Array.from({ length: count }, (_, index) => index).flatMap((index) => {
      const descriptor = firstDescriptor + index;
      try {
        return [inheritedSocket(descriptor, names[index] ?? "")];
      } catch (error) {
        this.#log.warn(`descriptor ${descriptor} of the service manager can't be used: ${messageOf(error)}`);
        return [];
      }
    });
  }

  /** It takes requests. */
  ready(): void {
    this.#tell([`MAINPID=${process.pid}`, "READY=1"]);
  }

  /** It has begun to stop. */
  stopping(): void {
    this.#tell(["STOPPING=1"]);
  }

  #tell(words: readonly string[]): void {
    if (!this.#notifies) return;
    execFile("systemd-notify", words, { env: this.#environment, timeout: 5_000 }, (error) => {
      if (error !== null)
        this.#log.warn(`the service manager was not told ${words.join(" ")}: ${error.message}`);
    });
  }
}
