/**
 * HAProxy's agent check (its configuration manual, "agent-check"): who connects to an agent's port is told one line, and
 * nothing else. The line is words with blanks, tabs or commas between, in any order, upper and lower case alike; what follows a
 * "#" is text. What the line does not say stays as it is.
 */
import { agent as limits } from "../support/limits.ts";

/** An operator's wish, as the agent knows it. `ready` takes the other two back. */
export type AdminWord = "ready" | "drain" | "maint";
/** How the service is. The last three are all down; the word itself is for people. */
export type HealthWord = "up" | "down" | "fail" | "stopped";

export interface AgentAnswer {
  readonly admin: AdminWord | null;
  readonly health: HealthWord | null;
  /** "75%": of the weight in the dispatcher's file. 0: no new visitors. */
  readonly weightPercent: number | null;
  /** "weight:30": in place of it. */
  readonly weight: number | null;
  /** "maxconn:30": connections from this dispatcher. */
  readonly connectionsMax: number | null;
  /** Behind the "#", in printable ASCII, as it is shown to operators; or "". */
  readonly text: string;
  /** The first word that means nothing, or "". */
  readonly unknown: string;
}

export const nothingSaid: AgentAnswer = {
  admin: null,
  health: null,
  weightPercent: null,
  weight: null,
  connectionsMax: null,
  text: "",
  unknown: "",
};

/** One line, ended by LF. `unknown` is not written, nor what in `text` is not printable ASCII. */
export function formatAgentCheck(answer: Partial<AgentAnswer>): string {
  const { admin, health, weightPercent, weight, connectionsMax, text } = { ...nothingSaid, ...answer };
  const words: string[] = [];
  if (admin !== null) words.push(admin);
  if (health !== null) words.push(health);
  // Older HAProxys know no "weight:".
  if (weightPercent !== null) words.push(`${Math.round(weightPercent)}%`);
  if (weight !== null) words.push(`weight:${weight}`);
  if (connectionsMax !== null) words.push(`maxconn:${connectionsMax}`);
  if (text !== "") words.push(`# ${printable(text).slice(0, limits.textBytesMax)}`);
  return `${words.join(" ")}\n`;
}

/**
 * @param bytes what came, latin1, perhaps with more behind the line.
 * @returns null when there is no whole line of at most `lineBytesMax`, or none of its words means anything.
 */
export function parseAgentCheck(bytes: string): AgentAnswer | null {
  const end = bytes.search(/[\r\n]/);
  if (end === -1 || end > limits.lineBytesMax) return null;
  const line = bytes.slice(0, end);
  const words: string[] = [];
  let text = "";
  for (let at = 0; at < line.length; ) {
    if (isBetween(line, at)) {
      at++;
    } else if (line[at] === "#") {
      text = printable(line.slice(at + 1).trim());
      break;
    } else {
      const begin = at;
      while (at < line.length && !isBetween(line, at)) at++;
      words.push(line.slice(begin, at));
    }
  }
  const answer = words.reduce(withWord, { ...nothingSaid, text });
  const { admin, health, weightPercent, weight, connectionsMax } = answer;
  const said = [admin, health, weightPercent, weight, connectionsMax];
  return said.every((part) => part === null) ? null : answer;
}

/** What else came could move the cursor of the terminal that shows it. */
function printable(text: string): string {
  return text.replaceAll(/[^ -~]/g, "?");
}

function isBetween(line: string, at: number): boolean {
  const character = line[at];
  return character === " " || character === "\t" || character === ",";
}

/** Of two words that say the same kind of thing the last one counts, as with HAProxy. */
function withWord(answer: AgentAnswer, written: string): AgentAnswer {
  const word = written.toLowerCase();
  switch (word) {
    case "ready":
    case "drain":
    case "maint":
      return { ...answer, admin: word };
    case "up":
    case "down":
    case "fail":
    case "stopped":
      return { ...answer, health: word };
  }
  const [, kind, digits = "", percent] = /^(weight:|maxconn:)?(\d{1,6})(%)?$/.exec(word) ?? [];
  const amount = Number(digits);
  if (digits !== "" && percent === "%" && kind !== "maxconn:") return { ...answer, weightPercent: amount };
  if (kind === "weight:" && percent === undefined) return { ...answer, weight: amount };
  if (kind === "maxconn:" && percent === undefined) return { ...answer, connectionsMax: amount };
  return answer.unknown === "" ? { ...answer, unknown: written } : answer;
}
