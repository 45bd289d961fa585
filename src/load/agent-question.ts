/** A dispatcher's side of the agent check: connects, reads one line, and is done. It sends nothing. */
import { connect, type Socket } from "node:net";
import type { KnownAddresses } from "../plain/known-addresses.ts";
import { codeOf, messageOf } from "../support/errors.ts";
import { agent as limits } from "../support/limits.ts";
import type { Asking } from "../support/polling.ts";
import { type AgentAnswer, parseAgentCheck } from "./agent-check.ts";

/** What it said, or why it said nothing, for a person. */
export type AgentFinding = AgentAnswer | string;

export class AgentAsking implements Asking<AgentFinding> {
  readonly #addresses: KnownAddresses;
  readonly #port: number;
  readonly #done: (finding: AgentFinding) => void;
  #socket: Socket | null = null;
  #text = "";
  #isOver = false;

  constructor(addresses: KnownAddresses, port: number, done: (finding: AgentFinding) => void) {
    this.#addresses = addresses;
    this.#port = port;
    this.#done = done;
  }

  begin(): void {
    if (this.#addresses.fresh) return this.#connect();
    this.#addresses.refresh().then(
      () => this.#connect(),
      (error) => this.#end(`its name can't be resolved: ${messageOf(error)}`),
    );
  }

  cut(): AgentFinding {
    const finding = this.#socket === null ? "its name was not resolved in time" : "it did not answer in time";
    this.#failed(finding);
    return finding;
  }

  #connect(): void {
    if (this.#isOver) return;
    this.#socket = connect({ host: this.#addresses.current, port: this.#port })
      .on("data", (bytes) => this.#read(bytes))
      .on("error", (error) => this.#failed(codeOf(error) || messageOf(error)))
      .on("close", () => this.#failed("it closed the connection without a whole line"));
  }

  #read(bytes: Buffer): void {
    this.#text += bytes.toString("latin1");
    const isWhole = /[\r\n]/.test(this.#text);
    if (!isWhole && this.#text.length <= limits.lineBytesMax) return;
    this.#end(parseAgentCheck(this.#text) ?? `it said ${JSON.stringify(this.#text.slice(0, 60))}`);
  }

  /** Another address of its name may do the next time. */
  #failed(finding: string): void {
    if (this.#isOver) return;
    if (this.#socket !== null) this.#addresses.moveOn();
    this.#end(finding);
  }

  #end(finding: AgentFinding): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket?.destroy();
    this.#done(finding);
  }
}
