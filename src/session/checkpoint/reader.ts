/**
 * Reads a checkpoint and believes nothing of it: it may be cut, damaged, or made to harm. Each line is looked at alone, within
 * bounds of its length and depth; what is wrong is told with the line's number and without its values.
 */
import { createHash, type Hash } from "node:crypto";
import { FlotillaError } from "../../support/errors.ts";
import { sessionAdmin as limits } from "../../support/limits.ts";
import { count } from "../../support/words.ts";
import { KeySet } from "./key-set.ts";
import { depthOf, RecordProblem, readRecord, type SessionRecord } from "./record.ts";
import { type CheckpointHeader, checkpointFormat, checkpointVersion } from "./writer.ts";

export type CheckpointItem =
  | { readonly kind: "header"; readonly header: CheckpointHeader }
  | {
      readonly kind: "session";
      readonly line: number;
      readonly record: SessionRecord;
      readonly value: unknown;
    }
  | { readonly kind: "problem"; readonly line: number; readonly why: string }
  | { readonly kind: "end"; readonly sessions: number };

/** Goes through all lines. @throws FlotillaError FLOTILLA_CHECKPOINT_WRONG when it is none, is cut, or was changed. */
export async function* readCheckpoint(chunks: AsyncIterable<Buffer>): AsyncGenerator<CheckpointItem> {
  const reader = new Reader();
  for await (const line of linesOf(chunks)) yield reader.take(line);
  reader.close();
}

class Reader {
  readonly #hash: Hash = createHash("sha256");
  readonly #keys: KeySet = new KeySet();
  #line = 0;
  #sessions = 0;
  #hasEnded = false;

  take(bytes: Buffer): CheckpointItem {
    this.#line++;
    if (this.#hasEnded) throw wrong(this.#line, "something follows the last line");
    if (this.#line === 1) return this.#header(bytes);
    const parsed = this.#parse(bytes);
    if (typeof parsed === "string") return this.#problem(bytes, parsed);
    const { value } = parsed;
    if (isEnd(value)) return this.#end(value);
    this.#add(bytes);
    this.#sessions++;
    try {
      const record = readRecord(value);
      if (!this.#keys.add(record.session.key))
        return { kind: "problem", line: this.#line, why: "a line above has the same key" };
      return { kind: "session", line: this.#line, record, value };
    } catch (error) {
      if (!(error instanceof RecordProblem)) throw error;
      return { kind: "problem", line: this.#line, why: error.message };
    }
  }

  close(): void {
    if (this.#line === 0) throw wrong(1, "it is empty");
    if (!this.#hasEnded)
      throw wrong(
        this.#line,
        `it has no end: it was cut after ${count(this.#sessions, "session")}, or is still being written`,
      );
  }

  #header(bytes: Buffer): CheckpointItem {
    const parsed = this.#parse(bytes);
    const fields = typeof parsed === "string" ? null : (parsed.value as Record<string, unknown> | null);
    if (fields?.flotilla !== checkpointFormat)
      throw wrong(1, `it is no checkpoint: its first line is not {"flotilla":"${checkpointFormat}", ...}`);
    if (fields.version !== checkpointVersion)
      throw wrong(1, `its version is not ${checkpointVersion}, the only one that this release knows`);
    this.#add(bytes);
    const { cluster, idKey, takenAt, sessions } = fields;
    const header = {
      cluster: typeof cluster === "string" ? cluster : "",
      idKey: typeof idKey === "string" ? idKey : "",
      takenAt: typeof takenAt === "string" ? takenAt : "",
      sessions: typeof sessions === "number" ? sessions : null,
    };
    return { kind: "header", header };
  }

  #parse(bytes: Buffer): { readonly value: unknown } | string {
    let text: string;
    try {
      text = utf8.decode(bytes);
    } catch {
      return "it is not UTF-8";
    }
    if (depthOf(text) > limits.lineDepthMax) return "it is nested too deep";
    try {
      return { value: JSON.parse(text) as unknown };
    } catch {
      // What JSON.parse says quotes the text.
      return "it is no JSON";
    }
  }

  #problem(bytes: Buffer, why: string): CheckpointItem {
    this.#add(bytes);
    this.#sessions++;
    return { kind: "problem", line: this.#line, why };
  }

  #end({ end: _, sessions, sha256, ...others }: Readonly<Record<string, unknown>>): CheckpointItem {
    if (Object.keys(others).length > 0) throw wrong(this.#line, "it has what no last line has");
    if (sessions !== this.#sessions)
      throw wrong(
        this.#line,
        `it should have ${String(sessions).slice(0, 20)} sessions and has ${this.#sessions}: some are missing`,
      );
    if (sha256 !== undefined && sha256 !== this.#hash.digest("hex"))
      throw wrong(this.#line, "it was changed after it was written: its digest is another one");
    this.#hasEnded = true;
    return { kind: "end", sessions: this.#sessions };
  }

  #add(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.#hash.update("\n");
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @throws FlotillaError FLOTILLA_CHECKPOINT_WRONG for one that is longer than any may be. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  let line = 1;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, from)) {
      yield Buffer.concat([...parts, chunk.subarray(from, end)]);
      line++;
      parts = [];
      length = 0;
      from = end + 1;
    }
    length += chunk.length - from;
    if (length > limits.sessionTextBytesMax)
      throw wrong(line, `it is longer than ${limits.sessionTextBytesMax} bytes`);
    if (from < chunk.length) parts.push(Buffer.from(chunk.subarray(from)));
  }
  // A last line without an end, as some programs write it.
  if (length > 0) yield Buffer.concat(parts);
}

function isEnd(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && "end" in value && value.end === true;
}

function wrong(line: number, why: string): FlotillaError {
  return new FlotillaError("FLOTILLA_CHECKPOINT_WRONG", `line ${line}: ${why}`, { source: "client" });
}
