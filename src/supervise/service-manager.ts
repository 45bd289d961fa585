/**
 * What a service manager (systemd) hands to a program that it starts, and wants to be told: sd_listen_fds(3) and sd_notify(3).
 * Node knows no datagram sockets of AF_UNIX, so the telling is done by systemd's own `systemd-notify`; the unit needs
 * `NotifyAccess=all` for it.
 */
import { execFile } from "node:child_process";
import { messageOf } from "../support/errors.ts";
import { supervise as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { type InheritedSocket, inheritedSocket } from "./listening-sockets.ts";

/** Where sd_listen_fds(3) begins. */
const firstDescriptor = 3;
/** How a supervisor hands them on: "4=http 5=https". Theirs names the process, which it can't know before. */
const handedOn = "FLOTILLA_SOCKETS";

/** An open descriptor of this process that its parent has left to it. */
export interface Descriptor {
  readonly number: number;
  /** Its name in the service manager, for messages; or "". */
  readonly name: string;
}

export class ServiceManager {
  /** It waits to be told. */
  readonly listens: boolean;
  /** The sockets that were open before. */
  readonly descriptors: readonly Descriptor[];
  readonly #environment: NodeJS.ProcessEnv;
  readonly #log: Log;

  /** Takes what is meant for this process out of its environment: programs that it starts are not to see it. */
  constructor(environment: NodeJS.ProcessEnv, log: Log) {
    this.#environment = { ...environment };
    this.#log = log;
    this.listens = (environment.NOTIFY_SOCKET ?? "") !== "";
    this.descriptors = descriptorsOf(environment);
    for (const name of [
      "NOTIFY_SOCKET",
      "LISTEN_FDS",
      "LISTEN_PID",
      "LISTEN_FDNAMES",
      "LISTEN_PIDFDID",
      handedOn,
    ])
      delete environment[name];
  }

  /** The descriptors as sockets. One that is none is told, and left alone. */
  sockets(): InheritedSocket[] {
    return this.descriptors.flatMap(({ number, name }) => {
      try {
        return [inheritedSocket(number, name)];
      } catch (error) {
        this.#log.warn(`descriptor ${number} of the service manager can't be used: ${messageOf(error)}`);
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
    if (!this.listens) return;
    const options = { env: this.#environment, timeout: limits.notifyTimeoutMs };
    execFile("systemd-notify", words, options, (error) => {
      if (error !== null)
        this.#log.warn(`the service manager was not told ${words.join(" ")}: ${messageOf(error)}`);
    });
  }
}

/** For a program that gets these descriptors from `first` on. */
export function handOn(descriptors: readonly Descriptor[], first: number): Record<string, string> {
  if (descriptors.length === 0) return {};
  return { [handedOn]: descriptors.map(({ name }, index) => `${first + index}=${name}`).join(" ") };
}

function descriptorsOf(environment: NodeJS.ProcessEnv): Descriptor[] {
  const own = environment[handedOn];
  if (own !== undefined)
    return own.split(" ").map((word) => {
      const [number, name = ""] = word.split("=");
      return { number: Number(number), name };
    });
  const { LISTEN_PID, LISTEN_FDS = "", LISTEN_FDNAMES = "" } = environment;
  // Left over from a parent that they were meant for.
  if (LISTEN_PID !== String(process.pid) || !/^\d{1,3}$/.test(LISTEN_FDS)) return [];
  const names = LISTEN_FDNAMES.split(":");
  return Array.from({ length: Math.min(Number(LISTEN_FDS), limits.descriptorsMax) }, (_, index) => ({
    number: firstDescriptor + index,
    // In the list above a blank would divide.
    name: (names[index] ?? "").replaceAll(/[\s=]/g, "-"),
  }));
}
