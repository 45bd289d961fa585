/**
 * Asks the agents of plain servers how busy these are (R44): once for all workers of a web server, which are told. As HAProxy, it
 * believes what an agent said last until the agent says otherwise; its figures grow old.
 */
import { isDeepStrictEqual } from "node:util";
import { clustersBehind } from "../config/behind.ts";
import type { Cluster, ClusterFile, Endpoint, Server } from "../config/model.ts";
import type { AgentNews } from "../health/server-news.ts";
import type { AgentAnswer } from "../load/agent-check.ts";
import { AgentAsking, type AgentFinding } from "../load/agent-question.ts";
import { type LoadRecord, parseLoad } from "../load/record.ts";
import { KnownAddresses } from "../plain/known-addresses.ts";
import type { NameResolver } from "../plain/resolver.ts";
import type { Clock, Random } from "../support/clock.ts";
import { FewLines } from "../support/few-lines.ts";
import { config as configLimits, agent as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { type Asking, Polling, type Question } from "../support/polling.ts";
import type { NewsBoard } from "./news-board.ts";

export interface AgentPollsOptions {
  readonly news: NewsBoard;
  /** Told of each record of a server. */
  readonly onLoad: (name: string, record: LoadRecord) => void;
  readonly resolver: NameResolver;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class AgentPolls {
  readonly #options: AgentPollsOptions;
  readonly #polling: Polling<AgentFinding, AgentPoll>;
  #polls: ReadonlyMap<string, AgentPoll> = new Map();

  constructor(options: AgentPollsOptions) {
    this.#options = options;
    const { clock, random } = options;
    this.#polling = new Polling({ clock, random, atOnceMax: limits.askedAtOnceMax });
  }

  /** Questions that are open. */
  get openCount(): number {
    return this.#polling.openCount;
  }

  /** Asks for the servers that routes of `web` lead to, as this file says. What it leaves as it is goes on. */
  follow(file: ClusterFile, web: Cluster): void {
    const before = this.#polls;
    this.#polls = new Map(
      asked(file, web).map(({ server, agent }) => {
        const known = before.get(server.name);
        const poll = known?.isOf(server, agent) ? known : new AgentPoll(server, agent, this.#options);
        return [server.name, poll];
      }),
    );
    for (const poll of this.#polling.follow(this.#polls.values())) this.#end(poll);
  }

  stop(): void {
    this.#polling.stop();
  }

  #end(poll: AgentPoll): void {
    const { news } = this.#options;
    const { name } = poll.server;
    if (news.of(name).agent !== null) news.update(name, { agent: null });
  }
}

function asked(file: ClusterFile, web: Cluster): { server: Server; agent: Endpoint }[] {
  return clustersBehind(file, web)
    .flatMap(({ servers }) => servers)
    .flatMap((server) => {
      const agent = server.plain?.agent ?? null;
      return agent === null ? [] : [{ server, agent }];
    });
}

class AgentPoll implements Question<AgentFinding> {
  readonly server: Server;
  readonly agent: Endpoint;
  readonly intervalMs: number = limits.askIntervalMs;
  readonly timeoutMs: number = limits.askTimeoutMs;
  readonly #options: AgentPollsOptions;
  readonly #addresses: KnownAddresses;
  readonly #lines: FewLines;
  /** Why it could not be asked the last time, or "". */
  #failure = "";
  #unknown = "";

  constructor(server: Server, agent: Endpoint, options: AgentPollsOptions) {
    this.server = server;
    this.agent = agent;
    this.#options = options;
    this.#lines = new FewLines(options.log, options.clock);
    this.#addresses = new KnownAddresses(
      { address: agent.address, plain: null },
      options.resolver,
      options.clock,
    );
  }

  isOf(server: Server, agent: Endpoint): boolean {
    return isDeepStrictEqual([this.server, this.agent], [server, agent]);
  }

  ask(answer: (finding: AgentFinding) => void): Asking<AgentFinding> {
    const asking = new AgentAsking(this.#addresses, this.agent.port, answer);
    asking.begin();
    return asking;
  }

  heard(finding: AgentFinding): void {
    const failure = typeof finding === "string" ? finding : "";
    if (failure !== this.#failure) this.#tell(failure);
    this.#failure = failure;
    if (typeof finding !== "string") this.#take(finding);
  }

  #take(answer: AgentAnswer): void {
    const { news, onLoad } = this.#options;
    const { name } = this.server;
    const record = parseLoad(answer.text);
    if (record !== null) onLoad(name, record);
    if (answer.unknown !== "" && answer.unknown !== this.#unknown)
      this.#lines.tell(
        "warn",
        `the agent of ${name} (${this.#where}) says ${JSON.stringify(answer.unknown)}, which means nothing`,
      );
    this.#unknown = answer.unknown;
    const before = news.of(name).agent;
    const agent = newsOf(answer, before, this.server.weight, record !== null);
    if (!isDeepStrictEqual(agent, before)) news.update(name, { agent });
    this.#tellChanges(agent, before);
  }

  #tellChanges(agent: AgentNews, before: AgentNews | null): void {
    const says = `the agent of ${this.server.name} says`;
    if (agent.admin !== (before?.admin ?? "ready")) this.#lines.tell("info", `${says} ${agent.admin}`);
    if ((agent.weight === 0) !== (before?.weight === 0))
      this.#lines.tell(
        "info",
        agent.weight === 0 ? `${says} weight 0: it gets no new visitors` : `${says} weight 0 no more`,
      );
    if (agent.isUp === (before?.isUp ?? true)) return;
    if (agent.isUp) this.#lines.tell("info", `${says} up`);
    else this.#lines.tell("warn", `${says} ${agent.reason}`);
  }

  #tell(failure: string): void {
    const of = `the agent of ${this.server.name} (${this.#where})`;
    if (failure === "") this.#lines.tell("info", `${of} answers`);
    else this.#lines.tell("warn", `${of}: ${failure}; how busy the server is, is not known`);
  }

  get #where(): string {
    return `${this.agent.address}:${this.agent.port}`;
  }
}

/**
 * What the answer leaves out stays.
 * @param hasFigures it is an agent of ours, whose percentage says what its figures say: those count.
 */
function newsOf(
  answer: AgentAnswer,
  before: AgentNews | null,
  ofFile: number,
  hasFigures: boolean,
): AgentNews {
  const { admin, health, weightPercent, weight, connectionsMax, text } = answer;
  const isUp = health === null ? (before?.isUp ?? true) : health === "up";
  const own = weight ?? (weightPercent === null ? null : (ofFile * weightPercent) / 100);
  return {
    admin: admin ?? before?.admin ?? "ready",
    isUp,
    reason: isUp
      ? ""
      : health === null
        ? (before?.reason ?? "")
        : text === ""
          ? health
          : `${health}: ${text}`,
    weight: hasFigures
      ? null
      : own === null
        ? (before?.weight ?? null)
        : Math.min(own, configLimits.weightMax),
    connectionsMax: connectionsMax ?? before?.connectionsMax ?? null,
  };
}
