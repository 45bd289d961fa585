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

/** What is asked, and what may come of it. */
export interface Asked {
  readonly question: Question;
  /** Of a question whose content is long, or not latin1; null: it has none. */
  readonly content: object | null;
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
}

type Target = Pick<Server, "name" | "address" | "port">;

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

  /** To ask one server many questions. @throws FlotillaError of the link */
  async converse(target: Target, timeoutMs: number): Promise<Conversation> {
    return new Conversation(target.name, await this.#dial(target, timeoutMs));
  }

  async #ask(target: Target, question: Question, timeoutMs: number): Promise<unknown> {
    const until = performance.now() + timeoutMs;
    const conversation = await this.converse(target, timeoutMs);
    try {
      // The handshake may have come at the very last moment.
      const leftMs = Math.max(1, until - performance.now());
      return await conversation.ask({
        ...{ question, content: null, timeoutMs: leftMs, answerBytesMax: limits.answerBytesMax },
      });
    } finally {
      conversation.end();
    }
  }

  #dial(target: Target, timeoutMs: number): Promise<Link> {
    return dialOnce({
      self: { name: "@cli", incarnation: randomBytes(9).toString("base64url") },
      expected: target.name,
      address: target.address,
      port: target.port,
      keys: this.#keys,
      services: new Map(),
      log: silentLog,
      timeoutMs,
    });
  }
}

/** A link to one server, for questions one after the other. */
export class Conversation {
  readonly #name: string;
  readonly #link: Link;

  constructor(name: string, link: Link) {
    this.#name = name;
    this.#link = link;
  }

  /** @throws FlotillaError FLOTILLA_NO_ANSWER, FLOTILLA_QUESTION_REFUSED */
  async ask(asked: Asked): Promise<unknown> {
    return readAnswer(this.#name, await askOver(this.#link, this.#name, asked));
  }

  end(): void {
    this.#link.destroy("asked");
  }
}

/** @returns the answer's text. */
function askOver(
  link: Link,
  name: string,
  { question, content, timeoutMs, answerBytesMax }: Asked,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new FlotillaError("FLOTILLA_NO_ANSWER", `${name} ${why}`, { source: "server", retry: "yes" }));
    };
    const timer = setTimeout(
      () =>
        fail(
          `took the question "${question.ask}" and did not answer within ${Math.ceil(timeoutMs / 100) / 10} s`,
        ),
      timeoutMs,
    );
    const handler: StreamHandler = {
      onData(stream: LinkStream, bytes: Buffer) {
        length += bytes.length;
        if (length > answerBytesMax) {
          fail(`answered with more than ${answerBytesMax} bytes`);
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
    const stream = link.open(StreamKind.admin, JSON.stringify(question), content === null, handler);
    if (stream === null) fail("takes no questions now");
    else if (content !== null) {
      stream.write(JSON.stringify(content), "utf8");
      stream.end();
    }
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
