/**
 * Active checks (R46): the main process of a web server asks the servers of `check:` whether they are well, once for all its workers,
 * which are told when the verdict of one changes.
 */
import { isDeepStrictEqual } from "node:util";
import { clustersBehind } from "../config/behind.ts";
import type { CheckSettings, Cluster, ClusterFile, Server } from "../config/model.ts";
import { CheckCounter } from "../health/check-counter.ts";
import { LinkProbe } from "../health/probes/link-probe.ts";
import { PlainProbe } from "../health/probes/plain-probe.ts";
import type { Finding, Probe } from "../health/probes/probe.ts";
import type { LinkSelf } from "../link/connection.ts";
import { linkKeys } from "../link/keys.ts";
import type { NameResolver } from "../plain/resolver.ts";
import type { Clock, Random } from "../support/clock.ts";
import { checks as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { type Asking, Polling, type Question } from "../support/polling.ts";
import { silentLog } from "../support/silent-log.ts";
import { seconds } from "../support/words.ts";
import type { NewsBoard } from "./news-board.ts";

export interface ServerChecksOptions {
  /** The web server that asks. */
  readonly self: LinkSelf;
  readonly ownAddress: string;
  readonly news: NewsBoard;
  readonly resolver: NameResolver;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class ServerChecks {
  readonly #options: ServerChecksOptions;
  readonly #polling: Polling<Finding, ServerCheck>;
  #checks: ReadonlyMap<string, ServerCheck> = new Map();

  constructor(options: ServerChecksOptions) {
    this.#options = options;
    const { clock, random } = options;
    this.#polling = new Polling({ clock, random, atOnceMax: limits.atOnceMax });
  }

  /** Checks that are under way. */
  get openCount(): number {
    return this.#polling.openCount;
  }

  /**
   * Checks the servers that routes of `web` lead to, as this file says. What the file leaves as it is goes on. Where only
   * the check has changed, the verdict stands until the new one has its first answer; of a server at another place nothing is known.
   */
  follow(file: ClusterFile, web: Cluster): void {
    const before = this.#checks;
    this.#checks = new Map(
      wanted(file, web).map(({ server, settings }) => {
        const known = before.get(server.name);
        const check = known?.isOf(server, settings) ? known : this.#checkOf(server, settings, file);
        return [server.name, check];
      }),
    );
    for (const check of this.#polling.follow(this.#checks.values()))
      this.#end(check, this.#checks.get(check.server.name));
  }

  /** No socket of a check is open when this returns; links end after what they have to send. */
  stop(): void {
    this.#polling.stop();
    for (const check of this.#checks.values()) check.close();
    this.#checks = new Map();
  }

  #end(check: ServerCheck, next: ServerCheck | undefined): void {
    const { news } = this.#options;
    check.close();
    const { name } = check.server;
    const isElsewhere = next === undefined || !isDeepStrictEqual(placeOf(next.server), placeOf(check.server));
    if (isElsewhere && news.of(name).check !== null) news.update(name, { check: null });
  }

  #checkOf(server: Server, settings: CheckSettings, file: ClusterFile): ServerCheck {
    return new ServerCheck(server, settings, this.#probe(server, settings, file), this.#options);
  }

  #probe(server: Server, { http, timeoutMs }: CheckSettings, file: ClusterFile): Probe {
    const { self, ownAddress, resolver, clock } = this.#options;
    const within = `within ${seconds(timeoutMs)}`;
    if (server.kind !== "link" || http === null)
      return new PlainProbe(server, http, { resolver, clock, within });
    const keys = linkKeys(file.secret, file.previousSecret);
    // Links are told of by those who send requests over them.
    const link = { self, keys, services: new Map(), log: silentLog };
    return new LinkProbe(server, http, { link, ownAddress, within });
  }
}

function wanted(file: ClusterFile, web: Cluster): { server: Server; settings: CheckSettings }[] {
  return clustersBehind(file, web).flatMap(({ check, servers }) =>
    check === null ? [] : servers.map((server) => ({ server, settings: check })),
  );
}

/** Who is asked there, and how it is reached. */
function placeOf({ kind, address, port, plain }: Server): unknown {
  return [kind, address, port, plain?.socketPath, plain?.tls, plain?.host];
}

class ServerCheck implements Question<Finding> {
  readonly server: Server;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly #settings: CheckSettings;
  readonly #probe: Probe;
  readonly #counter: CheckCounter;
  readonly #options: ServerChecksOptions;
  /** "GET /healthz" */
  readonly #what: string;
  /** While it is down: what was found last. */
  #found = "";

  constructor(server: Server, settings: CheckSettings, probe: Probe, options: ServerChecksOptions) {
    this.server = server;
    this.intervalMs = settings.intervalMs;
    this.timeoutMs = settings.timeoutMs;
    this.#settings = settings;
    this.#probe = probe;
    this.#counter = new CheckCounter(settings);
    this.#options = options;
    this.#what = settings.http === null ? "TCP" : `GET ${settings.http.target}`;
  }

  isOf(server: Server, settings: CheckSettings): boolean {
    return (
      isDeepStrictEqual(placeOf(this.server), placeOf(server)) && isDeepStrictEqual(this.#settings, settings)
    );
  }

  ask(answer: (finding: Finding) => void): Asking<Finding> {
    return this.#probe.begin(answer);
  }

  heard(finding: Finding): void {
    if (finding === null) return;
    const changed = this.#counter.count(finding === "");
    if (this.#counter.passed === false) this.#tellDown(finding, changed);
    else if (changed) this.#tellUp();
  }

  close(): void {
    this.#probe.close();
  }

  #tellDown(finding: string, changed: boolean): void {
    const { news, log } = this.#options;
    const { name } = this.server;
    // One good answer does not make it up, and says nothing of why it is down.
    if (finding === "" || (!changed && finding === this.#found)) return;
    this.#found = finding;
    const reason = `check ${this.#what}: ${finding}${changed ? this.#inARow : ""}`;
    news.update(name, { check: { passed: false, reason } });
    if (changed) log.warn(`${name} is down: ${reason}`);
  }

  #tellUp(): void {
    const { news, log } = this.#options;
    const { name } = this.server;
    const wasDown = news.of(name).check?.passed === false;
    news.update(name, { check: { passed: true, reason: "" } });
    if (wasDown) log.info(`${name} is well again: check ${this.#what} passed${this.#inARow}`);
  }

  /** Of the answers that made the verdict. */
  get #inARow(): string {
    const { inARow } = this.#counter;
    return inARow > 1 ? `, ${inARow} times in a row` : "";
  }
}
