/**
 * What operators want of app servers, as a web server's main process sees to it: it tells its workers and, for the sake of
 * their sessions, the app servers; keeps it in a file; and asks the other web servers now and then what they were told, so that one that
 * was down or cut off learns it too.
 */
import type { Asker } from "../admin/ask.ts";
import type { Answers, Question } from "../admin/service.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import { OperatorWords, readServerWords, type ServerWords, weightOf } from "../health/operator-words.ts";
import type { HealthState, Order } from "../health/server-news.ts";
import type { OperatorOrder } from "../member/member.ts";
import type { Clock, Random, Timer } from "../support/clock.ts";
import { FlotillaError, messageOf } from "../support/errors.ts";
import { admin, operations as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import type { NewsBoard } from "./news-board.ts";
import { Turn } from "./operators-turn.ts";
import type { WebWorkers } from "./web-workers.ts";
import { WordsFile } from "./words-file.ts";

/** An app server in a web server's answer to `orders` and `operate`. */
export interface OrderedServer extends OperatorOrder {
  /** Its requests from this web server. */
  readonly inFlight: number;
  /** As its workers see it, each state once. */
  readonly states: readonly HealthState[];
  /** Of all of them. */
  readonly takesRequests: boolean;
}

export interface OrdersAnswer {
  /** All that was ever said, of servers that the file names. */
  readonly words: readonly ServerWords[];
  /** Of the servers that were asked for. */
  readonly servers: readonly OrderedServer[];
  /** Of `operate`: why it would be forgotten by a restart, or "". */
  readonly unsaved: string;
}

/** The content of `operate`: for each server of the question. */
export type Said = Pick<ServerWords, "order" | "weight">;

export interface OperationsParts {
  readonly server: Server;
  readonly file: ClusterFile;
  readonly news: NewsBoard;
  readonly workers: Pick<WebWorkers, "views" | "inFlightAt" | "inForce" | "askReports">;
  readonly asker: Pick<Asker, "server">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, "info" | "warn" | "error" | "debug">;
}

const verbs: Readonly<Record<Order, string>> = {
  ready: "takes requests again",
  drain: "drains: those that it keeps, and nobody new",
  maint: "is in maintenance: no requests",
};

export class Operations {
  readonly answers: Answers;
  readonly #parts: OperationsParts;
  readonly #words: OperatorWords = new OperatorWords();
  readonly #store: WordsFile;
  readonly #turn: Turn;
  /** What the last process of this server was told is known. */
  readonly #begun: PromiseWithResolvers<void> = Promise.withResolvers();
  #file: ClusterFile;
  #compareTimer: Timer | null = null;
  #tellTimer: Timer | null = null;
  /** By server: the id of the word that it has taken up. */
  readonly #told: Map<string, string> = new Map();
  readonly #toldAtMs: Map<string, number> = new Map();

  constructor(parts: OperationsParts) {
    this.#parts = parts;
    this.#file = parts.file;
    this.#store = new WordsFile(parts.file.dataFolder, parts.server.name);
    this.#turn = new Turn(parts.clock);
    this.answers = {
      orders: (question) => this.#view(question.servers ?? []),
      operate: (question) => this.#operate(question),
      turn: ({ content }) => this.#turn.take(content),
    };
  }

  /** Before the workers begin: what the last process of this server was told is in force with their first request. */
  async begin(): Promise<void> {
    try {
      for (const words of await this.#store.read()) if (this.#isKnown(words.name)) this.#words.hear(words);
    } catch (error) {
      const { code, message } = error as FlotillaError;
      this.#parts.log.error({ code }, message);
    }
    this.#begun.resolve();
    for (const { name } of this.#words.all) this.#apply(name);
    for (const other of this.#others) void this.#compareWith(other);
    this.#compareLater();
    this.#tell();
  }

  stop(): void {
    this.#compareTimer?.cancel();
    this.#tellTimer?.cancel();
  }

  /** A changed file is in force. */
  follow(file: ClusterFile): void {
    this.#file = file;
    const before = this.#words.all.length;
    this.#words.keepOnly(new Set(file.servers.keys()));
    for (const told of [this.#told, this.#toldAtMs])
      for (const name of told.keys()) if (!file.servers.has(name)) told.delete(name);
    for (const { name } of this.#words.all) this.#apply(name);
    if (this.#words.all.length !== before) void this.#save();
  }

  /** Those that are not as the file says. */
  get standing(): OperatorOrder[] {
    return this.#words.all
      .map(({ name }) => this.#orderOf(name))
      .filter(({ order, weight }) => order !== "ready" || weight !== null);
  }

  async #operate({ servers = [], content }: Question): Promise<OrdersAnswer> {
    await this.#begun.promise;
    const unknown = servers.filter((name) => !this.#isKnown(name));
    if (unknown.length > 0)
      throw new FlotillaError(
        "FLOTILLA_ORDER_REFUSED",
        `${unknown.join(", ")}: no app server of the file that ${this.#parts.server.name} works by; flotilla reload there first`,
      );
    for (const name of servers) {
      const words = readServerWords({ ...(content as object | undefined), name });
      if (words === null) throw new FlotillaError("FLOTILLA_ORDER_REFUSED", "that is no order");
      this.#hear(words);
    }
    await this.#parts.workers.inForce(limits.inForceTimeoutMs);
    const unsaved = await this.#save();
    return { ...(await this.#view(servers)), unsaved };
  }

  async #view(names: readonly string[]): Promise<OrdersAnswer> {
    const { workers } = this.#parts;
    if (names.length > 0) await workers.askReports();
    const servers = names.filter((name) => this.#isKnown(name)).map((name) => this.#seen(name));
    return { words: this.#words.all, servers, unsaved: "" };
  }

  #seen(name: string): OrderedServer {
    const { workers } = this.#parts;
    const views = workers.views.filter((view) => view.name === name);
    return {
      ...this.#orderOf(name),
      inFlight: workers.inFlightAt(name),
      states: [...new Set(views.map(({ state }) => state))],
      takesRequests: views.length > 0 && views.every(({ takesRequests }) => takesRequests),
    };
  }

  #orderOf(name: string): OperatorOrder {
    const { order, weight } = this.#words.of(name);
    const isOfFile = weight === null || weight.value === "100%";
    return {
      name,
      order: order?.value ?? "ready",
      orderedAtMs: order?.atMs ?? null,
      weight: isOfFile ? null : weight.value,
    };
  }

  /** @returns whether it was news. */
  #hear(words: ServerWords): boolean {
    const before = this.#orderOf(words.name);
    if (!this.#words.hear(words)) return false;
    const now = this.#orderOf(words.name);
    if (now.order !== before.order)
      this.#parts.log.info(`an operator's order: ${words.name} ${verbs[now.order]}`);
    if (now.weight !== before.weight)
      this.#parts.log.info(
        `an operator's order: ${words.name} has ${now.weight === null ? "the weight of the file" : `weight ${now.weight}`}`,
      );
    this.#apply(words.name);
    void this.#tellServer(words.name);
    return true;
  }

  #apply(name: string): void {
    const { order, orderedAtMs, weight } = this.#orderOf(name);
    const ofFile = this.#file.servers.get(name)!.weight;
    this.#parts.news.update(name, {
      ...{ order, orderedAtMs },
      weight: weight === null ? null : weightOf(weight, ofFile),
    });
  }

  /** @returns why not, or "". */
  async #save(): Promise<string> {
    try {
      await this.#store.write(() => this.#words.all);
      return "";
    } catch (error) {
      const why = `${this.#store.path}: ${messageOf(error)}`;
      this.#parts.log.error(
        { code: "FLOTILLA_ORDERS_NOT_SAVED" },
        `what operators want of app servers is in force and can't be written, so a restart of this server forgets it: ${why}`,
      );
      return why;
    }
  }

  #isKnown(name: string): boolean {
    const server = this.#file.servers.get(name);
    return server !== undefined && server.kind !== "witness" && this.#tierOf(server) === "app";
  }

  #tierOf({ cluster }: Server): "web" | "app" {
    return this.#file.clusters.get(cluster)!.tier;
  }

  get #others(): Server[] {
    return [...this.#file.servers.values()].filter(
      (server) => server.name !== this.#parts.server.name && this.#tierOf(server) === "web",
    );
  }

  /** One of the others, by chance: what one was told reaches all in some rounds, however many they are. */
  #compareLater(): void {
    const { clock, random } = this.#parts;
    this.#compareTimer = clock.after(limits.compareIntervalMs * (0.5 + random()), () => {
      const others = this.#others;
      const other = others[Math.floor(random() * others.length)];
      if (other !== undefined) void this.#compareWith(other);
      this.#compareLater();
    });
  }

  async #compareWith(other: Server): Promise<void> {
    const { asker, log } = this.#parts;
    try {
      const { words } = (await asker.server(other, { ask: "orders" }, admin.statusTimeoutMs)) as OrdersAnswer;
      if (!Array.isArray(words)) return;
      const heard = words
        .map(readServerWords)
        .filter((word) => word !== null && this.#isKnown(word.name) && this.#hear(word));
      if (heard.length === 0) return;
      log.info(
        `learned from ${other.name} what operators want of ${heard.map((word) => word!.name).join(", ")}`,
      );
      await this.#save();
    } catch (error) {
      // It does not run, most of the time.
      log.debug(`${other.name} was not asked for orders: ${messageOf(error)}`);
    }
  }

  /** Those that are out of service, again and again; of the others, those that were not told yet that they are back. */
  #tell(): void {
    const due = this.#words.all
      .filter(
        ({ name, order }) => order !== null && (order.value !== "ready" || this.#told.get(name) !== order.id),
      )
      .map(({ name }) => name)
      .sort((one, other) => (this.#toldAtMs.get(one) ?? 0) - (this.#toldAtMs.get(other) ?? 0))
      .slice(0, limits.toldAtOnceMax);
    void Promise.all(due.map((name) => this.#tellServer(name))).then(() => {
      this.#tellTimer = this.#parts.clock.after(limits.tellIntervalMs, () => this.#tell());
    });
  }

  /** It hands its sessions over, or takes its share again. */
  async #tellServer(name: string): Promise<void> {
    const server = this.#file.servers.get(name);
    const { name: own, order } = this.#words.of(name);
    if (server?.kind !== "link" || order === null) return;
    this.#toldAtMs.set(name, this.#parts.clock.now());
    try {
      const content = { name: own, order };
      await this.#parts.asker.server(server, { ask: "order", content }, admin.statusTimeoutMs);
      this.#told.set(name, order.id);
    } catch (error) {
      this.#parts.log.debug(
        `${name} was not told that an operator wants "${order.value}": ${messageOf(error)}`,
      );
    }
  }
}
