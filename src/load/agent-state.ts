/**
 * What an operator has an agent say, by a file that holds one word of the agent check ("drain", "maint", "down # disk swapped",
 * "ready"). No file, or an empty one, is "ready". It is read when somebody asks, so it counts at once, and outlives the agent.
 */
import { closeSync, constants, openSync, readSync } from "node:fs";
import { codeOf, messageOf } from "../support/errors.ts";
import { agent as limits } from "../support/limits.ts";
import type { Log } from "../support/log.ts";
import { type AdminWord, type HealthWord, parseAgentCheck } from "./agent-check.ts";

export interface AgentState {
  readonly admin: AdminWord;
  readonly health: HealthWord;
  readonly text: string;
}

const ready: AgentState = { admin: "ready", health: "up", text: "" };
const buffer: Buffer = Buffer.alloc(limits.stateBytesMax);

export class StateFile {
  readonly #path: string;
  readonly #log: Log;
  #state: AgentState = ready;
  #complaint = "";

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** When it can't be read, or says nothing that we know: what it said before. Told once. */
  read(): AgentState {
    let complaint = "";
    try {
      const text = textOf(this.#path).trim();
      const state = text === "" ? ready : stateOf(text);
      if (state === null)
        complaint = `is none of ready, drain, maint, up, down, fail, stopped: ${JSON.stringify(text.slice(0, 60))}`;
      else this.#become(state);
    } catch (error) {
      if (codeOf(error) === "ENOENT") this.#become(ready);
      else complaint = `can't be read: ${messageOf(error)}`;
    }
    if (complaint !== "" && complaint !== this.#complaint)
      this.#log.warn(`what ${this.#path} says ${complaint}; it stays at "${inWords(this.#state)}"`);
    this.#complaint = complaint;
    return this.#state;
  }

  #become(state: AgentState): void {
    if (inWords(state) !== inWords(this.#state)) this.#log.info(`says "${inWords(state)}" from now on`);
    this.#state = state;
  }
}

/** The begin of a file, of which a longer one has nothing to say. */
function textOf(path: string): string {
  // A pipe that nobody writes to would hold the agent up for ever.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return buffer.latin1Slice(0, readSync(descriptor, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

function stateOf(text: string): AgentState | null {
  const answer = parseAgentCheck(`${text}\n`);
  if (answer === null || answer.unknown !== "") return null;
  const { admin, health, weightPercent, weight, connectionsMax } = answer;
  if (weightPercent !== null || weight !== null || connectionsMax !== null) return null;
  return { admin: admin ?? "ready", health: health ?? "up", text: answer.text };
}

function inWords({ admin, health, text }: AgentState): string {
  return `${admin} ${health}${text === "" ? "" : ` # ${text}`}`;
}
