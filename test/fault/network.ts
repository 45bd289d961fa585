/**
 * Machines of our own: network namespaces, each joined by one cable to a router in between that can drop what goes
 * from one machine to another, in one direction alone (ip-netns(8), ip-rule(8)). All names begin with the number of
 * the process that made them, so that `remove` and the next run find exactly what is theirs, and nothing is changed
 * outside of them. Needs root and iproute2; the kernel needs no packet filter.
 */
import { execFile, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { promisify } from "node:util";
import { sendSignal } from "../../src/support/processes.ts";

const prefix = "flotilla-";
const namespaceFolder = "/run/netns";
/** Of rules that drop; before the kernel's own (32766). */
const cutPriority = 100;

/** From one machine to another. */
export type Direction = readonly [from: string, to: string];

export class Network {
  readonly #owner: string;
  readonly #names: readonly string[];

  /** @param owner begins the names: `Network.newOwner()` of the process that made it. */
  constructor(owner: string, names: readonly string[]) {
    this.#owner = owner;
    this.#names = names;
  }

  static newOwner(): string {
    return `${prefix}${process.pid}-`;
  }

  /** @throws with what `ip` said; nothing is left behind then. */
  static make(owner: string, names: readonly string[]): Network {
    const network = new Network(owner, names);
    try {
      network.#make();
    } catch (error) {
      network.remove();
      throw error;
    }
    return network;
  }

  #make(): void {
    const router = this.#namespaceOf("router");
    ip(["netns", "add", router]);
    ip(["netns", "exec", router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    for (const name of this.#names) {
      const namespace = this.#namespaceOf(name);
      const address = this.addressOf(name);
      ip(["netns", "add", namespace]);
      const gateway = address.replace(/\d+$/, "1");
      batch(router, [
        `link add name ${name} type veth peer name eth0 netns ${namespace}`,
        `address add ${gateway}/24 dev ${name}`,
        `link set dev ${name} up`,
      ]);
      batch(namespace, [
        "link set dev lo up",
        `address add ${address}/24 dev eth0`,
        "link set dev eth0 up",
        `route add default via ${gateway}`,
      ]);
    }
  }

  addressOf(name: string): string {
    return `10.78.${this.#names.indexOf(name) + 1}.2`;
  }

  /** The command line that runs `command` on a machine; the process has the number of what it becomes. */
  commandOn(name: string, command: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.#namespaceOf(name), ...command];
  }

  /** From now on nothing gets through in these directions; no end is told. */
  async cut(directions: readonly Direction[]): Promise<void> {
    await this.#rules(
      directions.map(
        ([from, to]) => `rule add priority ${cutPriority} iif ${from} to ${this.addressOf(to)}/32 blackhole`,
      ),
    );
  }

  /** Everything gets through again. */
  async mend(): Promise<void> {
    const { stdout } = await run("ip", ["-n", this.#namespaceOf("router"), "rule", "list"]);
    const cuts = stdout.split("\n").filter((line) => line.startsWith(`${cutPriority}:`));
    await this.#rules(cuts.map(() => `rule delete priority ${cutPriority}`));
  }

  async #rules(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const running = run("ip", ["-n", this.#namespaceOf("router"), "-batch", "-"]);
    running.child.stdin!.end(`${lines.join("\n")}\n`);
    await running;
  }

  /** Processes of a machine, supervisors and all below them. */
  processesOn(name: string): number[] {
    return processesIn(this.#namespaceOf(name));
  }

  /** Ends every process in it and removes it. Does nothing to what is gone already. */
  remove(): void {
    for (const name of namespaces().filter((each) => each.startsWith(this.#owner))) removeNamespace(name);
  }

  #namespaceOf(name: string): string {
    return `${this.#owner}${name}`;
  }
}

const run = promisify(execFile);

/** Why there can be no machines of our own here, or null. Removes what a killed run has left behind. */
export function whyNoNetwork(): string | null {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid!() !== 0) return "needs root, to make network namespaces";
  if (spawnSync("ip", ["-V"]).status !== 0) return "needs ip (Debian package iproute2)";
  removeOrphans();
  const probe = `${Network.newOwner()}probe`;
  const { status, stderr } = spawnSync("ip", ["netns", "add", probe], { encoding: "utf8" });
  removeNamespace(probe);
  return status === 0 ? null : `network namespaces can't be made here: ${stderr.trim()}`;
}

function removeOrphans(): void {
  for (const name of namespaces()) {
    const owner = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) removeNamespace(name);
  }
}

function namespaces(): string[] {
  try {
    return readdirSync(namespaceFolder);
  } catch {
    return [];
  }
}

/** A supervisor starts its programs again: all have to be gone in one look. */
const looksMax = 20;

function removeNamespace(name: string): void {
  for (let look = 0; look < looksMax; look++) {
    const others = processesIn(name).filter((pid) => pid !== process.pid);
    if (others.length === 0) break;
    for (const pid of others) sendSignal(pid, "SIGKILL");
  }
  spawnSync("ip", ["netns", "delete", name]);
}

function processesIn(namespace: string): number[] {
  const { status, stdout } = spawnSync("ip", ["netns", "pids", namespace], { encoding: "utf8" });
  return status === 0 ? stdout.split("\n").filter(Boolean).map(Number) : [];
}

function batch(namespace: string, lines: readonly string[]): void {
  ip(["-n", namespace, "-batch", "-"], `${lines.join("\n")}\n`);
}

function ip(args: readonly string[], input = ""): void {
  const { status, stderr, error } = spawnSync("ip", args, { input, encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
}
