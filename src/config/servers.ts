/** `servers:` -> members: names, letters, processes on consecutive ports, plain HTTP servers. */
import type { Context, Placed } from "./context.ts";
import type { Server } from "./model.ts";
import { buildPlainServer, refusePlainKeys } from "./plain-servers.ts";
import type { NamedSection } from "./section.ts";
import { sharesOf } from "./shares.ts";

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/** The servers of one cluster in the order of the file; entries with mistakes are left out. */
export function buildServers(
  entries: readonly NamedSection[],
  cluster: string,
  context: Context,
): readonly Placed<Server>[] {
  const letterOf = assignLetters(entries, context);
  return entries.flatMap((entry, index) => buildEntry(entry, cluster, letterOf[index]!, context));
}

/**
 * R20: the letter of an entry is that of its place (a, b, c...). An explicit letter goes first; an entry whose
 * own letter is taken that way gets the first free one, so that the letters of the others stay.
 */
function assignLetters(entries: readonly NamedSection[], { problems }: Context): readonly string[] {
  const owners = new Map<string, NamedSection>();
  const assigned = entries.map((entry) => {
    const letter = entry.section.text("letter");
    const owner = letter === null ? undefined : owners.get(letter);
    if (letter !== null && owner === undefined) owners.set(letter, entry);
    if (owner !== undefined) {
      const line = owner.section.atOf("letter").line;
      problems.error(
        entry.section.atOf("letter"),
        `${entry.name} has the letter "${letter}", which ${owner.name} has too (line ${line}); letters are unique in a cluster`,
      );
    }
    return letter;
  });
  const byPlace = assigned.map((letter, place) => {
    const own = letters.charAt(place);
    if (letter !== null || owners.has(own)) return letter;
    owners.set(own, entries[place]!);
    return own;
  });
  const free = [...letters].filter((letter) => !owners.has(letter)).values();
  return byPlace.map((letter) => letter ?? free.next().value ?? "");
}

function buildEntry(
  entry: NamedSection,
  cluster: string,
  letter: string,
  context: Context,
): Placed<Server>[] {
  const { section } = entry;
  if (section.has("http")) return buildPlainServer(entry, cluster, letter, context);
  refusePlainKeys(section, context.problems);
  const address = section.text("address");
  const firstPort = section.number("port");
  if (address === null || Number.isNaN(firstPort)) return [];
  const at = section.atOf(section.has("port") ? "port" : "address");
  const server = (name: string, processIndex: number, port: number): Placed<Server> => ({
    at,
    value: {
      name,
      entry: entry.name,
      cluster,
      letter,
      processIndex,
      kind: "link",
      address,
      port,
      authority: authorityOf(address, port),
      ...sharesOf(section),
      requestsMax: section.number("requests"),
      plain: null,
    },
  });
  if (!section.has("processes")) return [server(entry.name, 0, firstPort)];
  const processes = section.number("processes");
  if (Number.isNaN(processes)) return [];
  const lastPort = firstPort + processes - 1;
  if (lastPort > 65_535) {
    context.problems.error(
      section.atOf("processes"),
      `${section.where}: ${processes} processes from port ${firstPort} on would need port ${lastPort}; the last port is 65535`,
    );
    return [];
  }
  return Array.from({ length: processes }, (_, i) => server(`${entry.name}.${i + 1}`, i + 1, firstPort + i));
}

/** @returns null when there is none, or it has a mistake. */
export function buildWitness(entries: readonly NamedSection[], cluster: string): Placed<Server> | null {
  const [entry] = entries;
  const address = entry?.section.text("address") ?? null;
  const port = entry?.section.number("port") ?? Number.NaN;
  if (entry === undefined || address === null || Number.isNaN(port)) return null;
  const { name, section } = entry;
  const authority = authorityOf(address, port);
  const value: Server = {
    ...{ name, entry: name, cluster, letter: "", processIndex: 0, kind: "witness" },
    ...{ address, port, authority, weight: 0, isBackup: false, requestsMax: 0, waitingMax: 0, plain: null },
  };
  return { at: section.atOf(section.has("port") ? "port" : "address"), value };
}

function authorityOf(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
