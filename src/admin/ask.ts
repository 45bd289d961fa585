/** Asks servers and supervisors, over a link that lasts for one question. */
import { randomBytes } from "node:crypto";
import type { ClusterFile, Server } from "../config/model.ts";
import { type Link, type LinkStream, type StreamHandler, StreamKind } from "../link/api.ts";
import { dialOnce } from "../link/dialer.ts";
import { type LinkKeys, linkKeys } from "../link/keys.ts";
import { FlotillaError } from "../support/errors.ts";
import { admin as limits } from "../support/limits.ts";
import { silentLog } from "../support/silent-log.ts";
import type { RunRecord } from "./run-record.ts";
import type { Question } from "./service.ts";

/** The name that a supervisor gives on its port, and the address of that port. */
export const supervisorName = "@supervisor";
export const controlAddress = "127.0.0.1";

export class Asker {
  /** Made once: they cost some milliseconds. */
  readonly #keys: LinkKeys;

  constructor(file: ClusterFile) {
    this.#keys = linkKeys(file.secret, file.previousSecret);
  }

  /**
   * @param timeoutMs for everything: connection, handshake and answer.
   * @throws FlotillaError of the link, FLOTILLA_NO_ANSWER or FLOTILLA_QUESTION_REFUSED.
   */
  server(server: Server, question: Question, timeoutMs: number): Promise<unknown> {
    return this.#ask(server, question, timeoutMs);
  }

  /** The same for a supervisor of this machine. */
  supervisor(
    { controlPort }: Pick<RunRecord, "controlPort">,
    question: Question,
    timeoutMs: number,
  ): Promise<unknown> {
    const target = { name: supervisorName, address: controlAddress, port: controlPort };
    return this.#ask(target, question, timeoutMs);
  }

  async #ask(
    target: Pick<Server, "name" | "address" | "port">,
    question: Question,
    timeoutMs: number,
  ): Promise<unknown> {
    const until = performance.now() + timeoutMs;
    const link = await dialOnce({
      self: { name: "@cli", incarnation: randomBytes(9).toString("base64url") },
      expected: target.name,
      address: target.address,
      port: target.port,
      keys: this.#keys,
      services: new Map(),
      log: silentLog,
      timeoutMs,
    });
    try {
      return readAnswer(target.name, await askOver(link, target.name, question, timeoutMs, until));
    } finally {
      link.destroy("asked");
    }
  }
}

/** @returns the answer's text. */
function askOver(
  link: Link,
  name: string,
  question: Question,
  timeoutMs: number,
  until: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new FlotillaError("FLOTILLA_NO_ANSWER", `${name} ${why}`, { source: "server", retry: "yes" }));
    };
    const timer = setTimeout(
      () => fail(`took the question "${question.ask}" and did not answer within ${timeoutMs / 1_000} s`),
      // The handshake may have come at the very last moment.
      Math.max(1, until - performance.now()),
    );
    const handler: StreamHandler = {
      onData(stream: LinkStream, bytes: Buffer) {
        length += bytes.length;
        if (length > limits.answerBytesMax) {
          fail(`answered with more than ${limits.answerBytesMax} bytes`);
          return;
        }
        // A copy: the bytes are ours only during the call.
        chunks.push(Buffer.from(bytes));
        stream.consumed(bytes.length);
      },
      onEnd() {
        clearTimeout(timer);
        resolve(Buffer.concat(chunks).toString("utf8"));
      },
      onReset(_stream, _code, message) {
        fail(`did not answer the question "${question.ask}": ${message}`);
      },
      onDrain() {},
    };
    if (link.open(StreamKind.admin, JSON.stringify(question), true, handler) === null)
      fail("takes no questions now");
  });
}

/** The answer as it came; whoever asked knows its shape. An answer that is an error is thrown. */
function readAnswer(name: string, text: string): unknown {
  const answer: unknown = JSON.parse(text);
  if (typeof answer === "object" && answer !== null && "error" in answer)
    throw new FlotillaError("FLOTILLA_QUESTION_REFUSED", `${name} says: ${answer.error}`, {
      source: "server",
    });
  return answer;
}
