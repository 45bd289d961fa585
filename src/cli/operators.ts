/** An operator's word with the web servers: which of them it concerns, told to all at once, and what they say to it. */
import { randomBytes } from "node:crypto";
import { Asker } from "../admin/ask.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import type { ServerWords } from "../health/operator-words.ts";
import type { Order } from "../health/server-news.ts";
import type { OrderedServer, OrdersAnswer, Said } from "../supervise/operations.ts";
import { FlotillaError, messageOf } from "../support/errors.ts";
import { admin, operations as limits } from "../support/limits.ts";
import { shortName } from "./cluster-file.ts";
import { enumerate } from "./terminal.ts";

export interface Wish {
  readonly order?: Order;
  /** "5", "50%". */
  readonly weight?: string;
}

export interface Untold {
  readonly webServer: string;
  readonly why: string;
}

/** By web server. */
export interface Answered {
  readonly answers: ReadonlyMap<string, OrdersAnswer>;
  readonly untold: readonly Untold[];
}

/** One app server, as all web servers together see it. */
export interface Seen extends OrderedServer {
  /** Web servers that were told. */
  readonly at: readonly string[];
}

export class Operators {
  readonly webServers: readonly Server[];
  readonly #names: readonly string[];
  readonly #asker: Asker;

  /**
   * @param servers app servers.
   * @throws FlotillaError FLOTILLA_ORDER_REFUSED
   */
  constructor(file: ClusterFile, servers: readonly Server[], asker: Asker = new Asker(file)) {
    refuseOthers(file, servers);
    this.#asker = asker;
    this.#names = servers.map(({ name }) => name);
    const clusters = new Set(servers.map(({ cluster }) => cluster));
    const isInFront = ({ cluster }: Server): boolean =>
      file.clusters.get(cluster)!.routes.some(({ to }) => to !== null && clusters.has(to));
    this.webServers = [...file.servers.values()].filter(isInFront);
    if (this.webServers.length === 0)
      throw refused(
        `no route of ${shortName(file)} leads to ${enumerate([...clusters])}: nobody sends it requests`,
      );
  }

  /** How things stand. */
  async look(): Promise<Answered> {
    const questions = this.#chunks((servers) => ({ ask: "orders", servers }));
    return await this.#askAll(questions, admin.statusTimeoutMs);
  }

  /**
   * Resolves when it is in force in all workers of all web servers but those that are untold. The word is newer than all that
   * those who answer have heard before, whatever the clocks say.
   * @throws FlotillaError FLOTILLA_NOT_IN_FORCE when no web server answers.
   */
  async say(wish: Wish): Promise<Answered> {
    const before = await this.look();
    if (before.answers.size === 0) throw nobodyAnswers(before.untold);
    const latest = Math.max(
      0,
      ...[...before.answers.values()].flatMap(({ words }) => words.flatMap(timesOf)),
    );
    const id = randomBytes(9).toString("base64url");
    const word = <T>(value: T | undefined): { value: T; atMs: number; id: string } | null =>
      value === undefined ? null : { value, atMs: Math.max(Date.now(), latest + 1), id };
    const content: Said = { order: word(wish.order), weight: word(wish.weight) };
    const questions = this.#chunks((servers) => ({ ask: "operate", servers, content }));
    return await this.#askAll(questions, limits.orderTimeoutMs);
  }

  #chunks<T>(make: (names: readonly string[]) => T): T[] {
    const chunks: T[] = [];
    for (let at = 0; at < this.#names.length; at += limits.namesMax)
      chunks.push(make(this.#names.slice(at, at + limits.namesMax)));
    return chunks;
  }

  async #askAll(
    questions: readonly { readonly ask: string; readonly servers: readonly string[] }[],
    timeoutMs: number,
  ): Promise<Answered> {
    const answers = new Map<string, OrdersAnswer>();
    const untold: Untold[] = [];
    await Promise.all(
      this.webServers.map(async (server) => {
        try {
          const parts: OrdersAnswer[] = [];
          for (const question of questions)
            parts.push((await this.#asker.server(server, question, timeoutMs)) as OrdersAnswer);
          answers.set(server.name, {
            words: parts.at(-1)!.words,
            servers: parts.flatMap((part) => part.servers),
            unsaved: parts.at(-1)!.unsaved,
          });
        } catch (error) {
          untold.push({ webServer: server.name, why: messageOf(error) });
        }
      }),
    );
    return { answers, untold };
  }
}

/** @returns one for each app server that any of them knows. */
export function together({ answers }: Answered, servers: readonly Server[]): Seen[] {
  return servers.flatMap(({ name }) => {
    const each = [...answers].flatMap(([at, answer]) =>
      answer.servers.flatMap((server) => (server.name === name ? [{ ...server, at }] : [])),
    );
    if (each.length === 0) return [];
    return [
      {
        ...each[0]!,
        inFlight: each.reduce((sum, { inFlight }) => sum + inFlight, 0),
        states: [...new Set(each.flatMap(({ states }) => states))],
        takesRequests: each.every(({ takesRequests }) => takesRequests),
        at: each.map(({ at }) => at).sort(),
      },
    ];
  });
}

/** @throws FlotillaError FLOTILLA_ORDER_REFUSED: they are no app servers. */
function refuseOthers(file: ClusterFile, servers: readonly Server[]): void {
  const web = servers.filter(({ cluster }) => file.clusters.get(cluster)!.tier === "web");
  if (web.length > 0)
    throw refused(
      `${enumerate(web.map(({ name }) => name))}: a web server is taken out of service by whoever sends it requests, or with ` +
        "flotilla stop, which lets open requests end; orders are for app servers",
    );
  const witnesses = servers.filter(({ kind }) => kind === "witness");
  if (witnesses.length > 0)
    throw refused(
      `${enumerate(witnesses.map(({ name }) => name))}: a witness gets no requests; orders are for app servers`,
    );
}

function timesOf({ order, weight }: ServerWords): number[] {
  return [order, weight].flatMap((word) => (word === null ? [] : [word.atMs]));
}

function nobodyAnswers(untold: readonly Untold[]): FlotillaError {
  return new FlotillaError(
    "FLOTILLA_NOT_IN_FORCE",
    `nobody was told, because no web server answers: ${untold.map(({ why }) => why).join("; ")}`,
    { source: "server" },
  );
}

function refused(why: string): FlotillaError {
  return new FlotillaError("FLOTILLA_ORDER_REFUSED", why, { source: "client" });
}
