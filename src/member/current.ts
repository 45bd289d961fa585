/** Which server this process is: told by its environment, as `flotilla start` and `run:` set it. */
import { loadOrThrow } from "../config/load.ts";
import { FlotillaError } from "../support/errors.ts";
import { Member } from "./member.ts";

let current: Member | null | undefined;

/**
 * This process's member, made at the first call from FLOTILLA_SERVER and FLOTILLA_CONFIG (default ./flotilla.yaml);
 * null outside a cluster. What is wrong with them ends the process: whoever calls it first, serve() or session(),
 * can do nothing without it.
 */
export function currentMember(): Member | null {
  try {
    if (current === undefined) current = memberFrom(process.env);
    return current;
  } catch (error) {
    if (error instanceof FlotillaError) giveUp(error);
    throw error;
  }
}

/** For a person at a terminal: what happened and what to do, without a stack. */
export function giveUp(error: FlotillaError): never {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

/**
 * The same from a given environment, made anew with every call.
 * @throws FlotillaError FLOTILLA_CONFIG_INVALID, FLOTILLA_SERVER_UNKNOWN
 */
export function memberFrom(env: Readonly<Record<string, string | undefined>>): Member | null {
  const name = env.FLOTILLA_SERVER;
  if (name === undefined || name === "") return null;
  const file = loadOrThrow(env.FLOTILLA_CONFIG || "flotilla.yaml");
  const server = file.servers.get(name);
  if (server !== undefined) return new Member(file, server);
  throw new FlotillaError(
    "FLOTILLA_SERVER_UNKNOWN",
    `FLOTILLA_SERVER is "${name}", but ${file.path} has no such server; it has ${[...file.servers.keys()].join(", ")}`,
    { source: "server" },
  );
}
