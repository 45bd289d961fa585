/** The right to restart servers: all web servers grant it, to one command at a time, and forget one that no longer says that it is at work. */
import { randomBytes } from "node:crypto";
import type { Asker } from "../admin/ask.ts";
import type { ClusterFile, Server } from "../config/model.ts";
import type { TurnWish } from "../supervise/operators-turn.ts";
import { codeOf, FlotillaError, messageOf } from "../support/errors.ts";
import { admin, operations as limits } from "../support/limits.ts";

export class RestartTurn {
  readonly #asker: Asker;
  readonly #wish: TurnWish;
  #grantedBy: readonly Server[] = [];
  #timer: NodeJS.Timeout | null = null;

  private constructor(asker: Asker, what: string) {
    this.#asker = asker;
    this.#wish = { id: randomBytes(9).toString("base64url"), what: what.slice(0, 200), isOver: false };
  }

  /**
   * @param what is restarted, for whoever comes second.
   * @throws FlotillaError FLOTILLA_RESTART_REFUSED: another one is at work, or no web server answers.
   */
  static async take(file: ClusterFile, what: string, asker: Asker): Promise<RestartTurn> {
    const turn = new RestartTurn(asker, what);
    const webServers = [...file.servers.values()].filter(
      ({ cluster }) => file.clusters.get(cluster)!.tier === "web",
    );
    const answers = await Promise.allSettled(webServers.map((server) => turn.#ask(server, turn.#wish)));
    turn.#grantedBy = webServers.filter((_, index) => answers[index]!.status === "fulfilled");
    const errors = answers.flatMap((answer) =>
      answer.status === "rejected" ? [answer.reason as unknown] : [],
    );
    const refusal = errors.find((error) => codeOf(error) === "FLOTILLA_QUESTION_REFUSED");
    if (refusal === undefined && turn.#grantedBy.length > 0) {
      turn.#timer = setInterval(() => void turn.#askAll(turn.#wish), limits.turnRenewMs);
      return turn;
    }
    await turn.end();
    const why =
      refusal === undefined
        ? `no web server answers, so nobody would send the visitors elsewhere: ${errors.map(messageOf).join("; ")}`
        : messageOf(refusal);
    throw new FlotillaError("FLOTILLA_RESTART_REFUSED", `nothing was touched: ${why}`, { source: "client" });
  }

  async end(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#askAll({ ...this.#wish, isOver: true });
  }

  /** One that does not answer forgets it by itself. */
  async #askAll(wish: TurnWish): Promise<void> {
    await Promise.allSettled(this.#grantedBy.map((server) => this.#ask(server, wish)));
  }

  #ask(server: Server, content: TurnWish): Promise<unknown> {
    return this.#asker.server(server, { ask: "turn", content }, admin.statusTimeoutMs);
  }
}
