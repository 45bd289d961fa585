/**
 * One report of load as text: words "name=number" with a blank between, in any order. It crosses the link, and stands behind the
 * "#" of an agent's answer. Names that a reader does not know are of a newer release, and passed over; a number that is none
 * makes the whole record void, for then nothing in it can be trusted.
 */
import { load as limits } from "../support/limits.ts";

/** Null: the reporter does not know, or has no such thing. */
export interface LoadRecord {
  /** Requests that the process has not answered, of all web servers. */
  readonly inFlight: number | null;
  /** Share of time in which the thread of the event loop ran, */
  readonly run: number | null;
  /** and in which it wanted to run, and waited for a CPU. */
  readonly wait: number | null;
  /** How late the event loop comes to what is due. */
  readonly lateMs: number | null;
  /** Share of time in which the event loop was not idle. */
  readonly busy: number | null;
  /** CPUs at work: for the process with all its threads; an agent's: for the whole machine. */
  readonly cpu: number | null;
  /** In memory (rss) of the process, or of the machine, of so much at most. */
  readonly memoryBytes: number | null;
  readonly memoryBytesMax: number | null;
  /** Of JavaScript's objects, of so much at most. */
  readonly heapBytes: number | null;
  readonly heapBytesMax: number | null;
  /** Tasks of the machine that run or wait for a CPU, without the reporter's own, */
  readonly queue: number | null;
  /** and its CPUs. */
  readonly cpus: number | null;
}

type Key = keyof LoadRecord;

/** In the order in which they are written: name, what it is, digits after the point. */
const fields: readonly (readonly [name: string, key: Key, digits: number])[] = [
  ["inflight", "inFlight", 0],
  ["run", "run", 4],
  ["wait", "wait", 4],
  ["late", "lateMs", 1],
  ["busy", "busy", 3],
  ["cpu", "cpu", 3],
  ["memory", "memoryBytes", 0],
  ["memorymax", "memoryBytesMax", 0],
  ["heap", "heapBytes", 0],
  ["heapmax", "heapBytesMax", 0],
  ["queue", "queue", 2],
  ["cpus", "cpus", 0],
];

const keys: ReadonlyMap<string, Key> = new Map(fields.map(([name, key]) => [name, key]));

export const nothingKnown: LoadRecord = {
  inFlight: null,
  run: null,
  wait: null,
  lateMs: null,
  busy: null,
  cpu: null,
  memoryBytes: null,
  memoryBytesMax: null,
  heapBytes: null,
  heapBytesMax: null,
  queue: null,
  cpus: null,
};

/** One line without its end. */
export function formatLoad(record: LoadRecord): string {
  let text = "";
  for (const [name, key, digits] of fields) {
    const value = record[key];
    if (value !== null) text += `${text === "" ? "" : " "}${name}=${value.toFixed(digits)}`;
  }
  return text;
}

/** @returns null when it is no record, or says nothing that we know. */
export function parseLoad(text: string): LoadRecord | null {
  if (text.length > limits.recordBytesMax) return null;
  const record: { -readonly [key in Key]: LoadRecord[key] } = { ...nothingKnown };
  let known = 0;
  for (const word of text.split(" ")) {
    const at = word.indexOf("=");
    if (at < 1) return null;
    const key = keys.get(word.slice(0, at));
    if (key === undefined) continue;
    const value = word.slice(at + 1);
    if (record[key] !== null || !/^\d{1,15}(?:\.\d{1,6})?$/.test(value)) return null;
    record[key] = Number(value);
    known++;
  }
  return known === 0 ? null : record;
}
