/** A dispatcher's side of the agent check: connects, reads one line, and is done. It sends nothing. */
import { connect, type Socket } from "node:net";
import { codeOf, messageOf } from "../support/errors.ts";
import { agent as limits } from "../support/limits.ts";
import type { Asking } from "../support/polling.ts";
import { type AgentAnswer, parseAgentCheck } from "./agent-check.ts";

/** What it said, or why it said nothing, for a person. */
export type AgentFinding = AgentAnswer | string;

export class AgentAsking implements Asking<AgentFinding> {
  readonly #socket: Socket;
  readonly #done: (finding: AgentFinding) => void;
  #text = "";

  constructor(address: string, port: number, done: (finding: AgentFinding) => void) {
    this.#done = done;
    this.#socket = connect({ host: address, port });
    this.#socket
      .on("data", (bytes) => this.#read(bytes))
      .on("error", (error) => this.#end(codeOf(error) || messageOf(error)))
      .on("close", () => this.#end("it closed the connection without a whole line"));
  }

  cut(): AgentFinding {
    this.#socket.destroy();
    return "it did not answer in time";
  }

  #read(bytes: Buffer): void {
    this.#text += bytes.toString("latin1");
    const isWhole = /[\r\n]/.test(this.#text);
    if (!isWhole && this.#text.length <= limits.lineBytesMax) return;
    const answer = parseAgentCheck(this.#text);
    this.#end(answer ?? `it said ${JSON.stringify(this.#text.slice(0, 60))}`);
  }

  #end(finding: AgentFinding): void {
    this.#socket.destroy();
    this.#done(finding);
  }
}
